"""The runtimes that compute networks, and the precision of their arithmetic."""

from __future__ import annotations

from simtool.models.runtimes.execution import (
    BFLOAT16,
    FLOAT32,
    OPENVINO,
    PRECISIONS,
    RUNTIMES,
    TENSORFLOW,
    Execution,
    Run,
)

__all__ = ["BFLOAT16", "FLOAT32", "OPENVINO", "PRECISIONS", "RUNTIMES", "TENSORFLOW", "Execution", "Run"]
