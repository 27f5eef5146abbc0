from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from simtool.tables.atomic import atomic_folder, atomic_path, discard_folder, remove_leftovers, temporary_folder


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "table"
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert names_in(target.parent) == ["table"]


def test_a_failure_leaves_the_older_file_whole_and_no_other_file(tmp_path: Path) -> None:
    target = tmp_path / "table"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert names_in(tmp_path) == ["table"]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic_path(tmp_path / "atomic") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_path(tmp_path / "link") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "x"


def test_a_folder_replaces_the_older_one_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").touch()
    with atomic_folder(target) as temporary:
        (temporary / "new").touch()
        assert (target / "old").exists()
    assert names_in(target) == ["new"]
    assert names_in(tmp_path) == ["model"]


def test_a_failed_folder_leaves_the_older_one(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(RuntimeError), atomic_folder(target) as temporary:
        (temporary / "new").touch()
        raise RuntimeError
    assert names_in(target) == ["old"]
    assert names_in(tmp_path) == ["model"]


def test_a_temporary_folder_is_beside_its_path_and_removed_at_the_end(tmp_path: Path) -> None:
    with temporary_folder(tmp_path / "model") as folder:
        (folder / "weights").touch()
        remove_leftovers(tmp_path)  # it is in use
        assert [path.name for path in folder.iterdir()] == ["weights"]
        assert folder.parent == tmp_path
    assert names_in(tmp_path) == []


def test_a_temporary_folder_with_a_temporary_file_is_removed_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / ".model.0a1b2c3d.tmp"
    folder.mkdir()
    (folder / ".weights.npz.4e5f6a7b.tmp").touch()
    remove_leftovers(tmp_path)
    assert names_in(tmp_path) == []


def test_a_discarded_folder_is_removed_and_a_missing_one_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "training" / "checkpoints").mkdir(parents=True)
    discard_folder(tmp_path / "training")
    assert names_in(tmp_path) == []
    discard_folder(tmp_path / "training")


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), atomic_path(tmp_path):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError), atomic_folder(tmp_path / "file"):
        pass


WRITER = """
import sys
from pathlib import Path
import numpy as np
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingWriter
from simtool.tables.provenance import Provenance
with EmbeddingWriter(Path(sys.argv[1]), EmbeddingInfo("x", 4096), Provenance.of([], [])) as writer:
    for block in range(10_000):
        writer.write([f"{block}-{row}" for row in range(512)], np.random.default_rng(0).random((512, 4096), np.float32))
        print(block, flush=True)
"""


