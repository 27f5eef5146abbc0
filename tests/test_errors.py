from __future__ import annotations

import errno
import os

import pytest

from simtool.errors import LONGEST, SimtoolError, clipped, first_line, listed, system_reason, wrong_usage


def test_the_first_few_of_many_are_named() -> None:
    assert listed([]) == ""
    assert listed(["a", "b", "c"]) == "a, b, c"
    assert listed(["a, untrained", "b"]) == "a, untrained; b"
    assert listed(range(1005)) == "0, 1, 2 and 1,002 more"


def test_long_names_are_cut() -> None:
    assert clipped("x" * 200) == "x" * 200
    assert listed(["x" * 201, "y"]) == "x" * 200 + "..., y"


def test_a_message_keeps_its_beginning_and_its_end_however_long_a_value_in_it_is() -> None:
    message = str(SimtoolError(f"t.csv: line 3: {'x' * 5000} is no number; correct it"))
    assert len(message) == LONGEST
    assert message.startswith("t.csv: line 3: xxx")
    assert message.endswith("xxx is no number; correct it")
    assert str(SimtoolError("t.csv: line 3")) == "t.csv: line 3"


def test_the_first_line_of_a_failure_is_short_and_never_empty() -> None:
    assert first_line(OSError("\n truncated file \nat line 7")) == "truncated file"
    assert first_line(OSError("x" * 300)) == "x" * 200
    assert first_line(EOFError()) == "EOFError"


def test_a_missing_file_is_reported_in_the_same_words_everywhere() -> None:
    def reason(number: int, *name: str) -> str:
        return system_reason(OSError(number, os.strerror(number), *name))

    assert reason(errno.ENOENT, "a.tgz") == "a.tgz: no such file or folder"
    assert reason(errno.ENOSPC, "a.tgz") == "a.tgz: No space left on device"
    assert reason(errno.ENOENT) == "no such file or folder"


def test_a_failure_to_look_a_value_up_is_wrong_usage_and_keeps_its_kind() -> None:
    class AbsentError(SimtoolError):
        pass

    @wrong_usage()
    def find(name: str) -> None:
        raise AbsentError(f"no column {name}")

    with pytest.raises(AbsentError, match=r"^no column a$") as found:
        find("a")
    assert found.value.exit_code == 2
    assert AbsentError("b").exit_code == 1
