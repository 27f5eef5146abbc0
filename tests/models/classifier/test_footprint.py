"""The estimate of the memory that training a classifier needs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from simtool.models.classifier.footprint import check_room, training_bytes
from simtool.training.outcome import TrainingError
from simtool.training.settings import Settings

SETTINGS = Settings(batch_size=64)


def needed(network: Any, batch_size: int = 64, parts: int = 1) -> int:
    return training_bytes(network, SETTINGS.changed(batch_size=batch_size, accumulate=parts), 0)


def test_memory_grows_with_the_activations_of_each_image(network: Any) -> None:
    outputs = 4 * sum(math.prod(layer.output.shape[1:]) for layer in network.layers)
    assert outputs / 2 < needed(network, 65) - needed(network) < outputs
    assert training_bytes(network, SETTINGS, 1000) == needed(network) + 1000


def test_a_training_that_fits_is_accepted(network: Any) -> None:
    check_room(network, SETTINGS, 0, needed(network))
    check_room(network, SETTINGS, 0, None)


def test_a_training_that_does_not_fit_is_refused_with_settings_that_fit(network: Any) -> None:
    saying = rf"needs about {needed(network) / 1e9:.1f} GB of memory, .* free; "
    with pytest.raises(TrainingError, match=saying + "--batch-size 64 --accumulate 4 would fit"):
        check_room(network, SETTINGS, 0, needed(network, parts=4))
    with pytest.raises(TrainingError, match=saying + "--batch-size 4 would fit"):  # a part has 8 images at least
        check_room(network, SETTINGS, 0, needed(network, 4))
    with pytest.raises(TrainingError, match=saying + "only a smaller network or a smaller --size would fit"):
        check_room(network, SETTINGS, 0, 1 << 28)
