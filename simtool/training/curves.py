"""The curves of a training, drawn: a panel for each quantity of its history."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simtool.tables.atomic import atomic_path

__all__ = ["write_curves"]

#: Okabe & Ito's blue and vermilion, which people with any color vision tell apart.
_TRAINING, _VALIDATION = "#0072B2", "#D55E00"
_VALIDATED = "val_"
#: Columns that say when, not what.
_PLACE = ("epoch", "step", "time", "seconds")
#: Columns that say how the training went, not what it came to: the last panels.
_COURSE = ("learning_rate", "gradient_norm", "skipped")
_COLUMNS = 3
#: What varies by more than this factor is drawn on a logarithmic axis.
_WIDE = 50.0
_STYLE: Any = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}


def write_curves(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Draw each quantity over epochs; what was measured in training and on held-out images shares a panel.

    Args:
        path: the PNG file.
        history: a row for each epoch, as in ``log.csv``; at least one.

    Raises:
        OSError: it cannot be written.
    """
    panels = _panels(history)
    rows = -(-len(panels) // _COLUMNS)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.2 * _COLUMNS, 2.2 * rows), layout="constrained")
        for place, (title, lines) in enumerate(panels.items(), start=1):
            axes = figure.add_subplot(rows, _COLUMNS, place)
            for name, color in lines.items():
                label = "held out" if name.startswith(_VALIDATED) else "training"
                axes.plot(*_points(history, name), color=color, label=label, marker=".", markersize=3, linewidth=1)
            axes.set_title(title.replace("_", " "), loc="left", fontsize=9)
            values = [value for name in lines for value in _points(history, name)[1]]
            if values and min(values) > 0 and max(values) > _WIDE * min(values):
                axes.set_yscale("log")
            if len(lines) > 1:
                axes.legend(frameon=False)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if place > len(panels) - _COLUMNS:
                axes.set_xlabel("epoch")
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


def _panels(history: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """For each panel the columns that it shows, and in which color."""
    panels: dict[str, dict[str, str]] = {}
    found = dict.fromkeys(name for row in history for name in row if name not in _PLACE)
    for name in sorted(found, key=lambda name: name in _COURSE):
        color = _VALIDATION if name.startswith(_VALIDATED) else _TRAINING
        panels.setdefault(name.removeprefix(_VALIDATED), {})[name] = color
    return panels


def _points(history: Sequence[Mapping[str, Any]], name: str) -> tuple[list[float], list[float]]:
    """Epochs and values of a column, without those that are missing or not finite."""
    found = [(float(row["epoch"]), float(row[name])) for row in history if name in row]
    kept = [(epoch, value) for epoch, value in found if math.isfinite(value)]
    return [epoch for epoch, _ in kept], [value for _, value in kept]
