"""OpenVINO as a runtime. It is an optional dependency (the extra ``openvino``).

OpenVINO reads ONNX files itself, and converts graphs of TensorFlow in memory. ONNX Runtime was the alternative: its
package is half as large, and it reads more operations (of texts, sequences, trees), but it is slower here, computes no
bfloat16 on x86, and needs a converter for Keras.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import first_line
from simtool.models.errors import ModelError
from simtool.models.runtimes.execution import BFLOAT16, Run
from simtool.system.threads import available_cores

__all__ = ["compiled", "compiled_graph", "core", "load_openvino", "require_openvino", "told"]

#: The package that reports each import of OpenVINO to its makers. OpenVINO works without it.
_TELEMETRY = "openvino_telemetry"


def require_openvino() -> None:
    """Check that OpenVINO is installed, without importing it.

    Raises:
        ModelError: it is not installed.
    """
    if find_spec("openvino") is None:
        raise ModelError("OpenVINO is not installed; pip install openvino")


def load_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which would send a message over the network at the import.

    Raises:
        ModelError: it is not installed.
    """
    if loaded := sys.modules.get("openvino"):
        return loaded
    known = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment] # Python raises an ImportError, which OpenVINO handles
    try:
        import openvino
    except ImportError as failure:
        raise ModelError(f"OpenVINO cannot be imported ({first_line(failure)}); pip install openvino") from failure
    finally:
        del sys.modules[_TELEMETRY]
        if known is not None:
            sys.modules[_TELEMETRY] = known
    module: ModuleType = openvino
    return module


@cache
def core() -> Any:
    """The core of OpenVINO, which lasts until the process ends.

    A core sets the memory in which the process handles signals, and puts back the memory that it found there when it is
    destroyed. After two cores, that memory can be free already: the process would crash at the next signal.

    Raises:
        ModelError: OpenVINO is not installed.
    """
    return load_openvino().Core()


def compiled(function: Any, precision: str) -> Run:
    """Prepare a traced function of TensorFlow; see :func:`simtool.models.runtimes.tensorflow.compiled`.

    Raises:
        ModelError: OpenVINO is not installed, or cannot compute an operation of the network.
    """
    openvino = load_openvino()
    try:
        model = openvino.convert_model(function)
        outputs = [model.output(tensor.name) for tensor in function.outputs]
    except Exception as failure:  # whatever a network makes OpenVINO raise
        raise ModelError(f"OpenVINO cannot convert the network: {told(failure)}") from failure
    return compiled_graph(model, precision, outputs)


def compiled_graph(model: Any, precision: str, outputs: Sequence[Any]) -> Run:
    """Prepare a model of OpenVINO with one input of fixed shape.

    Args:
        model: an ``openvino.Model``.
        precision: see :class:`~simtool.models.runtimes.execution.Execution`.
        outputs: the outputs of the model, in the order of the result.

    Raises:
        ModelError: OpenVINO cannot compute an operation of the network.
    """
    places = [model.outputs.index(output) for output in outputs]
    settings = {
        # OpenVINO rounds to bfloat16 by itself where the processor can.
        "INFERENCE_PRECISION_HINT": "bf16" if precision == BFLOAT16 else "f32",
        "INFERENCE_NUM_THREADS": available_cores(),
    }
    try:
        request = core().compile_model(model, "CPU", settings).create_infer_request()
    except Exception as failure:  # whatever a network makes OpenVINO raise
        raise ModelError(f"OpenVINO cannot compute the network: {told(failure)}") from failure

    turn = Lock()  # OpenVINO refuses a second thread during an inference

    def run(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with turn:
            found = request.infer([images])
        return [found[place] for place in places]

    return run


def told(failure: Exception) -> str:
    """The last line of a message of OpenVINO; the lines before name places in its source."""
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    return lines[-1].removeprefix("-- ") if lines else type(failure).__name__
