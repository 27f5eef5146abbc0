"""The names of the files that a training writes into a model folder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["ASIDE", "LOG", "MANIFEST", "TRAINING", "epoch_folder", "set_aside"]

#: The file that makes a folder a model folder.
MANIFEST = "model.json"
#: The folder of the training in a model folder.
TRAINING = "training"
#: The log in it: a row for each epoch.
LOG = "log.csv"
#: The name of ``model.json`` while a new training replaces the model.
ASIDE = "model-before.json"


def epoch_folder(path: Path, epoch: int) -> Path:
    """The model of an epoch that a training keeps (``keep_every``)."""
    return path / TRAINING / "epochs" / f"{epoch:03}"


def set_aside(path: Path) -> None:
    """Rename the manifest of a model before a training replaces the model: it does not describe the new model."""
    with suppress(FileNotFoundError):
        (path / MANIFEST).rename(path / ASIDE)
