"""Coverage of intervals if a part of the trials names no participant."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.analysis.building import build_report
from simtool.analysis.metrics import TRIPLET_ACCURACY
from simtool.analysis.report import Settings
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials

PEOPLE, EACH, IMAGES, TRUTH = 12, 40, 60, 0.65


def _study(rng: np.random.Generator, who: NDArray[np.object_]) -> Outcomes:
    """A model that predicts .65 of the judgments, of some people more and of other people fewer."""
    judge = np.repeat(np.arange(PEOPLE), EACH)
    right = rng.random(judge.size) < np.clip(rng.normal(TRUTH, 0.15, PEOPLE), 0.3, 1.0)[judge]
    shown = np.argsort(rng.random((judge.size, IMAGES)), axis=1)[:, :3]
    trials = Trials.build(
        [f"image-{number}" for number in range(IMAGES)],
        ["2-choose-1"] * judge.size,
        shown[:, 0],
        shown[:, 1:],
        np.zeros((judge.size, 1), int),
        participant=who,
    )
    credit = right.astype(np.float32)
    return Outcomes("m", "mse", trials, credit)


@pytest.mark.slow
@pytest.mark.parametrize("lacking", ["trials", "people"])
def test_with_a_third_of_the_names_missing_intervals_hold_the_truth_as_often_as_they_promise(lacking: str) -> None:
    rng = np.random.default_rng(0)
    names = np.repeat([f"p{number}" for number in range(PEOPLE)], EACH).astype(object)
    held: list[bool] = []
    alone: list[bool] = []
    for _ in range(150):
        seed = int(rng.integers(2**32))
        missing = rng.random(names.size) < 1 / 3 if lacking == "trials" else np.arange(names.size) < names.size // 3
        nobody, everybody = names.copy(), names.copy()
        nobody[missing] = None
        everybody[missing] = [f"solo{number}" for number in np.flatnonzero(missing)]
        for kept, who in ((held, nobody), (alone, everybody)):
            outcomes = _study(np.random.default_rng(seed), who)
            row = build_report([outcomes], Settings(replicates=100), [TRIPLET_ACCURACY]).rows[0]
            kept.append(row.low <= TRUTH <= row.high)
    assert np.mean(held) >= 0.93
    # If each unnamed trial were a new person, too many people would seem to agree.
    assert np.mean(alone) < np.mean(held) - 0.03
