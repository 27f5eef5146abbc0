"""Trainings with a real time limit of one minute, requeued until they are complete.

SLURM looks at limits twice a minute, so that a signal 5 seconds ahead comes 5 to 35 seconds ahead, and this takes
minutes. It is not collected with the other tests; run it by

    python -m pytest -s tests/system/slurm/time_limit.py

Where other programs take a part of the processors, a round of a minute has fewer steps: SIMTOOL_LIMIT_EPOCHS=400.
"""

from __future__ import annotations

import os
import time

import pytest

from tests.system.slurm.conftest import ONE_THREAD, Project, assert_same_weights, simtool

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]

TINY = ("--preset", "tiny", "--validation", "0.5", "--batch-size", "8", "--set", "evaluate-every=50")
#: Options of each command for one to two minutes of training: epochs of two steps.
EPOCHS = ("--epochs", os.environ.get("SIMTOOL_LIMIT_EPOCHS", "1500"))
LONG = {
    "train-glow": (*TINY, "--steps", "1", *EPOCHS),
    "train-resnet": (*TINY, "--size", "16", *EPOCHS),
}


@pytest.mark.parametrize("command", LONG)
def test_a_training_that_reaches_its_limit_resumes_and_gives_the_same_weights(birds: Project, command: str) -> None:
    arguments = ("my study/birds/images.parquet", "--out", "limited", *LONG[command])
    started = time.monotonic()
    job = birds.submit(command, "--time=1", "--signal=USR1@5", "--cpus-per-task=1", arguments=arguments)
    simtool(command, arguments[0], "--out", "whole", *LONG[command], cwd=birds.home, more=ONE_THREAD)
    birds.slurm.wait(job, seconds=1200)
    birds.finished(job)
    restarts = int(birds.slurm.show(job)["Restarts"])
    print(f"{command}: {restarts} restarts, {time.monotonic() - started:.0f} s")  # noqa: T201 - seen with pytest -s
    assert restarts >= 1
    assert birds.log(job).count("everything is saved") >= 1
    assert_same_weights(birds.home / "limited", birds.home / "whole")
