from __future__ import annotations

import os

from simtool.system.cores import available_cores


def test_only_the_cores_of_the_job_count() -> None:
    before = os.sched_getaffinity(0)
    assert available_cores() == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
