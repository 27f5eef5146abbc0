"""Tests of the harness: inputs are reproducible, and wrong answers are reported."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simtool.errors import SimtoolError
from tests.fuzz.case import Case, Door, Made
from tests.fuzz.commands import command_cases
from tests.fuzz.doors import DOORS
from tests.fuzz.verdict import verdict
from tests.fuzz.worker import make

_SEED = 0


def test_a_whole_run_is_large_and_covers_every_reader() -> None:
    structured = sum(door.counts[0] for door in DOORS.values())
    damaged = sum(door.counts[1] for door in DOORS.values())
    assert structured >= 20_000
    assert damaged >= 5_000
    assert len(command_cases()) >= 200


@pytest.mark.parametrize("name", [name for name in DOORS if name != "keras"])
def test_the_name_of_a_case_makes_the_same_input_again(name: str, tmp_path: Path) -> None:
    contents = []
    for at in range(2):
        folder = tmp_path / str(at)
        folder.mkdir()
        made = make(Case(name, "structured", 3), _SEED, folder)
        files = {file.relative_to(folder): file.stat().st_size for file in folder.rglob("*") if file.is_file()}
        contents.append((made.what, files))
    assert contents[0] == contents[1]


def _raise(failure: Exception) -> Callable[[Made], Any]:
    def read(made: Made) -> Any:
        raise failure

    return read


class _LongError(SimtoolError):
    def __str__(self) -> str:
        return f"input.csv: {'x' * 2000}"


def _warn(made: Made) -> None:
    warnings.warn("overflow", RuntimeWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("read", "complaint"),
    [
        (_raise(KeyError("x")), "KeyError"),
        (_raise(SimtoolError("cannot be read")), "names no file"),
        (_raise(SimtoolError("input.csv: one\ntwo")), "several lines"),
        (_raise(_LongError("input.csv")), "characters"),
        (_raise(SimtoolError("input.csv: <class 'int'>")), "leaks"),
        (_raise(OSError("no name")), "without a file name"),
        (_warn, "RuntimeWarning"),
        (lambda _: 3, "wrong answer: 3"),
    ],
)
def test_an_improper_answer_is_told(read: Callable[[Made], Any], complaint: str, tmp_path: Path) -> None:
    made = Made(tmp_path / "input.csv", judge=lambda found: None if found == 2 else str(found))
    assert complaint in (verdict(Door("x", read, None, None, (0, 0)), made) or "")


@pytest.mark.parametrize(
    "read",
    [
        _raise(SimtoolError("input.csv: line 3 has no query")),
        _raise(PermissionError(13, "Permission denied", "input.csv")),
        lambda _: 2,
    ],
)
def test_a_proper_answer_is_none_to_complain_about(read: Callable[[Made], Any], tmp_path: Path) -> None:
    made = Made(tmp_path / "input.csv", judge=lambda found: None if found == 2 else str(found))
    assert verdict(Door("x", read, None, None, (0, 0)), made) is None


def test_refusing_a_faithful_input_is_a_fault(tmp_path: Path) -> None:
    made = Made(tmp_path / "input.csv", neutral=True)
    door = Door("x", _raise(SimtoolError("input.csv: no")), None, None, (0, 0))
    assert "although it is faithful" in (verdict(door, made) or "")
