"""TensorFlow, imported late and without its start-up messages."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from types import ModuleType

from simtool.errors import clipped, first_line

__all__ = ["Build", "load_tensorflow", "tensorflow_build", "tf32", "xla_reason"]

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
#: Messages that TensorFlow writes on every start, whatever the log level.
_CHATTER = re.compile(
    rb"All log messages before absl::InitializeLog|oneDNN custom operations are on|Could not find cuda drivers"
    rb"|This TensorFlow binary is optimized|To enable the following instructions|failed call to cuInit"
    rb"|Unable to register cu(FFT|DNN|BLAS) factory"
)


@dataclass(frozen=True)
class Build:
    """How the installed TensorFlow was built.

    Attributes:
        site_packages: the folder with the package.
        cuda, cudnn: the versions that it needs, such as 12.5.1 and 9; None for a TensorFlow without CUDA.
    """

    site_packages: Path
    cuda: str | None
    cudnn: str | None


def tensorflow_build() -> Build:
    """Read how TensorFlow was built, as ``tensorflow.sysconfig.get_build_info`` does, but without its import.

    Raises:
        ImportError: TensorFlow is not installed.
    """
    package = find_spec("tensorflow")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
    folder = Path(package.origin).parent
    facts = run_path(str(folder / "python/platform/build_info.py"))["build_info"]
    return Build(folder.parent, facts.get("cuda_version"), facts.get("cudnn_version"))


def load_tensorflow() -> ModuleType:
    """Import TensorFlow and find its devices, without its usual start-up messages.

    Its log is silent, because its errors arrive as Python exceptions. If ``TF_CPP_MIN_LOG_LEVEL`` is set, all messages
    are shown.

    Returns:
        The module ``tensorflow``.
    """
    if _LOG_LEVEL in os.environ or "tensorflow" in sys.modules:
        import tensorflow
    else:
        os.environ[_LOG_LEVEL] = "3"
        with _without_chatter():
            import tensorflow

            tensorflow.config.list_physical_devices()  # TensorFlow looks for drivers here, and may warn
        # TensorFlow has read it; a program that is started from here must not see it as the choice of the user.
        del os.environ[_LOG_LEVEL]
    _switch_off_tf32()
    module: ModuleType = tensorflow
    return module


@cache
def _switch_off_tf32() -> None:
    """Let GPUs multiply float32 in full; once in a process, so that :func:`tf32` holds while a graph is traced.

    Otherwise GPUs since Ampere multiply float32 with 10 bits of mantissa, which is too few for the inverse of a flow,
    and vectors depend on the GPU. A lower precision is an explicit option of the training.
    """
    import tensorflow

    tensorflow.config.experimental.enable_tensor_float_32_execution(False)


@contextmanager
def tf32() -> Iterator[None]:
    """Let GPUs multiply float32 as TF32 in the body; the setting belongs to the whole process."""
    switch = load_tensorflow().config.experimental.enable_tensor_float_32_execution
    switch(True)
    try:
        yield
    finally:
        switch(False)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back standard error, then write all lines except the start-up messages.

    The libraries write to file descriptor 2, which ``contextlib.redirect_stderr`` cannot catch.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            held.seek(0)
            for line in held:
                if not _CHATTER.search(line):
                    os.write(2, line)


def xla_reason(failure: BaseException) -> str:
    """Why XLA cannot compile a graph: the operations that it lacks, without the name of the graph."""
    text = first_line(failure, most=10_000)
    found = re.search(r"(unsupported operations) .*? on XLA_\w+: (.*)", text)
    return clipped(f"{found[1]}: {found[2]}" if found else text)
