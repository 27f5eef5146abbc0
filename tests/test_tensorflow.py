from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.system]


def stderr_of(code: str, **environment: str) -> str:
    unset = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=unset | environment, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stderr


LOAD = """
import os
from simtool.tensorflow import load_tensorflow
tf = load_tensorflow()
"""


def test_tensorflow_says_nothing_at_its_start_but_what_others_say_is_kept() -> None:
    speaking = "import sys\nclass Speaker:\n def find_spec(self, name, *_):\n  if name == 'tensorflow': "
    speaking += "import os; os.write(2, b'a driver is too old\\n')\nsys.meta_path.insert(0, Speaker())\n"
    work = "assert tf.reduce_sum(tf.ones((4, 4))) == 16\nassert load_tensorflow() is tf\n"
    assert stderr_of(speaking + LOAD + work) == "a driver is too old\n"
