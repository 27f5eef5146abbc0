"""The settings of a training, except the model and the data; and the learning rate at each step."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self, get_args, get_type_hints

from simtool.errors import listed, wrong_usage
from simtool.training.outcome import TrainingError

__all__ = ["Optimizer", "Precision", "Record", "Schedule", "Settings", "assignments", "current_names", "learning_rates"]

Optimizer = Literal["adam", "adamw", "sgd"]
Precision = Literal["float32", "tf32", "bfloat16", "float16"]
Schedule = Literal["constant", "cosine", "cosine-restarts"]

#: Settings that change no weight, or its last bits only; a training may resume with other values of them.
_FREE = frozenset(
    {
        "checkpoint_steps",
        "checkpoint_minutes",
        "max_minutes",
        "illustrate_every",
        "keep_every",
        "deterministic",
        "accumulate",
        "xla",
    }
)
#: Names in files and options of version 0.1, and the names that replace them.
_RENAMED = {
    "arrangement": "variant",
    "margin": "decode_scale",
    "rate_decay": "layerwise_lr_decay",
    "statistics": "batch_norm_momentum",
}
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def current_names(content: Any) -> Any:
    """Replace the names of version 0.1 in an object of JSON, at every depth."""
    if isinstance(content, Mapping):
        return {_RENAMED.get(name, name): current_names(value) for name, value in content.items()}
    return content


@wrong_usage()
def assignments(texts: Iterable[str]) -> dict[str, str]:
    """Values by name, from texts ``name=value`` as on a command line.

    Names may have hyphens; names of version 0.1 are replaced.

    Raises:
        TrainingError: a text has no ``=``.
    """
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise TrainingError(f"a setting has the form name=value, not {text}")
        values[name.strip().replace("-", "_")] = value.strip()
    renamed: dict[str, str] = current_names(values)
    return renamed


@dataclass(frozen=True)
class Record:
    """Values with names, which are copied with changes, and written as JSON."""

    def changed(self, **values: Any) -> Self:
        """Copy with other values; a value of None keeps the value that is there."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})

    def to_json(self) -> dict[str, Any]:
        """An object for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Settings(Record):
    """The settings of a training.

    Attributes:
        epochs: passes over the training set.
        batch_size: examples of one step, over all devices and workers.
        accumulate: parts of a batch that are computed one after the other; their gradients are added up for one step.
            It divides the batch size. More parts take less memory.
        optimizer: ``adam``; ``adamw``, which also decays weights; ``sgd``, with momentum.
        learning_rate: the highest learning rate.
        beta_1: decay of Adam's moving mean of gradients.
        beta_2: decay of Adam's moving mean of squared gradients.
        epsilon: added to Adam's denominator.
        momentum: of ``sgd``.
        nesterov: use Nesterov momentum.
        schedule: of the learning rate, after the warm-up.
        warmup_steps: steps during which the learning rate grows linearly from 0.
        first_period: epochs of the first period of ``cosine-restarts``.
        period_growth: the length of each period divided by the length of the period before it.
        restart_factor: the first learning rate of each period divided by that of the period before it.
        final_fraction: share of the learning rate that is left at the end of a cosine.
        weight_decay: share of a weight that is subtracted per unit of learning rate (decoupled; not for ``adam``).
        clip_norm: the largest norm of all gradients together; 0 for no limit.
        clip_value: the largest absolute value of a gradient; 0 for no limit.
        ema: decay of the exponential moving average of weights. The average is evaluated and kept; 0 for no average.
        early_stop: training stops after so many evaluations without improvement; 0 for never.
        evaluate_every: epochs between two evaluations.
        illustrate_every: epochs between two sets of sample images; 0 for none.
        keep_every: epochs between two models that are kept beside the best one, in ``training/epochs``; 0 for none.
        checkpoint_steps: steps between two checkpoints, in addition to one after each epoch; 0 for none.
        checkpoint_minutes: minutes between two checkpoints; 0 for none.
        max_minutes: training time over all runs, after which the training is complete; 0 for no limit.
        max_skipped: training stops after more steps in a row with values that are not finite.
        precision: of the computations of Keras layers; variables are always float32. ``tf32`` is float32 whose products
            GPUs round to 10 bits of mantissa.
        seed: of all random numbers.
        deterministic: use operations that give the same bits in every run. A processor always does; GPUs are slower.
        xla: compile the network and its gradient with XLA.
    """

    epochs: int = 1
    batch_size: int = 32
    accumulate: int = 1
    optimizer: Optimizer = "adam"
    learning_rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    momentum: float = 0.9
    nesterov: bool = False
    schedule: Schedule = "constant"
    warmup_steps: int = 0
    first_period: float = 10.0
    period_growth: float = 2.0
    restart_factor: float = 1.0
    final_fraction: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    clip_value: float = 0.0
    ema: float = 0.0
    early_stop: int = 0
    evaluate_every: int = 1
    illustrate_every: int = 0
    keep_every: int = 0
    checkpoint_steps: int = 0
    checkpoint_minutes: float = 10.0
    max_minutes: float = 0.0
    max_skipped: int = 5
    precision: Precision = "float32"
    seed: int = 0
    deterministic: bool = False
    xla: bool = False

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            value = _converted(name, getattr(self, name), kind)
            object.__setattr__(self, name, value)
            low, high = _RANGES.get(name, (0, math.inf))
            if kind in (int, float) and not low <= value <= high:
                allowed = f"at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
                raise TrainingError(f"{name} must be {allowed}, not {value}")
        if self.learning_rate == 0:
            raise TrainingError("learning_rate must be above 0")
        if self.first_period == 0:
            raise TrainingError("first_period must be above 0")
        if self.batch_size % self.accumulate:
            raise TrainingError(f"accumulate {self.accumulate} does not divide the batch_size {self.batch_size}")
        if self.optimizer == "adam" and self.weight_decay:
            raise TrainingError(f"adam does not decay weights; weight_decay {self.weight_decay:g} needs adamw or sgd")

    def changed(self, **values: Any) -> Self:
        """Copy the settings with other values; a value of None keeps the value that is there.

        Raises:
            TrainingError: there is no such setting, or the value is not allowed.
        """
        given = {name for name, value in values.items() if value is not None}
        if unknown := given - _names():
            raise TrainingError(
                f"no setting is called {listed(sorted(unknown))}; choose from {', '.join(sorted(_names()))}"
            )
        return super().changed(**values)

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Read the object of :meth:`to_json`, also with names of version 0.1.

        Raises:
            TrainingError: the object holds something else.
        """
        if not isinstance(content, Mapping):
            raise TrainingError(f"settings are an object of names and values, not {json.dumps(content)[:60]}")
        return cls().changed(**current_names(content))

    @property
    def computation(self) -> str:
        """How steps are computed, in words; another computation gives other last bits, at least."""
        parts = [f"batches in {self.accumulate} parts"] if self.accumulate > 1 else []
        return ", ".join([self.precision, *(["XLA"] if self.xla else []), *parts])

    def binding(self) -> dict[str, Any]:
        """The settings that must stay the same when a training resumes, since other values give other weights."""
        return {name: value for name, value in self.to_json().items() if name not in _FREE}


