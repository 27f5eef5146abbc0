"""Settings are checked, travel as JSON and can be written on a command line."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from simtool.training.errors import TrainingError
from simtool.training.settings import Settings


def test_settings_survive_json() -> None:
    settings = Settings(epochs=3, optimizer="sgd", nesterov=True, learning_rate=3e-4, schedule="cosine")
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_settings_are_overridden_by_text() -> None:
    settings = Settings().overridden(["learning-rate=1e-4", "epochs = 90", "nesterov=yes", "schedule=cosine-restarts"])
    assert (settings.learning_rate, settings.epochs, settings.nesterov) == (1e-4, 90, True)
    assert settings.schedule == "cosine-restarts"


def test_none_changes_nothing() -> None:
    assert Settings(epochs=7).changed(epochs=None, seed=3) == Settings(epochs=7, seed=3)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("epochs", "a setting is given as name=value, not epochs"),
        ("epochs=many", "epochs is a whole number, not many"),
        ("epochs=1.5", "epochs is a whole number, not 1.5"),
        ("epochs=0", "epochs is at least 1, not 0"),
        ("learning_rate=nan", "learning_rate is a number, not nan"),
        ("learning_rate=0", "learning_rate is above 0"),
        ("first_period=0", "first_period is above 0"),
        ("ema=1.5", "ema is from 0 to 1, not 1.5"),
        ("nesterov=maybe", "nesterov is true or false, not maybe"),
        ("optimizer=lion", "optimizer is adam, adamw or sgd, not lion"),
        ("weight_decay=0.1", "adam does not decay weights; weight_decay 0.1 needs adamw or sgd"),
    ],
)
def test_what_a_setting_cannot_be_is_said(assignment: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        Settings().overridden([assignment])


def test_an_unknown_setting_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(TrainingError, match=r"there is no setting rate; there are .*learning_rate"):
        Settings().overridden(["rate=1"])


@pytest.mark.parametrize("content", [[1], "text", None])
def test_settings_of_another_kind_are_refused(content: Any) -> None:
    with pytest.raises(TrainingError, match="settings are an object"):
        Settings.from_json(content)


def test_only_what_changes_no_weight_is_free_when_a_training_goes_on() -> None:
    free = Settings().to_json().keys() - Settings().binding().keys()
    assert free == {"checkpoint_steps", "checkpoint_minutes", "max_minutes", "illustrate_every"}


@pytest.mark.system
def test_settings_schedules_and_signals_need_no_heavy_library() -> None:
    names = ("settings", "schedules", "preemption", "state", "precision", "task", "data")
    script = (
        f"import importlib, sys\nfor name in {names}: importlib.import_module('simtool.training.' + name)\n"
        "print(sorted({'tensorflow', 'keras', 'pyarrow', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
