"""Packages that a library imports if they are installed, and that this program can do without."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder

__all__ = ["without"]


class _Without(MetaPathFinder):
    """Finds no package or module of a name, although it is installed."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 - of the interface
        if fullname == self._package:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


@contextmanager
def without(package: str) -> Iterator[None]:
    """Let the import of a package or a module fail inside the block, if it is the first; it succeeds afterwards."""
    finder = _Without(package)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
