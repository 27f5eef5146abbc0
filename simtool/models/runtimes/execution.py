"""How a network is computed: by which runtime, in which precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.errors import UsageError

__all__ = ["BFLOAT16", "FLOAT32", "OPENVINO", "PRECISIONS", "RUNTIMES", "TENSORFLOW", "Execution", "Run"]

PRECISIONS = FLOAT32, BFLOAT16 = "float32", "bfloat16"
RUNTIMES = TENSORFLOW, OPENVINO = "tensorflow", "openvino"

#: From a whole batch of preprocessed images, (b, height, width, 3), to one array (b, D) for each layer.
Run = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]


@dataclass(frozen=True)
class Execution:
    """How a network is computed.

    Attributes:
        runtime: one of ``RUNTIMES``.
        precision: of convolutions and products of matrices, one of ``PRECISIONS``.
        xla: whether XLA compiles the network, for TensorFlow in float32.

    Raises:
        UsageError: there is no such runtime or precision, or it has no XLA.
    """

    runtime: str = TENSORFLOW
    precision: str = FLOAT32
    xla: bool = False

    def __post_init__(self) -> None:
        for option, value, known in (
            ("--runtime", self.runtime, RUNTIMES),
            ("--precision", self.precision, PRECISIONS),
        ):
            if value not in known:
                raise UsageError(f"{option} is {' or '.join(known)}, not {value}")
        if self.xla and self.runtime != TENSORFLOW:
            raise UsageError(f"--xla is for the runtime {TENSORFLOW}, not {self.runtime}")
        if self.xla and self.precision != FLOAT32:
            raise UsageError(f"--xla computes in {FLOAT32}; leave out --precision {self.precision}, or use --no-xla")
