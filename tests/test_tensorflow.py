from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.photographs import write_table

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


SMALL_JOBS = """
import sys
from simtool.cli import app
for line in (
    "index-images photographs --out images.parquet",
    "embed images.parquet --model pixels --out pixels.parquet",
    "embed images.parquet --model pixels --recipe square --out square.parquet",
    "fit-pca images.parquet --out pca",
    "embed images.parquet --model pca --out pca.parquet",
    "show pca",
):
    try:
        app(line.split())
    except SystemExit as end:
        assert not end.code, line
print(sorted({"tensorflow", "keras", "sklearn", "numba", "matplotlib"} & set(sys.modules)))
"""


def test_pixels_principal_components_and_indexing_start_without_it(tmp_path: Path) -> None:
    write_table(tmp_path, 4)
    done = subprocess.run([sys.executable, "-c", SMALL_JOBS], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr
