"""OpenVINO computes what TensorFlow computes, and sends nothing over the network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool.models.errors import ModelError
from simtool.models.runtimes import openvino
from simtool.models.runtimes.openvino import load_openvino

#: Fails at each attempt to reach another machine.
_ALONE = """
import socket
def refuse(*_): raise SystemExit("OpenVINO opens a connection")
socket.socket.connect = socket.getaddrinfo = refuse
"""


def test_the_import_sends_no_message_and_leaves_no_file(tmp_path: Path) -> None:
    program = f"""{_ALONE}
import sys, threading
from simtool.models.runtimes.openvino import load_openvino
load_openvino()
assert "openvino" in sys.modules
print([name for name in sys.modules if name.startswith("openvino_telemetry")], threading.active_count())
"""
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("[] 1\n", "", 0)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelError, match=r"OpenVINO cannot be imported .*; pip install openvino"):
        load_openvino()


def test_an_operation_that_openvino_lacks_is_reported_in_one_line() -> None:
    import tensorflow as tf

    def decoded(images: Any) -> list[Any]:
        text = tf.strings.as_string(images)
        return [tf.strings.to_number(tf.strings.upper(text))]

    function = tf.function(decoded, input_signature=[tf.TensorSpec((2, 2))]).get_concrete_function()
    with pytest.raises(ModelError, match=r"^OpenVINO cannot (convert|compute) the network: [^\n]+$"):
        openvino.compiled(function, "float32")


def test_outputs_keep_their_order_even_if_two_are_equal() -> None:
    import tensorflow as tf

    def vectors(images: Any) -> list[Any]:
        return [images * 3, images + 1, images * 3]

    function = tf.function(vectors, input_signature=[tf.TensorSpec((2, 4))]).get_concrete_function()
    images = np.arange(8, dtype=np.float32).reshape(2, 4)
    first, second, third = openvino.compiled(function, "float32")(images)
    np.testing.assert_array_equal(first, images * 3)
    np.testing.assert_array_equal(second, images + 1)
    np.testing.assert_array_equal(third, first)


def test_a_signal_is_handled_after_networks_are_deleted() -> None:
    """Each core of OpenVINO replaces the memory in which signals are handled, and later frees it."""
    program = """
import gc, os, signal
import numpy as np
from simtool.models.runtimes.openvino import compiled_graph, load_openvino
openvino = load_openvino()
def network():
    images = openvino.opset13.parameter([1, 3], np.float32)
    model = openvino.Model([openvino.opset13.relu(images)], [images])
    return compiled_graph(model, "float32", model.outputs)
networks = [network(), network()]
assert networks[0](np.float32([[-1, 0, 1]]))[0].tolist() == [[0, 0, 1]]
while networks:
    networks.pop(0)
    gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGTERM)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("handled\n", "", 0)
