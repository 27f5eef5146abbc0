from __future__ import annotations

import pytest

from simtool.models.flows.config import Mode
from simtool.models.flows.footprint import check_room, training_bytes
from simtool.models.flows.glow.footprint import activation_bytes
from simtool.models.flows.glow.presets import PRESETS
from simtool.tensorflow import load_tensorflow
from simtool.training.outcome import TrainingError

load_tensorflow()

from simtool.models.flows.glow.flow import GlowFlow  # noqa: E402 - Keras after TensorFlow

STUDY = PRESETS["study"]
ACTIVATIONS = activation_bytes(STUDY.flow)
SHAPES = GlowFlow.shapes(STUDY.flow)
PARAMETERS = 252_030_684


def needed(mode: Mode = "reversible", batch_size: int = 16, preset: str = "study", parts: int = 1) -> int:
    chosen = PRESETS[preset]
    settings = chosen.settings.changed(batch_size=batch_size, accumulate=parts)
    return training_bytes(activation_bytes(chosen.flow), settings, mode, GlowFlow.shapes(chosen.flow), 0)


def test_each_mode_needs_less_than_the_one_before() -> None:
    assert needed("plain") > needed("recompute") > needed("reversible") > 16 * PARAMETERS


@pytest.mark.parametrize(
    ("preset", "mode", "batch_size", "peak"),
    [
        ("study", "reversible", 1, 6.52e9),
        ("study", "reversible", 16, 7.18e9),
        ("study", "plain", 1, 8.48e9),
        ("small", "plain", 32, 1.57e9),
        ("small", "recompute", 32, 1.23e9),
    ],
)
def test_the_estimate_is_a_little_above_the_peaks_that_were_measured(
    preset: str, mode: Mode, batch_size: int, peak: float
) -> None:
    assert peak < needed(mode, batch_size, preset) < 1.11 * peak


def test_a_training_that_fits_is_accepted() -> None:
    check_room(ACTIVATIONS, STUDY.settings, "plain", SHAPES, 0, needed("plain"))
    check_room(ACTIVATIONS, STUDY.settings, "plain", SHAPES, 0, None)


@pytest.mark.parametrize(
    ("room", "fits"),
    [
        (needed("recompute"), "--backprop recompute --batch-size 16 would fit"),
        (needed("reversible"), "--backprop reversible --batch-size 16 would fit"),
        (needed("reversible", parts=4), "--backprop reversible --batch-size 16 --accumulate 4 would fit"),
        (needed("reversible", 1), "--backprop reversible --batch-size 1 would fit"),
        (1 << 30, "only a smaller flow would fit"),
    ],
)
def test_a_training_that_does_not_fit_is_refused_with_settings_that_fit(room: int, fits: str) -> None:
    with pytest.raises(TrainingError, match=rf"needs about {needed('plain') / 1e9:.1f} GB of memory, .* free; {fits}"):
        check_room(ACTIVATIONS, STUDY.settings, "plain", SHAPES, 0, room)


def test_modes_are_tried_before_batches_are_made_smaller() -> None:
    with pytest.raises(TrainingError, match="--backprop recompute --batch-size 16 would fit"):
        check_room(ACTIVATIONS, STUDY.settings, "plain", SHAPES, 0, needed("plain", 8))
