"""Available memory is the minimum over the machine and the control groups; amounts are read as for SLURM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool.system.memory import (
    AmountError,
    available_memory,
    bytes_of,
    memory_limit,
    total_memory,
    used_memory,
)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MACHINE = {"proc/meminfo": "MemTotal:  100 kB\nMemAvailable:   90 kB\n"}


def test_without_groups_the_machine_alone_counts(tmp_path: Path) -> None:
    assert available_memory(write(tmp_path, MACHINE)) == 90 * 1024


def test_a_group_above_limits_the_processes_below(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        MACHINE
        | {
            "proc/self/cgroup": "0::/job/step\n",
            "sys/fs/cgroup/job/step/memory.max": "max\n",
            "sys/fs/cgroup/job/step/memory.current": "50\n",
            "sys/fs/cgroup/job/memory.max": "1000\n",
            "sys/fs/cgroup/job/memory.current": "700\n",
            "sys/fs/cgroup/job/memory.stat": "anon 500\ninactive_file 150\n",
        },
    )
    assert available_memory(root) == 1000 - 700 + 150


def test_inside_a_container_the_mount_is_the_group(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        MACHINE
        | {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "2000",
            "sys/fs/cgroup/memory.current": "1500",
        },
    )
    assert available_memory(root) == 500


def test_groups_of_the_first_version_count_too(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        MACHINE
        | {
            "proc/self/cgroup": "4:memory:/slurm/job_7\n1:cpu,cpuacct:/slurm\n",
            "sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes": "4000",
            "sys/fs/cgroup/memory/slurm/job_7/memory.usage_in_bytes": "3000",
            "sys/fs/cgroup/memory/slurm/job_7/memory.stat": "total_inactive_file 20",
        },
    )
    assert available_memory(root) == 1020


def test_a_group_beyond_its_limit_has_nothing_left(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "10", "sys/fs/cgroup/memory.current": "11"}
    assert available_memory(write(tmp_path, MACHINE | files)) == 0


def test_a_system_that_does_not_tell_has_no_answer(tmp_path: Path) -> None:
    assert available_memory(tmp_path) is None


def test_this_machine_has_some() -> None:
    found = available_memory()
    assert found is None or found > 1 << 20


def test_memory_that_is_filled_counts() -> None:
    before = used_memory()
    filled = np.ones(8 << 20)
    assert used_memory() - before > 0.9 * filled.nbytes


def test_a_system_that_does_not_tell_counts_as_nothing(tmp_path: Path) -> None:
    assert used_memory(tmp_path / "statm") == 0
    (tmp_path / "statm").write_text("?")
    assert used_memory(tmp_path / "statm") == 0


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2G", 2 << 30),
        ("500m", 500 << 20),
        (" 1.5 GiB ", 3 << 29),
        ("3GB", 3 * 10**9),
        ("64K", 1 << 16),
        ("1t", 1 << 40),
        ("4096", 4096),
        ("4096B", 4096),
    ],
)
def test_amounts_are_written_as_for_slurm(text: str, amount: int) -> None:
    assert bytes_of(text) == amount


@pytest.mark.parametrize("text", ["", "G", "-2G", "2 apples", "0", "1e9", "2GG", "inf"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(AmountError, match="is not an amount of memory; write for example 500M or 2G"):
        bytes_of(text)


def test_the_limit_is_that_of_the_smallest_group_and_the_total_is_the_limit(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/job/step\n",
        "sys/fs/cgroup/job/step/memory.max": "max\n",
        "sys/fs/cgroup/job/memory.max": "3000\n",
        "sys/fs/cgroup/memory.max": "5000\n",
    }
    assert memory_limit(write(tmp_path, MACHINE | files)) == total_memory(tmp_path) == 3000


def test_without_a_limit_the_total_is_that_of_the_machine(tmp_path: Path) -> None:
    files = {  # what version 1 states for no limit
        "proc/self/cgroup": "4:memory:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
    }
    assert memory_limit(write(tmp_path, MACHINE | files)) is None
    assert total_memory(tmp_path) == 100 * 1024
