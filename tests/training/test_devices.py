"""TF_CONFIG lists the workers; a single worker exchanges nothing."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from simtool.training.devices import open_devices
from simtool.training.outcome import TrainingError


def test_without_a_cluster_there_is_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    devices = open_devices()
    assert devices.chief
    assert devices.worker.count == 1
    assert devices.gathered(np.array([1.5, 2.0])).tolist() == [[1.5, 2.0]]


def test_a_cluster_of_one_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setitem(os.environ, "TF_CONFIG", json.dumps(content))
    assert open_devices().worker.count == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "TF_CONFIG should be an object"),
        ("[" * 100_000, r"TF_CONFIG should be an object .* it is \[{200}\.\.\.$"),
        ('{\n "cluster": 1\n}', r'it is { "cluster": 1 }$'),
        ('{"cluster": {}}', "TF_CONFIG should be an object"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "worker 1 is not one of its 1"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "ps 0 is not one of its 1"),
    ],
)
def test_a_wrong_cluster_is_refused(monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(TrainingError, match=message):
        open_devices()