@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_writer_killed_in_the_middle_leaves_the_older_table_whole(tmp_path: Path, number: int) -> None:
    target = tmp_path / "table.parquet"
    target.write_text("old")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(2):
        writer.stdout.readline()
    writer.send_signal(number)
    assert writer.wait(20) == -number
    assert target.read_text() == "old"
    half_written = [name for name in names_in(tmp_path) if name != "table.parquet"]
    assert all(name.startswith(".") for name in half_written), "a reader of the folder must not see the half"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
    assert names_in(tmp_path) == ["table.parquet"], "the next writer removes what the killed one left"


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("Error writing bytes to file. Detail: [errno 28] No space left on device"),
    ],
    ids=["python", "arrow"],
)
@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_a_full_disk_is_told_with_the_name_that_was_asked_for(
    tmp_path: Path, failure: OSError, atomic: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    with pytest.raises(OSError, match="the disk is full") as told, atomic(tmp_path / "table"):
        raise failure
    assert told.value.filename == str(tmp_path / "table")
    assert names_in(tmp_path) == []


def test_a_place_that_cannot_be_written_is_told_with_the_name_that_was_asked_for() -> None:
    with pytest.raises(FileNotFoundError) as told, atomic_path(Path("/proc/table")):
        raise AssertionError
    assert told.value.filename == "/proc/table"


def test_a_failure_that_names_no_file_is_told_with_the_name_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large") as told, atomic_path(tmp_path / "table"):
        raise OSError("Error writing bytes to file. Detail: [errno 27] File too large")
    assert told.value.filename == str(tmp_path / "table")


def test_a_failure_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as told, atomic_path(tmp_path / "table"):
        (tmp_path / "absent").read_text()
    assert told.value.filename == str(tmp_path / "absent")


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    target = tmp_path / "table"
    with atomic_path(target) as first:
        with atomic_path(target) as second:
            second.write_text("second")
        first.write_text("first")
    assert target.read_text() == "first"


LEFT_BEHIND = """
import os, sys
from pathlib import Path
from simtool.tables.atomic import atomic_folder
with atomic_folder(Path(sys.argv[1])) as temporary:
    (temporary / "half").touch()
    print(temporary, flush=True)
    sys.stdin.readline()
    os._exit(9)
"""


@pytest.mark.system
def test_the_next_writer_of_a_folder_removes_what_a_killed_one_left_and_nothing_that_is_in_use(tmp_path: Path) -> None:
    target = tmp_path / "model"
    other = subprocess.Popen(
        [sys.executable, "-c", LEFT_BEHIND, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    held = Path(other.stdout.readline().strip())
    with atomic_folder(target) as temporary:
        (temporary / "first").touch()
    assert names_in(held) == ["half"], "its writer is alive"
    other.communicate("\n")
    with atomic_folder(target) as temporary:
        (temporary / "second").touch()
    assert names_in(tmp_path) == ["model"]
    assert names_in(target) == ["second"]


@pytest.mark.parametrize("name", [".table.0123abcd.tmp", ".table.0123abcd.old"])
def test_leftovers_of_the_same_name_are_removed_and_those_of_others_left(tmp_path: Path, name: str) -> None:
    others = [
        ".table2.0123abcd.tmp",
        ".table.0123abc.tmp",
        ".table.0123abcd.tmp.bak",
        "table.0123abcd.tmp",
        ".tabl.0123abcd.tmp",
    ]
    for file in (*others, name, "table"):
        (tmp_path / file).touch()
    with atomic_path(tmp_path / "table"):
        pass
    assert names_in(tmp_path) == sorted([*others, "table"])


def test_a_link_in_the_place_of_a_leftover_is_left(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / ".table.0123abcd.tmp").symlink_to(tmp_path / "precious")
    with atomic_path(tmp_path / "table"):
        pass
    assert names_in(tmp_path) == [".table.0123abcd.tmp", "precious", "table"]


def test_an_older_folder_is_put_back_after_a_kill_between_the_two_renames(tmp_path: Path) -> None:
    (tmp_path / ".model.0123abcd.old").mkdir()
    (tmp_path / ".model.0123abcd.old" / "weights").touch()
    (tmp_path / ".model.89abcdef.tmp").mkdir()
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "model"):
        raise RuntimeError
    assert names_in(tmp_path) == ["model"]
    assert names_in(tmp_path / "model") == ["weights"]


def test_where_files_cannot_be_locked_leftovers_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", unsupported)
    (tmp_path / ".table.0123abcd.tmp").touch()
    with atomic_path(tmp_path / "table") as temporary:
        temporary.write_text("x")
    assert names_in(tmp_path) == [".table.0123abcd.tmp", "table"]


def test_what_killed_writers_left_in_a_folder_is_removed_whatever_they_wrote(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    left = [tmp_path / ".a.0123abcd.tmp", tmp_path / "training" / ".curves.png.a46c0ecc.tmp"]
    kept = [tmp_path / ".hidden", tmp_path / "training" / ".curves.png.tmp", tmp_path / "a.0123abcd.tmp"]
    for file in (*left, *kept):
        file.touch()
    with atomic_path(tmp_path / "b") as held:
        remove_leftovers(tmp_path)
        assert held.exists()
    assert not any(file.exists() for file in left)
    assert all(file.exists() for file in kept)
