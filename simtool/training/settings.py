"""How to train: everything about a training but the model and its data, as data."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self, TypeVar, get_args, get_type_hints

from simtool.errors import listed
from simtool.training.errors import TrainingError

__all__ = ["Optimizer", "Precision", "Schedule", "Settings", "current_names", "with_given"]

T = TypeVar("T")

Optimizer = Literal["adam", "adamw", "sgd"]
Precision = Literal["float32", "bfloat16", "float16"]
Schedule = Literal["constant", "cosine", "cosine-restarts"]

#: Settings that do not change a single weight; a training may go on with others.
_FREE = frozenset({"checkpoint_steps", "checkpoint_minutes", "max_minutes", "illustrate_every"})
#: Names in files and options of version 0.1, and the names that replace them.
_RENAMED = {
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


def with_given(data: T, **values: Any) -> T:
    """Copy a frozen dataclass with other values; a value of None keeps the value that is there."""
    return replace(data, **{name: value for name, value in values.items() if value is not None})  # type: ignore[type-var]


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        epochs: passes over the training set.
        batch_size: examples of one step, over all devices and workers.
        optimizer: ``adam``; ``adamw``, which also decays weights; ``sgd``, with momentum.
        learning_rate: the highest.
        beta_1: decay of Adam's mean of gradients.
        beta_2: decay of Adam's mean of their squares.
        epsilon: added to Adam's denominator.
        momentum: of ``sgd``.
        nesterov: look ahead by the momentum.
        schedule: of the learning rate, after the warm-up.
        warmup_steps: during which the learning rate grows linearly from 0.
        first_period: epochs of the first cosine of ``cosine-restarts``.
        period_growth: each of its periods lasts this many times as long as the one before.
        restart_factor: each of them starts at this share of the one before.
        final_fraction: of the learning rate, at the end of a cosine.
        weight_decay: share of a weight that is taken off per unit of learning rate (decoupled; not for ``adam``).
        clip_norm: the largest norm of all gradients together; 0 for any.
        clip_value: the largest value of a gradient's entry; 0 for any.
        ema: decay of the running mean of weights, which then is what is evaluated and kept; 0 for none.
        early_stop: evaluations without a better one before training stops; 0 for never.
        evaluate_every: epochs between two evaluations.
        illustrate_every: epochs between two sets of pictures; 0 for none.
        checkpoint_steps: steps between two checkpoints, beside those at each epoch's end; 0 for none.
        checkpoint_minutes: minutes between two checkpoints; 0 for none.
        max_minutes: of training, over all its runs, before it ends properly; 0 for any.
        max_skipped: steps in a row with values that are not finite before training stops.
        precision: what Keras layers compute in; variables are float32 always.
        seed: of everything random.
    """

    epochs: int = 1
    batch_size: int = 32
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
    checkpoint_steps: int = 0
    checkpoint_minutes: float = 10.0
    max_minutes: float = 0.0
    max_skipped: int = 5
    precision: Precision = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            object.__setattr__(self, name, _converted(name, getattr(self, name), kind))
        for name, (low, high) in _RANGES.items():
            if not low <= (value := getattr(self, name)) <= high:
                allowed = f"at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
                raise TrainingError(f"{name} is {allowed}, not {value}")
        if self.learning_rate == 0:
            raise TrainingError("learning_rate is above 0")
        if self.first_period == 0:
            raise TrainingError("first_period is above 0")
        if self.optimizer == "adam" and self.weight_decay:
            raise TrainingError(f"adam does not decay weights; weight_decay {self.weight_decay:g} needs adamw or sgd")

    def changed(self, **values: Any) -> Self:
        """The same with other values; those that are None stay as they are.

        Raises:
            TrainingError: there is no such setting, or no such value.
        """
        given = {name for name, value in values.items() if value is not None}
        if unknown := given - _names():
            raise TrainingError(
                f"there is no setting {listed(sorted(unknown))}; there are {', '.join(sorted(_names()))}"
            )
        return with_given(self, **values)

    def overridden(self, assignments: Iterable[str]) -> Self:
        """The same with other values, written as on a command line.

        Args:
            assignments: ``name=value`` each; a name may be written with hyphens.

        Raises:
            TrainingError: one is written otherwise, or there is no such setting or value.
        """
        values: dict[str, str] = {}
        for assignment in assignments:
            name, equals, value = assignment.partition("=")
            if not equals:
                raise TrainingError(f"a setting is given as name=value, not {assignment}")
            values[name.strip().replace("-", "_")] = value.strip()
        return self.changed(**values)

    def to_json(self) -> dict[str, Any]:
        """As an object for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Read what :meth:`to_json` gives.

        Raises:
            TrainingError: it is something else.
        """
        if not isinstance(content, Mapping):
            raise TrainingError(f"settings are an object of names and values, not {json.dumps(content)[:60]}")
        return cls().changed(**content)

    def binding(self) -> dict[str, Any]:
        """Those that a training must keep when it goes on, since another value gives other weights."""
        return {name: value for name, value in self.to_json().items() if name not in _FREE}


_INFINITE = math.inf
_RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, _INFINITE),
    "batch_size": (1, _INFINITE),
    "learning_rate": (0, _INFINITE),
    "beta_1": (0, 1),
    "beta_2": (0, 1),
    "epsilon": (0, _INFINITE),
    "momentum": (0, 1),
    "warmup_steps": (0, _INFINITE),
    "first_period": (0, _INFINITE),
    "period_growth": (1, _INFINITE),
    "restart_factor": (0, 1),
    "final_fraction": (0, 1),
    "weight_decay": (0, _INFINITE),
    "clip_norm": (0, _INFINITE),
    "clip_value": (0, _INFINITE),
    "ema": (0, 1),
    "early_stop": (0, _INFINITE),
    "evaluate_every": (1, _INFINITE),
    "illustrate_every": (0, _INFINITE),
    "checkpoint_steps": (0, _INFINITE),
    "checkpoint_minutes": (0, _INFINITE),
    "max_minutes": (0, _INFINITE),
    "max_skipped": (0, _INFINITE),
    "seed": (0, 2**31 - 1),
}


def _names() -> frozenset[str]:
    return frozenset(field.name for field in fields(Settings))


def _converted(name: str, value: Any, kind: Any) -> Any:
    """A value, or its text, as the type that a setting has."""
    if choices := get_args(kind):
        if value not in choices:
            raise TrainingError(f"{name} is {', '.join(choices[:-1])} or {choices[-1]}, not {value}")
        return value
    if kind is bool:
        answer = _TRUTH.get(value.lower()) if isinstance(value, str) else value
        if not isinstance(answer, bool):
            raise TrainingError(f"{name} is true or false, not {value}")
        return answer
    number = _number(value)
    if number is None or (kind is int and number != int(number)):
        raise TrainingError(f"{name} is a {'whole ' if kind is int else ''}number, not {value}")
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
