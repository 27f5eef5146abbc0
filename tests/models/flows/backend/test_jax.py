"""Flows on Keras's JAX backend, in a separate process, beside TensorFlow. Skipped where JAX is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[4] / "benchmarks" / "flow_on_jax.py"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed: pip install jax")
@pytest.mark.parametrize(
    ("preset", "double"),
    [("tiny", 1e-9), ("jet-tiny", 1e-6)],  # TensorFlow's GELU of float64 has constants of float32
)
def test_values_gradients_and_inverses_are_those_of_tensorflow(tmp_path: Path, preset: str, double: float) -> None:
    file, found = tmp_path / "flow.npz", tmp_path / "jax.json"
    run("reference", file, "--preset", preset, "--images", 2)
    run("compare", file, "--batch", 0, "--json", found)
    content = json.loads(found.read_text())
    for precision, mode, errors in content["errors"]:
        exact = {"float64": double, "float32": 1e-3, "bfloat16 networks": 0.1}[precision]
        assert all(error < exact for error in errors.values()), (precision, mode, errors)
    assert content["inverse errors"]["float64"] < 1e-12
    assert content["inverse errors"]["float32, precise"] < 1e-5
    assert content["times"] == []


def run(*arguments: Any) -> None:
    subprocess.run([sys.executable, str(PROGRAM), *map(str, arguments)], check=True, capture_output=True)
