"""Check of the arguments of a call in Python against the annotations of a stage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter, signature
from numbers import Integral, Real
from os import PathLike
from typing import Any

from simtool.errors import UsageError

__all__ = ["at_least", "check_arguments"]

#: Annotations that allow more than instances of the class of this name.
_WIDER: Mapping[str, type | tuple[type, ...]] = {
    "None": type(None),
    "Path": PathLike,
    "int": Integral,
    "float": Real,
    "bool": bool,
    "str": str,
}
_ALTERNATIVES = re.compile(r"[^|\[\]]+(?:\[.*\])?")


def check_arguments(function: Callable[..., Any], given: Mapping[str, object]) -> None:
    """Refuse an argument of a type that its parameter does not take.

    Args:
        function: a stage; its annotations are texts.
        given: arguments by name. Names without a parameter are not checked.

    Raises:
        UsageError: naming the parameter, the types that it takes, and the type of the argument.
    """
    parameters = signature(function).parameters
    for name, value in given.items():
        parameter = parameters.get(name)
        if parameter is None or parameter.kind is Parameter.VAR_KEYWORD:
            continue
        if not _fits(value, str(parameter.annotation)):
            raise UsageError(f"{function.__name__}: {name} takes {parameter.annotation}, not {_kind(value)}")


def _fits(value: object, annotation: str) -> bool:
    """Whether a value is of one of the types of an annotation such as ``str | Path | Sequence[str]``."""
    return any(_is_a(value, each.strip()) for each in _ALTERNATIVES.findall(annotation))


def _is_a(value: object, kind: str) -> bool:
    if kind.startswith("Sequence["):
        if isinstance(value, list | tuple):
            return all(_fits(each, kind[len("Sequence[") : -1]) for each in value)
        return isinstance(value, Iterable) and not isinstance(value, str | bytes | PathLike)
    if kind.startswith("Callable["):
        return callable(value)
    if kind in _WIDER:
        return isinstance(value, _WIDER[kind])
    return any(each.__name__ == kind for each in type(value).__mro__)


def _kind(value: object) -> str:
    """The type of an argument as text; of a list, the types of its elements."""
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} of {', '.join(dict.fromkeys(map(_kind, value))) or 'nothing'}"
    return type(value).__name__


def at_least(least: float, **values: float | None) -> None:
    """Refuse numbers below a limit; None is not checked.

    Raises:
        UsageError: naming the option.
    """
    for name, value in values.items():
        if value is not None and not value >= least:
            raise UsageError(f"--{name.replace('_', '-')} is at least {least}, not {value}")
