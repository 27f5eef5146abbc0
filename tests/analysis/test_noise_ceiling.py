"""The noise ceiling from comparisons that were judged more than once."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from simtool.analysis.noise_ceiling import ENOUGH, NoiseCeiling, noise_ceiling, noise_ceiling_of_triplets
from simtool.judgments.comparisons import Comparisons
from simtool.judgments.importing import import_judgments
from simtool.tables.trials import Trials


def _ceiling(judged: ArrayLike, weight: NDArray[np.float64] | None = None, enough: int = 1) -> NoiseCeiling:
    """The noise ceiling of comparisons, which are rows of anchor, near and far."""
    anchor, near, far = np.asarray(judged, np.int32).reshape(-1, 3).T
    comparisons = Comparisons(np.arange(len(anchor), dtype=np.int32), anchor, near, far)
    return noise_ceiling(comparisons, weight, enough)


def test_only_repeated_comparisons_count() -> None:
    # Query 0 with 1 and 2: chosen 1, 1, 2. Query 0 with 1 and 3, once. Query 1 with 0 and 2, once.
    found = _ceiling([[0, 1, 2], [0, 2, 1], [0, 1, 3], [0, 1, 2], [1, 0, 2]])
    assert (found.distinct, found.repeated, found.judgments) == (3, 1, 3)
    assert found.upper == pytest.approx(2 / 3)
    # Each 1 sees one 1 and one 2 (half), the 2 sees two 1s (wrong).
    assert found.lower == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert found.agreement == pytest.approx((0.5 + 0.5 + 0) / 3)


def test_comparisons_with_other_anchors_are_distinct() -> None:
    found = _ceiling([[8, 0, 3], [0, 2, 3], [0, 3, 2]])
    assert (found.distinct, found.repeated, found.judgments) == (2, 1, 2)


def test_without_repeated_comparisons_there_is_no_noise_ceiling() -> None:
    for judged in (np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0]]), np.zeros((0, 3), np.int64)):
        assert _ceiling(judged, enough=0) == NoiseCeiling(distinct=len(judged), repeated=0, judgments=0)


@pytest.mark.parametrize("judgments", [2, 999, 1000])
def test_few_repeated_judgments_are_counted_and_give_no_noise_ceiling(judgments: int) -> None:
    found = _ceiling([[0, 1, 2]] * judgments + [[3, 1, 2]], enough=ENOUGH)
    assert (found.distinct, found.repeated, found.judgments) == (2, 1, judgments)
    bounds = (found.agreement, found.lower, found.upper)
    assert bounds == ((1.0, 1.0, 1.0) if judgments >= 1000 else (None, None, None))


def test_weights_decide_a_majority_and_an_average() -> None:
    # Two judgments for 1 and one for 2, which outweighs them.
    found = _ceiling([[0, 1, 2], [0, 1, 2], [0, 2, 1]], np.array([1.0, 1.0, 4.0]))
    assert found.upper == pytest.approx(4 / 6)
    # Each 1 sees a 1 of weight 1 and a 2 of weight 4 (wrong), the 2 sees 1s alone (wrong).
    assert found.lower == 0
    assert found.agreement == pytest.approx((1 / 5 + 1 / 5) / 6)


def test_a_majority_is_divided_if_its_weights_differ_by_rounding_only() -> None:
    assert 0.1 + 0.2 != 0.3
    found = _ceiling([[0, 1, 2], [0, 1, 2], [0, 2, 1]], np.array([0.1, 0.2, 0.3]))
    assert found.upper == 0.5


def test_whole_weights_give_the_upper_end_of_rows_repeated() -> None:
    rng = np.random.default_rng(0)
    judged = np.array([rng.permutation(4)[:3] for _ in range(300)])
    weight = rng.integers(0, 4, 300)
    repeated = _ceiling(np.repeat(judged, weight, axis=0))
    found = _ceiling(judged, weight.astype(float))
    assert found.upper == pytest.approx(repeated.upper)
    assert found.judgments == np.count_nonzero(weight)


def test_the_scale_of_weights_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    judged = np.array([rng.permutation(4)[:3] for _ in range(60)])
    plain = _ceiling(judged)
    for scale in (1e-30, 1.0, 1e30):
        weighted = _ceiling(judged, np.full(60, scale))
        assert (weighted.lower, weighted.upper) == (plain.lower, plain.upper)
        assert weighted.agreement == pytest.approx(plain.agreement)


def test_unanimous_judgments_have_a_noise_ceiling_of_one() -> None:
    found = _ceiling([[0, 1, 2]] * 4)
    assert (found.agreement, found.lower, found.upper) == (1.0, 1.0, 1.0)


@given(st.lists(st.permutations(range(4)).map(lambda order: order[:3]), min_size=2, max_size=60))
def test_the_noise_ceiling_is_that_of_counting_votes(judged: list[list[int]]) -> None:
    votes: dict[tuple[int, frozenset[int]], list[int]] = defaultdict(list)
    for query, selected, other in judged:
        votes[query, frozenset((selected, other))].append(selected)
    lower: list[float] = []
    upper: list[float] = []
    for cast in votes.values():
        for at, vote in enumerate(cast) if len(cast) > 1 else ():
            for bound, jury in ((lower, cast[:at] + cast[at + 1 :]), (upper, cast)):
                share = jury.count(vote) / len(jury)
                bound.append(0.5 if share == 0.5 else float(share > 0.5))
    found = _ceiling(judged)
    if not upper:
        assert found.upper is None
    else:
        assert found.lower is not None
        assert found.upper is not None
        assert (found.lower, found.upper) == pytest.approx((np.mean(lower), np.mean(upper)))
        assert found.lower <= found.upper


def _odd_ceiling(judged: ArrayLike, weight: NDArray[np.float64] | None = None) -> NoiseCeiling:
    """The noise ceiling of odd-one-out judgments of three images, which are rows with the odd one last."""
    images = np.asarray(judged, np.int32).reshape(-1, 3)
    count = len(images)
    trials = Trials.build(
        [str(image) for image in range(9)], ["3-odd-1"] * count, np.full(count, -1), images, np.full((count, 1), 2)
    )
    comparisons = Comparisons.of(trials)
    return noise_ceiling_of_triplets(comparisons, None if weight is None else weight[comparisons.trial], 1)


def test_an_odd_one_out_judgment_has_three_answers() -> None:
    # Of 1, 2, 3: odd 3, 3, 1, 2. Of 4, 5, 6, once.
    found = _odd_ceiling([[1, 2, 3], [2, 1, 3], [2, 3, 1], [3, 1, 2], [4, 5, 6]])
    assert (found.distinct, found.repeated, found.judgments, found.judged) == (2, 1, 4, "sets of three images")
    assert found.upper == pytest.approx(2 / 4)
    # Each 3 sees 3, 1, 2 (a third), the 1 and the 2 see 3 twice (wrong).
    assert found.lower == pytest.approx((1 / 3 + 1 / 3) / 4)
    assert found.agreement == pytest.approx((1 / 3 + 1 / 3) / 4)


def test_weights_decide_the_most_frequent_odd_one() -> None:
    found = _odd_ceiling([[1, 2, 3], [1, 2, 3], [1, 3, 2], [2, 3, 1]], np.array([1.0, 1.0, 4.0, 0.0]))
    assert (found.judgments, found.lower) == (3, 0)
    assert found.upper == pytest.approx(4 / 6)


@given(st.lists(st.permutations(range(4)).map(lambda order: order[:3]), min_size=2, max_size=60))
def test_the_noise_ceiling_of_odd_one_out_is_that_of_counting_votes(judged: list[list[int]]) -> None:
    votes: dict[frozenset[int], list[int]] = defaultdict(list)
    for *remaining, odd in judged:
        votes[frozenset((*remaining, odd))].append(odd)
    lower: list[float] = []
    upper: list[float] = []
    for cast in votes.values():
        for at, vote in enumerate(cast) if len(cast) > 1 else ():
            for bound, jury in ((lower, cast[:at] + cast[at + 1 :]), (upper, cast)):
                best = [each for each in set(jury) if jury.count(each) == max(map(jury.count, jury))]
                bound.append((vote in best) / len(best))
    found = _odd_ceiling(judged)
    assert (found.lower, found.upper) == (
        (pytest.approx(np.mean(lower)), pytest.approx(np.mean(upper))) if upper else (None, None)
    )


def test_birds_16_agrees_with_published_counts(birds16: Path) -> None:
    trials = import_judgments(birds16 / "obs_2018.hdf5", catalog=birds16 / "catalog.csv").judgments.trials
    comparisons = Comparisons.of(trials)
    pairs = np.array([str(kind) == "2-choose-1" for kind in trials.types])[trials.type_index[comparisons.trial]]
    found = noise_ceiling(comparisons.take(pairs))
    assert found.distinct == 2914
    assert (found.repeated, found.judgments) == (1749, 6355)
    assert found.agreement == pytest.approx(0.711, abs=5e-4)
    assert found.upper == pytest.approx(0.836, abs=5e-4)
    assert found.lower == pytest.approx(0.7245, abs=5e-4)
