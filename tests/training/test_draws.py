"""Random numbers belong to an example's place in the global batch."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.training.draws import Draws
from simtool.training.seeds import step_seed


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_the_numbers_are_the_same_however_the_batch_is_split(kind: str) -> None:
    seed = step_seed(1, "training", 7)
    whole = getattr(Draws(seed, 10, np.arange(10)), kind)((3, 2)).numpy()
    for worker in range(4):
        rows = np.arange(worker, 10, 4)
        assert np.array_equal(getattr(Draws(seed, 10, rows), kind)((3, 2)).numpy(), whole[rows])


def test_uniform_numbers_fill_the_unit_interval() -> None:
    numbers = Draws(step_seed(1, "training", 0), 100, np.arange(100)).uniform((50,)).numpy()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.02


def test_folding_gives_other_numbers() -> None:
    draws = Draws(step_seed(1, "training", 0), 4, np.arange(4))
    assert not np.array_equal(draws.uniform(), draws.fold(1).uniform())
    assert np.array_equal(draws.fold(1).uniform(), draws.fold(1).uniform())


def test_every_step_and_purpose_has_its_own_seed() -> None:
    seeds = {
        tuple(step_seed(seed, stream, step))
        for seed in (0, 1)
        for stream in ("training", "validation")
        for step in range(100)
    }
    assert len(seeds) == 400
    assert step_seed(0, "training", 3).dtype == np.int32
