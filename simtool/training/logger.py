"""How a training is followed: the bar, a line for each epoch, the logs and the curves."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simtool import console
from simtool.tables.atomic import atomic_path
from simtool.training.logs import Events, write_csv
from simtool.training.settings import Settings
from simtool.training.state import State

__all__ = ["Journal", "Silence"]

#: The least time between two drawings of the curves while a training runs.
_DRAWN_EVERY_SECONDS = 60.0


class Silence:
    """What workers other than the first show and write: nothing."""

    def step(self, state: State) -> None:
        """A step was taken."""

    def epoch(self, state: State) -> None:
        """An epoch was closed."""


class Journal(Silence):
    """What the first worker shows and writes; see :func:`Journal.opened`."""

    def __init__(self, folder: Path, settings: Settings, bar: console.Progress, events: Events) -> None:
        self._folder, self._settings, self._bar, self._events = folder, settings, bar, events
        self._drawn_at = time.monotonic()

    @classmethod
    @contextmanager
    def opened(
        cls, folder: Path, settings: Settings, configuration: Mapping[str, Any], state: State, steps_per_epoch: int
    ) -> Iterator[Journal]:
        """Write the logs anew from the history that the checkpoint holds, and show a bar while it is open.

        Args:
            folder: of the training.
            settings: of the training.
            configuration: for JSON; what else the training is made of.
            state: that the training starts from.
            steps_per_epoch: for the time that is left.

        Raises:
            OSError: the folder cannot be written.
        """
        with atomic_path(folder / "settings.json") as temporary:
            content = {**configuration, "settings": settings.to_json()}
            temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        write_csv(folder / "log.csv", state.history)
        events = Events(folder / "tensorboard", state.history)
        total = settings.epochs * steps_per_epoch
        if state.step:
            console.note(f"going on after step {state.step:,} of {total:,}")
        try:
            with console.progress("training", total, "steps", done=state.step) as bar:
                journal = cls(folder, settings, bar, events)
                yield journal
            journal.draw(state)
        finally:
            events.close()

    def step(self, state: State) -> None:
        """A step was taken: move the bar."""
        loss = state.sums.get("loss", float("nan")) / max(state.rows, 1)
        self._bar.describe(f"epoch {state.epoch + 1} of {self._settings.epochs}, loss {loss:.4g}")
        self._bar.advance()

    def epoch(self, state: State) -> None:
        """An epoch was closed: log its row, and say it in a line."""
        row = state.history[-1]
        write_csv(self._folder / "log.csv", state.history)
        self._events.add(row)
        if time.monotonic() - self._drawn_at > _DRAWN_EVERY_SECONDS:
            self.draw(state)
        numbers = [f"{name} {value:.4g}" for name, value in row.items() if name == "loss" or name.startswith("val_")]
        # An epoch that there was no time to finish counts as a part: its weights are those of the epoch it was to be.
        epoch = row["epoch"]
        best = ", the best so far" if state.best_epoch == math.ceil(epoch) else ""
        skipped = f", {row['skipped']} steps skipped so far" if row["skipped"] else ""
        at = f"{epoch:.0f}" if epoch == int(epoch) else f"{epoch:.2f}"
        self._bar.note(f"epoch {at} of {self._settings.epochs}: {', '.join(numbers)}{best}{skipped}")

    def draw(self, state: State) -> None:
        """Draw the curves so far."""
        from simtool.training.curves import write_curves

        if state.history:
            write_curves(self._folder / "curves.png", state.history)
            self._drawn_at = time.monotonic()
