"""Room on the disk."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from simtool.archive import ArchiveError, require_space
from simtool.archive.space import running_out_of_space


def test_what_does_not_fit_is_refused_with_both_sizes(tmp_path: Path) -> None:
    require_space(tmp_path, shutil.disk_usage(tmp_path).free // 2, "half")
    with pytest.raises(ArchiveError, match=r"not enough room: everything needs 1,000,000 GB, .* free"):
        require_space(tmp_path, 10**15, "everything")


def test_a_disk_that_fills_up_is_told_with_what_was_needed(tmp_path: Path) -> None:
    full = Path("/dev/full")
    with (
        pytest.raises(ArchiveError, match=r"the disk is full \(the test needs 1\.5 kB\); make room"),
        running_out_of_space(tmp_path, 1500, "the test"),
        full.open("wb", buffering=0) as file,
    ):
        file.write(bytes(1500))


def test_a_quota_counts_like_a_full_disk_and_other_failures_pass(tmp_path: Path) -> None:
    with (
        pytest.raises(ArchiveError, match="no more fits: Disk quota exceeded; make room"),
        running_out_of_space(tmp_path, 0, "the test"),
    ):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    with pytest.raises(PermissionError), running_out_of_space(tmp_path, 0, "the test"):
        raise PermissionError(errno.EACCES, "Permission denied")
