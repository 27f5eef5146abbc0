"""Settings are checked, become JSON, and can be written on a command line; learning rates follow a schedule."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from simtool.tensorflow import load_tensorflow
from simtool.training.outcome import TrainingError
from simtool.training.settings import Settings, assignments, learning_rates


def test_settings_survive_json() -> None:
    settings = Settings(epochs=3, optimizer="sgd", nesterov=True, learning_rate=3e-4, schedule="cosine")
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_settings_are_overridden_by_text() -> None:
    settings = Settings().changed(
        **assignments(["learning-rate=1e-4", "epochs = 90", "nesterov=yes", "schedule=cosine-restarts"])
    )
    assert (settings.learning_rate, settings.epochs, settings.nesterov) == (1e-4, 90, True)
    assert settings.schedule == "cosine-restarts"


def test_none_changes_nothing() -> None:
    assert Settings(epochs=7).changed(epochs=None, seed=3) == Settings(epochs=7, seed=3)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("epochs", "a setting has the form name=value, not epochs"),
        ("epochs=many", "epochs must be a whole number, not many"),
        ("epochs=1.5", "epochs must be a whole number, not 1.5"),
        ("epochs=0", "epochs must be at least 1, not 0"),
        ("learning_rate=nan", "learning_rate must be a number, not nan"),
        ("learning_rate=0", "learning_rate must be above 0"),
        ("first_period=0", "first_period must be above 0"),
        ("ema=1.5", "ema must be from 0 to 1, not 1.5"),
        ("nesterov=maybe", "nesterov must be true or false, not maybe"),
        ("optimizer=lion", "optimizer must be adam, adamw or sgd, not lion"),
        ("weight_decay=0.1", "adam does not decay weights; weight_decay 0.1 needs adamw or sgd"),
    ],
)
def test_a_wrong_value_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        Settings().changed(**assignments([assignment]))


def test_an_unknown_setting_is_refused_with_the_list_of_settings() -> None:
    with pytest.raises(TrainingError, match=r"no setting is called rate; choose from .*learning_rate"):
        Settings().changed(**assignments(["rate=1"]))


@pytest.mark.parametrize("content", [[1], "text", None])
def test_settings_of_another_kind_are_refused(content: Any) -> None:
    with pytest.raises(TrainingError, match="settings are an object"):
        Settings.from_json(content)


def test_only_settings_that_change_no_weight_or_its_last_bits_are_free_when_a_training_resumes() -> None:
    free = Settings().to_json().keys() - Settings().binding().keys()
    kept = {"checkpoint_steps", "checkpoint_minutes", "max_minutes", "illustrate_every", "keep_every"}
    assert free == kept | {"accumulate", "deterministic", "xla"}


def test_the_parts_of_a_batch_are_equal() -> None:
    assert Settings(batch_size=12, accumulate=4).computation == "float32, batches in 4 parts"
    assert Settings(xla=True).computation == "float32, XLA"
    assert Settings().computation == "float32"
    with pytest.raises(TrainingError, match="accumulate 5 does not divide the batch_size 12"):
        Settings(batch_size=12, accumulate=5)


@pytest.mark.system
def test_settings_state_and_signals_need_no_heavy_library() -> None:
    names = ("settings", "outcome", "state", "optimizer", "task", "data", "devices", "slurm", "folder", "augmentation")
    script = (
        f"import importlib, sys\nfor name in {names}: importlib.import_module('simtool.training.' + name)\n"
        "print(sorted({'tensorflow', 'keras', 'pyarrow', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("growth", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("factor", [1.0, 0.8])
@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_cosine_restarts_equal_those_of_keras(growth: float, factor: float, floor: float) -> None:
    load_tensorflow()
    import keras

    settings = Settings(
        epochs=100,
        learning_rate=1e-3,
        schedule="cosine-restarts",
        first_period=2,
        period_growth=growth,
        restart_factor=factor,
        final_fraction=floor,
    )
    rate = learning_rates(settings, steps_per_epoch=5)
    theirs = keras.optimizers.schedules.CosineDecayRestarts(1e-3, 10, growth, factor, floor)
    # At a restart their float32 may fall on either side of it.
    steps = [step for step in range(0, 500, 7) if rate(step) < 0.99e-3 * factor]
    assert len(steps) > 20
    assert [rate(step) for step in steps] == pytest.approx([float(theirs(step)) for step in steps], rel=2e-4, abs=1e-8)


def test_restarts_come_where_the_periods_end() -> None:
    rate = learning_rates(Settings(epochs=70, schedule="cosine-restarts", first_period=10, learning_rate=1.0), 4)
    assert [step for step in range(280) if rate(step) == 1.0] == [0, 40, 120]


def test_the_cosine_equals_that_of_keras_and_ends_with_the_last_epoch() -> None:
    load_tensorflow()
    import keras

    settings = Settings(epochs=10, learning_rate=0.2, schedule="cosine", warmup_steps=8, final_fraction=0.05)
    rate = learning_rates(settings, steps_per_epoch=5)
    theirs = keras.optimizers.schedules.CosineDecay(0.2, 42, 0.05)
    assert [rate(8 + step) for step in range(60)] == pytest.approx(
        [float(theirs(step)) for step in range(60)], rel=1e-5
    )
    assert rate(50) == pytest.approx(0.01)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "cosine-restarts"])
def test_the_warm_up_grows_linearly_to_the_highest_rate(schedule: str) -> None:
    settings = Settings(epochs=10, learning_rate=0.4, warmup_steps=4).changed(schedule=schedule)
    rate = learning_rates(settings, steps_per_epoch=10)
    assert [rate(step) for step in range(5)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    assert max(rate(step) for step in range(100)) == pytest.approx(0.4)
