"""TensorFlow, imported late and without its start-up chatter."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

__all__ = ["load_tensorflow"]

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
#: What TensorFlow says of itself on every start, before any log level applies.
_CHATTER = re.compile(
    rb"All log messages before absl::InitializeLog|oneDNN custom operations are on|Could not find cuda drivers"
    rb"|This TensorFlow binary is optimized|To enable the following instructions|failed call to cuInit"
    rb"|Unable to register cu(FFT|DNN|BLAS) factory"
)


def load_tensorflow() -> ModuleType:
    """Import TensorFlow and find its devices; keep every line it writes but the usual chatter.

    Its errors arrive as Python exceptions, so its log is silent too. Whoever sets ``TF_CPP_MIN_LOG_LEVEL``
    wants to see what it writes, and sees everything.

    Returns:
        The module ``tensorflow``.
    """
    if _LOG_LEVEL in os.environ or "tensorflow" in sys.modules:
        import tensorflow
    else:
        os.environ[_LOG_LEVEL] = "3"
        with _without_chatter():
            import tensorflow

            tensorflow.config.list_physical_devices()  # drivers are looked for, and complained about, here
        # It has been read by now; a program started from here shall not take it for a wish of the user.
        del os.environ[_LOG_LEVEL]
    # GPUs since Ampere would multiply float32 with 10 bits of mantissa: too few for the inverse of a flow, and vectors
    # would depend on the card. Whoever wants speed asks for a lower precision by name.
    tensorflow.config.experimental.enable_tensor_float_32_execution(False)
    module: ModuleType = tensorflow
    return module


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back standard error, then pass on all lines but the chatter.

    The libraries write to file descriptor 2 itself, which ``contextlib.redirect_stderr`` cannot catch.
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