#: The ranges of numbers; those of all other numbers start at 0 and have no upper limit.
_FROM_1 = (1.0, math.inf)
_SHARE = (0.0, 1.0)
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("epochs", "batch_size", "accumulate", "period_growth", "evaluate_every"), _FROM_1),
    **dict.fromkeys(("beta_1", "beta_2", "momentum", "restart_factor", "final_fraction", "ema"), _SHARE),
    "seed": (0, 2**31 - 1),
}


def _names() -> frozenset[str]:
    return frozenset(field.name for field in fields(Settings))


def _converted(name: str, value: Any, kind: Any) -> Any:
    """A value, or its text, in the type of the setting."""
    if choices := get_args(kind):
        if value not in choices:
            raise TrainingError(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, not {value}")
        return value
    if kind is bool:
        answer = _TRUTH.get(value.lower()) if isinstance(value, str) else value
        if not isinstance(answer, bool):
            raise TrainingError(f"{name} must be true or false, not {value}")
        return answer
    number = _number(value)
    if number is None or (kind is int and number != int(number)):
        raise TrainingError(f"{name} must be a {'whole ' if kind is int else ''}number, not {value}")
    return kind(number)


def _number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def cosine(fraction: float, floor: float = 0.0) -> float:
    """Half a cosine: 1 at fraction 0, ``floor`` from fraction 1 on (Loshchilov & Hutter 2017, equation 5)."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(max(fraction, 0.0), 1.0)))


def restarts(position: float, period: float, growth: float) -> tuple[int, float]:
    """Find a position among periods that grow geometrically.

    Args:
        position: from 0, in the unit of ``period``.
        period: the length of the first period.
        growth: the length of each period divided by the length of the period before it; at least 1.

    Returns:
        the index of the period from 0, and the fraction of it that has passed, in [0, 1).
    """
    passed = position / period
    if growth == 1.0:
        index = math.floor(passed)
        return index, passed - index
    # Before period i lie 1 + growth + … + growth^(i - 1) = (growth^i - 1) / (growth - 1) first periods.
    index = math.floor(math.log1p(passed * (growth - 1)) / math.log(growth) + 1e-9)
    start = (growth**index - 1) / (growth - 1)
    return index, max(passed - start, 0.0) / growth**index


def learning_rates(settings: Settings, steps_per_epoch: int) -> Callable[[int], float]:
    """The learning rate as a function of the step, counted from 0.

    The rate grows linearly over ``warmup_steps``, then follows the schedule. ``cosine`` ends with the last epoch;
    ``cosine-restarts`` starts again after each period.
    """
    highest, warmup = settings.learning_rate, settings.warmup_steps
    duration = max(settings.epochs * steps_per_epoch - warmup, 1)
    period = settings.first_period * steps_per_epoch

    def after_warmup(step: int) -> float:
        if settings.schedule == "cosine":
            return cosine(step / duration, settings.final_fraction)
        if settings.schedule == "cosine-restarts":
            index, fraction = restarts(step, period, settings.period_growth)
            height = settings.restart_factor**index
            return settings.final_fraction + (1 - settings.final_fraction) * height * cosine(fraction)
        return 1.0

    def rate(step: int) -> float:
        return highest * ((step + 1) / warmup if step < warmup else after_warmup(step - warmup))

    return rate
