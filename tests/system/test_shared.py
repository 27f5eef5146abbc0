"""Files that another machine has just written."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from simtool.system.shared import look_again, once_visible


def test_a_file_that_appears_later_is_waited_for(tmp_path: Path) -> None:
    writer = threading.Timer(0.1, lambda: (tmp_path / "late").write_text("there"))
    writer.start()
    assert once_visible((tmp_path / "late").read_text) == "there"


def test_a_file_that_was_replaced_is_read_again() -> None:
    failures = [OSError(errno.ESTALE, "Stale file handle"), FileNotFoundError(errno.ENOENT, "No such file")]

    def read() -> str:
        if failures:
            raise failures.pop()
        return "there"

    assert once_visible(read) == "there"


def test_the_wait_ends_and_other_failures_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IsADirectoryError):
        once_visible(tmp_path.read_text)
    monkeypatch.setattr("simtool.system.shared._PATIENCE", 0.0)
    with pytest.raises(FileNotFoundError):
        once_visible((tmp_path / "never").read_text)


def test_to_look_again_changes_a_folder_and_leaves_nothing_there(tmp_path: Path) -> None:
    before = tmp_path.stat().st_mtime_ns
    look_again(tmp_path)
    assert tmp_path.stat().st_mtime_ns > before
    assert list(tmp_path.iterdir()) == []
    look_again(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []
