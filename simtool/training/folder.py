"""The names of files in a model folder that a training fills."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["ASIDE", "MANIFEST", "TRAINING", "set_aside"]

#: The file that makes a folder a model folder.
MANIFEST = "model.json"
#: Where, in a model folder, everything about its training lies.
TRAINING = "training"
#: What ``model.json`` is called while another training replaces its model.
ASIDE = "model-before.json"


def set_aside(path: Path) -> None:
    """Take the manifest away from a model that a training is about to replace: it shall not pass for the new one.

    Args:
        path: the model folder.

    Raises:
        OSError: the folder cannot be written.
    """
    with suppress(FileNotFoundError):
        (path / MANIFEST).rename(path / ASIDE)
