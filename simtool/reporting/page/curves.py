"""The curves of trainings: loss and validation over epochs, as paths of an SVG and as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.ticker import LogLocator, MaxNLocator

from simtool.reporting import formatting
from simtool.text import plural
from simtool.training.history import History

__all__ = ["Training", "training"]

#: The size of the plotted area, and the place of its upper left corner.
WIDTH, HEIGHT, LEFT, TOP = 300, 150, 52, 12
#: The most points of a curve, and rows of a table.
POINTS, ROWS = 500, 100
#: Values that vary by more than this factor have a logarithmic axis.
_WIDE = 50.0
#: Values from here on are not drawn, as those that are not finite.
_LARGEST = 1e100
#: The columns that may share the panel of the loss, in the order in which they are looked for.
_LOSSES = ("val_loss", "val_bits_per_dim", "val_cross_entropy")
_VALIDATED = "val_"


@dataclass(frozen=True)
class Curve:
    """A curve: what it shows, its kind (``training`` or ``validation``), and the path."""

    name: str
    kind: str
    path: str


@dataclass(frozen=True)
class Mark:
    """A place on an axis with its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Panel:
    """A plot of one quantity over epochs.

    Attributes:
        title: the quantity.
        words: what the plot shows, for those who do not see it.
        curves: the curves.
        across: the ticks of epochs.
        up: the ticks of values.
        kept: the epoch whose weights are kept.
    """

    title: str
    words: str
    curves: Sequence[Curve]
    across: Sequence[Mark]
    up: Sequence[Mark]
    kept: Mark | None


@dataclass(frozen=True)
class Training:
    """The training of a model.

    Attributes:
        title: names the model.
        sentence: how many epochs, and which is kept.
        panels: the plots.
        header: of the table.
        rows: of the table: the epoch, then the values of all curves.
        kept: the place of the kept epoch among the rows.
        left_out: number of epochs that are not rows.
    """

    title: str
    sentence: str
    panels: Sequence[Panel]
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    kept: int | None
    left_out: int


def training(history: History) -> Training:
    """The curves of a training, and their numbers."""
    panels = [panel for title, names in _panels(history).items() if (panel := _panel(history, title, names))]
    columns = [name for names in _panels(history).values() for name in names]
    places = _thinned(history, ROWS)
    rows = [[_epoch(history, at), *(_number(history.columns[name][at]) for name in columns)] for at in places]
    kept = None if history.kept is None else places.index(history.kept)
    title = f"Training of {formatting.name(history.name)}"
    header = ["epoch", *map(_words, columns)]
    return Training(title, _sentence(history), panels, header, rows, kept, len(history.epochs) - len(places))


def _panels(history: History) -> dict[str, list[str]]:
    """The columns of each plot: the loss, and the validation metric that chooses the kept epoch."""
    known = [name for name, values in history.columns.items() if any(map(_is_drawn, values))]
    loss = [name for name in ("loss", next((name for name in _LOSSES if name in known), "")) if name in known]
    found = {"loss": loss} if loss else {}
    criterion = history.criterion
    if criterion is not None and criterion not in loss:
        plain = criterion.removeprefix(_VALIDATED)
        found[_plain(plain)] = [name for name in (plain, criterion) if name in known]
    return found


def _panel(history: History, title: str, names: Sequence[str]) -> Panel | None:
    places = _thinned(history, POINTS)
    values = {name: [history.columns[name][at] for at in places] for name in names}
    finite = [value for own in values.values() for value in own if _is_drawn(value)]
    if not finite:
        return None
    scale = _Scale.of(finite)
    last = max(history.epochs[-1], 1.0)
    across = [each for each in MaxNLocator(5, integer=True).tick_values(0, last) if 0 <= each <= last]
    epochs = [history.epochs[at] for at in places]
    curves = [Curve(_words(name), _kind(name), _path(epochs, own, last, scale)) for name, own in values.items()]
    kept = None if history.kept is None else Mark(_right(history.epochs[history.kept], last), _kept(history))
    ends = (
        f"{_words(name)} {_number(own[0])} at epoch {_epoch(history, 0)}, {_number(own[-1])} at epoch {_epoch(history)}"
        for name, own in ((name, history.columns[name]) for name in names)
    )
    words = f"{title} over epochs: {'; '.join(ends)}{'' if kept is None else f'; {kept.label}'}. The table lists them."
    marks = [Mark(_right(each, last), f"{each:.10g}") for each in across]
    return Panel(title, words, curves, marks, scale.ticks, kept)


