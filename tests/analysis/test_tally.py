from __future__ import annotations

import numpy as np

from simtool.analysis.tally import Tally, below_chance, tally
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from tests.scored import outcomes_of

TRIALS = Trials.build(
    list("abcd"),
    ["2-choose-1", "3-rank-2", "2-choose-1"],
    np.array([0, 0, 1]),
    np.array([[1, 2, -1], [1, 2, 3], [2, 3, -1]]),
    np.array([[0, -1], [0, 1], [1, -1]]),
)
OUTCOMES = Outcomes("m", "mse", TRIALS, np.array([1, 1, 0.5, 0, 0.5], np.float32))


def outcomes(rows: list[int]) -> Outcomes:
    return OUTCOMES.take(np.array(rows))


def test_credits_are_pooled_over_the_comparisons_of_each_type_and_of_all() -> None:
    found = [(one.trials, one.accuracy, one.comparisons, one.ties) for one in tally(outcomes([0, 1, 2]))]
    assert found == [("3-rank-2", 0.5, 3, 1), ("2-choose-1", 0.75, 2, 1), ("all", 0.6, 5, 2)]


def test_one_type_needs_no_pooling() -> None:
    assert [one.trials for one in tally(outcomes([0, 2]))] == ["2-choose-1"]


def test_a_model_that_is_mostly_wrong_on_enough_comparisons_is_below_chance() -> None:
    def counted(model: str, trials: str, accuracy: float, comparisons: int) -> Tally:
        return Tally(model, "mse", trials, accuracy, comparisons, 0)

    found = below_chance(
        [
            counted("odd", "2-choose-1", 0.9, 10),
            counted("odd", "all", 0.1, 40),
            counted("few", "2-choose-1", 0.0, 30),
            counted("poor", "2-choose-1", 0.4, 4000),
            counted("good", "2-choose-1", 0.7, 4000),
        ]
    )
    assert [(one.model, one.trials) for one in found] == [("odd", "all")]


def test_the_wrong_odd_one_is_found_although_one_of_two_comparisons_stays_near_chance() -> None:
    """The model made the judgments, with noise."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 6))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    shown = np.array([rng.permutation(60)[:3] for _ in range(1000)])
    a, b, c = shown.T
    noise = rng.normal(1, 0.2, (3, 1000))
    odd = np.argmin(noise * [distances[b, c], distances[a, c], distances[a, b]], axis=0)
    for shift, doubtful in ((0, False), (1, True), (2, True)):
        selected = (odd + shift)[:, np.newaxis] % 3
        trials = Trials.build(
            [str(image) for image in range(60)], ["3-odd-1"] * 1000, np.full(1000, -1), shown, selected
        )
        (whole,) = tally(outcomes_of("model", "mse", trials, distances))
        assert whole.are_odd
        assert bool(below_chance([whole])) == doubtful
