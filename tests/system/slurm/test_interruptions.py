"""A training that is interrupted in an evaluation and in its final save ends as an uninterrupted training does."""

from __future__ import annotations

import pytest

from tests.system.slurm.conftest import Project
from tests.system.slurm.interruptions import (
    assert_nothing_is_lost,
    preempted,
    signaled_twice,
    train_interrupted,
    whole,
)

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.xdist_group("slurm")]


def test_an_evaluation_and_a_final_save_may_be_interrupted(birds: Project) -> None:
    interruptions = [("an evaluation", signaled_twice), ("the final save", preempted)]
    train_interrupted(birds, interruptions, "--nodelist=n1")
    assert_nothing_is_lost(birds, whole(birds))
