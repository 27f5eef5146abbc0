"""A small part of ``make fuzz``: malformed inputs are refused in one line, or read correctly."""

from __future__ import annotations

import pytest

from tests.fuzz.case import Case
from tests.fuzz.commands import COMMANDS, FAMILY, command_answers
from tests.fuzz.doors import DOORS
from tests.fuzz.running import answers

#: Readers that start TensorFlow are too slow here.
_SLOW = ("keras", "flows", "embed", "embed-model", "fit-pca", "sample", "train")
_EACH = 8
#: A separate seed, so that the inputs differ from those of ``make fuzz``.
_SEED = 11


def test_readers_answer_properly() -> None:
    cases = [
        Case(door.name, family, number)
        for door in DOORS.values()
        for family, count in zip(("structured", "bytes"), door.counts, strict=True)
        for number in range(min(_EACH, count))
        if door.name not in _SLOW
    ]
    found = list(answers(cases, _SEED, workers=1))
    assert len(found) == len(cases)
    assert [f"{answer.case} ({answer.what}): {answer.wrong}" for answer in found if answer.wrong] == []


@pytest.mark.system
def test_the_command_line_answers_properly() -> None:
    cases = [Case(name, FAMILY, 0) for name in COMMANDS if name not in _SLOW]
    cases.append(Case("import-trials", FAMILY, 1))
    found = list(command_answers(cases, _SEED, workers=2))
    assert len(found) == len(cases) == 13
    assert [f"{answer.case} ({answer.what}): {answer.wrong}" for answer in found if answer.wrong] == []
