"""An execution names a runtime and a precision that exist."""

from __future__ import annotations

import pytest

from simtool.errors import UsageError
from simtool.models.runtimes import Execution


def test_an_unknown_runtime_or_precision_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="--runtime is tensorflow or openvino, not torch"):
        Execution(runtime="torch")
    with pytest.raises(UsageError, match="--precision is float32 or bfloat16, not half"):
        Execution(precision="half")


def test_xla_is_for_tensorflow_in_float32() -> None:
    assert Execution(xla=True).runtime == "tensorflow"
    with pytest.raises(UsageError, match="--xla is for the runtime tensorflow, not openvino"):
        Execution("openvino", xla=True)
    with pytest.raises(UsageError, match="--xla computes in float32; leave out --precision bfloat16"):
        Execution(precision="bfloat16", xla=True)
