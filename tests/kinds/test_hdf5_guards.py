from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from simtool.kinds import kind_of
from simtool.kinds.hdf5_guards import survives
from tests.studies import IMAGES, Judgment, write_hdf5, write_hdf5_catalog


def test_a_step_that_ends_its_process_is_told() -> None:
    assert not survives(os.abort)
    assert not survives(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_a_step_that_hangs_is_told() -> None:
    assert not survives(lambda: time.sleep(30), seconds=1)


def test_results_and_exceptions_are_survived() -> None:
    assert survives(lambda: 1)
    assert survives(lambda: sys.exit(3))
    assert survives(lambda: 1 // 0)


def test_a_step_says_nothing_and_changes_nothing_here(capfd: pytest.CaptureFixture[str]) -> None:
    found: list[int] = []

    def step() -> None:
        found.append(1)
        os.write(1, b"heard")
        os.write(2, b"heard")

    assert survives(step)
    assert not found
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("seed", range(8))
def test_an_hdf5_file_with_changed_bytes_is_told_without_a_crash(tmp_path: Path, seed: int) -> None:
    chance, path = random.Random(seed), tmp_path / "file.hdf5"
    study = [Judgment(number, (number + 1, number + 2), (0,)) for number in range(len(IMAGES) - 2)]
    write_hdf5(path, study, modern=True) if seed % 2 else write_hdf5_catalog(path)
    content = bytearray(path.read_bytes())
    for _ in range(1 + seed % 5):
        place = chance.randrange(min(len(content), 4096))
        content[place : place + 4] = chance.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", chance.randbytes(4)])
    path.write_bytes(content)
    assert kind_of(path).what
