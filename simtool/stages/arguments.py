"""Check of the arguments of a call in Python against the annotations of a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from simtool.errors import UsageError

__all__ = ["at_least", "check_arguments"]

#: Annotations that allow more than instances of their class.
_WIDER: Mapping[Any, type] = {Any: object, Path: PathLike, int: Integral, float: Real}


def check_arguments(function: Callable[..., Any], given: Mapping[str, object]) -> None:
    """Refuse an argument of a type that its parameter does not take. Names without a parameter are not checked.

    Raises:
        UsageError: naming the parameter, the types that it takes, and the type of the argument.
    """
    kinds = get_type_hints(function)
    for name, value in given.items():
        if not _fits(value, kinds.get(name, Any)):
            raise UsageError(f"{function.__name__}: {name} takes {function.__annotations__[name]}, not {_kind(value)}")


def _fits(value: object, kind: Any) -> bool:
    """Whether a value is of a type such as ``str | Path | Sequence[str]``."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in get_args(kind))
    if origin is Sequence:
        if isinstance(value, list | tuple):
            return all(_fits(each, *get_args(kind)) for each in value)
        return isinstance(value, Iterable) and not isinstance(value, str | bytes | PathLike)
    return isinstance(value, _WIDER.get(kind, origin or kind))


def _kind(value: object) -> str:
    """The type of an argument as text; of a list, the types of its elements."""
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} of {', '.join(dict.fromkeys(map(_kind, value))) or 'nothing'}"
    return type(value).__name__


def at_least(least: float, **values: float | None) -> None:
    """Refuse numbers below a limit, and name the option; None is not checked."""
    for name, value in values.items():
        if value is not None and not value >= least:
            raise UsageError(f"--{name.replace('_', '-')} is at least {least}, not {value}")
