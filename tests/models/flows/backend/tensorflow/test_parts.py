"""Two halves of a batch, where TensorFlow gives an operation fewer threads than there are cores."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from simtool.models.flows.backend.tensorflow import parts
from simtool.models.flows.config import MODES
from simtool.system.threads import available_cores
from simtool.tensorflow import load_tensorflow

tf = load_tensorflow()

#: Says how many parts there are before and after a training limits the threads, and after TensorFlow has started.
PROGRAM = """
from simtool.training.devices import open_devices
from simtool.models.flows.backend.tensorflow import parts
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

#: Computes the gradients of two halves 40 times by each mode, and prints how many different bits it has seen, and them.
REPEATED = """
import hashlib
import numpy as np
from simtool.training.devices import open_devices
open_devices(halves=True)
import tensorflow as tf
from simtool.models.flows.config import MODES
from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.glow.flow import GlowFlow
flow, random = GlowFlow(GlowConfig(16, 2, 2, 32)), np.random.default_rng(0)
for variable in flow.variables.values():
    variable.assign_add(0.05 * random.normal(size=variable.shape))
x = tf.constant(random.uniform(-0.5, 0.5, (9, 16, 16, 3)), tf.float32)
def gradients(mode):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(flow.encode(x, mode=mode).log_prob)
    return tape.gradient(loss, list(flow.variables.values()))
for mode in MODES:
    graph = tf.function(lambda: gradients(mode), autograph=False)
    seen = {hashlib.sha1(b"".join(g.numpy().tobytes() for g in graph())).hexdigest() for _ in range(40)}
    print(mode, len(seen), *seen)
"""


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (2, [1, 1]), (5, [2, 3]), (None, [3])])
def test_the_parts_are_the_batch(monkeypatch: pytest.MonkeyPatch, count: int | None, sizes: list[int]) -> None:
    monkeypatch.setattr(parts, "count_parts", lambda: 2)
    x = np.arange(4.0 * sum(sizes)).reshape(-1, 4)
    found = tf.function(parts.split, input_signature=[tf.TensorSpec((count, 4), "float64")])(x)
    assert [len(part) for part in found] == sizes
    assert np.array_equal(parts.joined(found), x)


def test_without_a_limit_of_threads_the_batch_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    # A training that ran before in this process may have set a limit.
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 0)
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


def test_gradients_have_the_same_bits_however_busy_the_cores_are() -> None:
    command = [sys.executable, "-c", REPEATED]
    busy = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(available_cores() + 1)]
    found = [process.communicate()[0].splitlines() for process in busy]
    assert [line.split()[:2] for line in found[0]] == [[mode, "1"] for mode in MODES]
    assert found == found[:1] * len(busy)
