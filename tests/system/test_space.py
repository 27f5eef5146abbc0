"""Disk space."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from simtool.system.space import SpaceError, is_in_memory, require_space, running_out_of_space, scratch_file


def test_what_does_not_fit_is_refused_with_both_sizes(tmp_path: Path) -> None:
    require_space(tmp_path, shutil.disk_usage(tmp_path).free // 2, "half")
    with pytest.raises(
        SpaceError, match=r"not enough disk space for everything: 1,000,000 GB needed, .* free; free some"
    ):
        require_space(tmp_path, 10**15, "everything")


def test_a_disk_that_fills_up_is_told_with_what_was_needed(tmp_path: Path) -> None:
    full = Path("/dev/full")
    with (
        pytest.raises(SpaceError, match=r"the disk is full \(the test needs 1\.5 kB\); free some space"),
        running_out_of_space(tmp_path, 1500, "the test"),
        full.open("wb", buffering=0) as file,
    ):
        file.write(bytes(1500))


def test_scratch_files_have_no_name_and_need_the_space_at_once(tmp_path: Path) -> None:
    with scratch_file(tmp_path, 4, "the test") as file:
        file.write(b"four")
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(SpaceError, match=r"not enough disk space for the test: .*; name a larger disk with TMPDIR"):
        scratch_file(None, 10**18, "the test", "TMPDIR")


def test_a_quota_counts_like_a_full_disk_and_other_failures_pass(tmp_path: Path) -> None:
    with (
        pytest.raises(SpaceError, match="Disk quota exceeded; free some space"),
        running_out_of_space(tmp_path, 0, "the test"),
    ):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    with pytest.raises(PermissionError), running_out_of_space(tmp_path, 0, "the test"):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_files_on_tmpfs_are_in_memory(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    place = tmp_path / "a b" / "in"
    place.mkdir(parents=True)
    escaped = str(tmp_path / "a b").replace(" ", "\\040")
    mounts = ["overlay / overlay rw 0 0", f"tmpfs {escaped} tmpfs rw 0 0", f"/dev/sda {tmp_path} ext4 rw 0 0"]
    (tmp_path / "proc/self/mounts").write_text("\n".join(mounts))
    assert is_in_memory(place, tmp_path)
    assert not is_in_memory(tmp_path, tmp_path)
    with (tmp_path / "proc/self/mounts").open("a") as file:
        file.write(f"\n/dev/sdb {escaped} ext4 rw 0 0")
    assert not is_in_memory(place, tmp_path), "the last mount hides the others"
