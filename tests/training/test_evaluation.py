"""The means are over all examples of the validation set, whatever the size of its last batch."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.training.devices import ALONE, open_devices
from simtool.training.evaluation import Evaluation
from simtool.training.settings import Settings
from tests.training.tiny import Classifier, Coupling, TinyData


def nothing() -> None:
    """Do nothing after a batch."""


def test_each_example_counts_once() -> None:
    task, data = Classifier(), TinyData(held_out=19)
    batches = list(data.validation(ALONE))
    logits = task.network(np.concatenate([batch["image"] for batch in batches]), training=False).numpy()
    label = np.concatenate([batch["label"] for batch in batches])
    losses = np.log(np.exp(logits.astype(float)).sum(1)) - logits[np.arange(19), label]
    seen: list[int] = []
    means = Evaluation(task, data, open_devices(), Settings(batch_size=8)).means(lambda: seen.append(1))
    assert means["loss"] == pytest.approx(losses.mean(), rel=1e-6)
    assert means["accuracy"] == pytest.approx((logits.argmax(1) == label).mean())
    assert len(seen) == 3


def test_the_noise_is_the_same_at_every_evaluation() -> None:
    evaluation = Evaluation(Coupling(), TinyData(), open_devices(), Settings(batch_size=8))
    assert evaluation.means(nothing) == evaluation.means(nothing)


def test_without_a_validation_set_there_are_no_means() -> None:
    assert Evaluation(Coupling(), TinyData(held_out=0), open_devices(), Settings()).means(nothing) == {}
