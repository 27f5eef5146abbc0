"""Tests of :mod:`simtool.system.optional`."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from simtool.system.optional import without


def test_the_package_cannot_be_imported_inside_and_can_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with without("colorsys"), pytest.raises(ModuleNotFoundError, match="colorsys"):
        import_module("colorsys")
    assert import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0, 0, 0)


def test_other_packages_can_be_imported_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with without("colors"):
        assert import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0, 0, 0)


def test_a_failure_inside_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with pytest.raises(ZeroDivisionError), without("colorsys"):
        _ = 1 / 0
    assert import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0, 0, 0)
