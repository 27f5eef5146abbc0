"""The operations of a backend of Keras that a flow needs in addition to ``keras.ops``.

The mathematics of flows is written on ``keras.ops``. Loops over stacked weights, gradients by hand and the halves of a
batch are here, once for TensorFlow and once for JAX, with the same names. ``simtool`` itself computes with TensorFlow.
On JAX, the flows need only keras, jax, numpy, scipy and threadpoolctl (``benchmarks/flow_on_jax.py``).
"""

from __future__ import annotations

import keras

from simtool.models.flows.backend.depth import depth_of, few

if keras.backend.backend() == "jax":
    from simtool.models.flows.backend.jax import (
        joined,
        permuted,
        pulled_back,
        scan,
        scan_back,
        scan_taken,
        split,
        with_gradient,
    )
else:
    from simtool.models.flows.backend.tensorflow import (
        joined,
        permuted,
        pulled_back,
        scan,
        scan_back,
        scan_taken,
        split,
        with_gradient,
    )

__all__ = [
    "depth_of",
    "few",
    "joined",
    "permuted",
    "pulled_back",
    "scan",
    "scan_back",
    "scan_taken",
    "split",
    "with_gradient",
]
