"""Two halves of a batch, where TensorFlow gives an operation fewer threads than there are cores."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from simtool.models.flows.glow import parts
from simtool.system.threads import available_cores
from simtool.tensorflow import load_tensorflow

tf = load_tensorflow()

#: Says how many parts there are before and after a training limits the threads, and after TensorFlow has started.
PROGRAM = """
from simtool.training.devices import open_devices
from simtool.models.flows.glow import parts
from simtool.system.threads import available_cores
import tensorflow as tf
def say():
    print(min(available_cores(), 2) - parts.count_parts(), tf.config.threading.get_intra_op_parallelism_threads())
if {early}:
    open_devices(halves=True)
say()
tf.constant(1)
open_devices(halves=True)
say()
"""


@pytest.mark.parametrize("count", [1, 2, 5, None])
def test_the_parts_are_the_batch(monkeypatch: pytest.MonkeyPatch, count: int | None) -> None:
    monkeypatch.setattr(parts, "count_parts", lambda: 2)
    x = np.arange(4.0 * (count or 3)).reshape(-1, 4)
    found = tf.function(parts.split, input_signature=[tf.TensorSpec((count, 4), "float64")])(x)
    assert [len(part) for part in found] == ([1] if count == 1 else [len(x) // 2, len(x) - len(x) // 2])
    assert np.array_equal(parts.joined(found), x)


def test_without_a_limit_of_threads_the_batch_stays_whole() -> None:
    x = tf.zeros((4, 2))
    assert parts.count_parts() == 1
    assert parts.split(x) == (x,)
    assert parts.joined((x,)) is x


@pytest.mark.parametrize("early", [True, False])
def test_a_training_limits_threads_only_before_tensorflow_starts(early: bool) -> None:
    program = PROGRAM.format(early=early)
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    cores = available_cores()
    expected = ["0", str(max(1, cores // 2))] if early else [str(min(cores, 2) - 1), "0"]
    assert found == expected * 2
