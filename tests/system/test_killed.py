"""A training survives every kill: the same command resumes it and gives the weights of an uninterrupted training."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGUSR1

import pytest

from simtool.training.outcome import EXIT_CODE
from tests.photographs import write_table
from tests.system.kills import log, train

pytestmark = [pytest.mark.system, pytest.mark.slow]

#: Number of kills by each signal, in random order. SIMTOOL_KILLS=10 takes minutes.
KILLS = int(os.environ.get("SIMTOOL_KILLS", "1"))
SEED = int(os.environ.get("SIMTOOL_KILLS_SEED", random.SystemRandom().randrange(10**6)))
CODES = {SIGKILL: -SIGKILL, SIGTERM: EXIT_CODE, SIGUSR1: EXIT_CODE, None: 0}

#: 20 images, of which 5 are held out: epochs of 4 steps.
PHOTOGRAPHS, STEPS_PER_EPOCH, EPOCHS = 20, 4, 40
OPTIONS = ("--batch-size", "4", "--validation", "0.25", "--epochs", str(EPOCHS), "--set", "checkpoint-steps=2")
COMMANDS: dict[str, tuple[str, ...]] = {
    "train-glow": ("--size", "8", "--levels", "1", "--steps", "2", "--width", "8", "--initial-images", "8"),
    "train-resnet": ("--size", "16"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_however_often_and_however_a_command_is_killed_it_ends_with_the_same_weights(
    command: str, tmp_path: Path
) -> None:
    images = write_table(tmp_path, PHOTOGRAPHS, class_id=[0, 1] * 10, class_name=["wren", "robin"] * 10)
    words: tuple[str | Path, ...] = (command, images, "--preset", "tiny", *COMMANDS[command], *OPTIONS)
    signals = [SIGKILL, SIGTERM, SIGUSR1] * KILLS
    random.Random(SEED).shuffle(signals)
    sys.stdout.write(f"SIMTOOL_KILLS_SEED={SEED}\n")  # shown if the test fails

    steps = EPOCHS * STEPS_PER_EPOCH
    (whole,) = train(words, tmp_path / "whole", steps, [], SEED)
    assert (whole.code, len(log(tmp_path / "whole"))) == (0, EPOCHS), whole.said
    runs = train(words, tmp_path / "killed", steps, signals, SEED)
    for before, run in zip([None, *runs], runs, strict=False):
        assert run.code == CODES[run.signal], run
        if before is not None:
            # The next run starts at the checkpoint that was on disk when the signal arrived, or slightly later.
            assert run.began >= before.reached, (before, run)
            assert not run.began or f"resuming after step {run.began} of {steps}" in run.said, (before, run)
            if before.signal in (SIGTERM, SIGUSR1):
                stopped = f"stopped by {before.signal.name} after step {run.began}; everything is saved"
                assert stopped in " ".join(before.said.split()), (before, run)
    assert (tmp_path / "killed" / "weights.npz").read_bytes() == (tmp_path / "whole" / "weights.npz").read_bytes()
    assert log(tmp_path / "killed") == log(tmp_path / "whole")
    assert not list((tmp_path / "killed").rglob(".*"))
