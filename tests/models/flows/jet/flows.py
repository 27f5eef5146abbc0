"""Jets with weights as after training."""

from __future__ import annotations

from typing import Any

import numpy as np

from simtool.models.flows.jet.config import JetConfig
from simtool.tensorflow import load_tensorflow

load_tensorflow()

from simtool.models.flows.jet.flow import JetFlow  # noqa: E402 - Keras after TensorFlow


def config_of(steps: int = 4, **changes: Any) -> JetConfig:
    """A small Jet; its second and fourth coupling split the patches."""
    shape = {"size": 8, "patch": 2, "width": 8, "depth": 2, "heads": 2, "spatial_every": 2}
    return JetConfig(steps=steps, **{**shape, **changes})


def trained(config: JetConfig, seed: int = 0, dtype: str = "float32", amount: float = 0.2) -> JetFlow:
    """A flow with all weights away from their initial values; the same noise for float32 and float64."""
    flow, random = JetFlow(config, seed, dtype), np.random.default_rng(seed)
    for variable in flow.variables.values():
        value = variable.numpy()
        variable.assign((value + amount * random.standard_normal(value.shape)).astype(value.dtype))
    return flow
