"""The Python API: one function for each stage, which the command line and notebooks call.

A function takes paths or objects and returns objects. With ``out`` it writes the same file or folder as the command.
Nothing heavy is imported before a function is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__: list[str] = []

#: Each function, and the module of this package that holds it.
_MODULES: dict[str, str] = {}


def __getattr__(name: str) -> Any:
    """Import a stage when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