@dataclass(frozen=True)
class _Scale:
    """The vertical axis of a plot, on which values may be logarithms."""

    low: float
    high: float
    is_log: bool

    @classmethod
    def of(cls, values: Sequence[float]) -> _Scale:
        low, high = min(values), max(values)
        is_log = low > 0 and high > _WIDE * low
        if is_log:
            return cls(low, high, is_log)
        free = 0.05 * (high - low) or max(abs(low), 1.0) * 0.05
        return cls(low - free, high + free, is_log)

    def down(self, value: float) -> float:
        """The place of a value from the top."""
        low, high, own = (math.log(each) if self.is_log else each for each in (self.low, self.high, value))
        return round(TOP + HEIGHT * (high - own) / (high - low), 1)

    @property
    def ticks(self) -> list[Mark]:
        """Round values."""
        locator = LogLocator(numticks=5) if self.is_log else MaxNLocator(4)
        found = [float(each) for each in locator.tick_values(self.low, self.high)]
        return [Mark(self.down(each), f"{each:,.10g}") for each in found if self.low <= each <= self.high]


def _path(epochs: Sequence[float], values: Sequence[float], last: float, scale: _Scale) -> str:
    """A line through all values that are finite."""
    known = [(epoch, value) for epoch, value in zip(epochs, values, strict=True) if _is_drawn(value)]
    points = [f"{_right(epoch, last)} {scale.down(value)}" for epoch, value in known]
    return f"M{'L'.join(points)}" if len(points) > 1 else f"M{points[0]}h0" if points else ""


def _is_drawn(value: float) -> bool:
    return abs(value) < _LARGEST


def _right(epoch: float, last: float) -> float:
    """The place of an epoch from the left."""
    return round(LEFT + WIDTH * min(max(epoch / last, 0.0), 1.0), 1)


def _thinned(history: History, most: int) -> list[int]:
    """Positions of at most about so many epochs at equal steps, with the last epoch and the kept one."""
    count = len(history.epochs)
    kept = [] if history.kept is None else [history.kept]
    return sorted({*range(0, count, -(-count // most)), count - 1, *kept})


def _sentence(history: History) -> str:
    epochs = f"{_epoch(history)} {plural(math.ceil(history.epochs[-1]), 'epochs')}"
    if history.criterion is None or history.kept is None:
        return f"{epochs}. No epoch was evaluated, so the last weights are kept."
    state = "is kept" if history.is_complete else "is the best so far; the training is not complete"
    value = f"{_words(history.criterion)} {_number(history.columns[history.criterion][history.kept])}"
    return f"{epochs}. Epoch {_epoch(history, history.kept)} ({value}) {state}."


def _kept(history: History) -> str:
    """The label of the best epoch in a plot."""
    return f"epoch {_epoch(history, history.kept or 0)} {'kept' if history.is_complete else '(the best so far)'}"


def _epoch(history: History, at: int = -1) -> str:
    return f"{history.epochs[at]:.10g}"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4g}"


def _kind(name: str) -> str:
    return "validation" if name.startswith(_VALIDATED) else "training"


#: Names of columns in words.
_NAMES: Mapping[str, str] = {"bits_per_dim": "bits per dimension", "top_1": "top-1 accuracy", "top_5": "top-5 accuracy"}


def _plain(name: str) -> str:
    """The name of a quantity in words: ``bits per dimension``."""
    return _NAMES.get(name) or formatting.name(name).replace("_", " ")


def _words(name: str) -> str:
    """The name of a column in words: ``validation bits per dimension``."""
    text = _plain(name.removeprefix(_VALIDATED))
    return f"{_kind(name)} {text}"
