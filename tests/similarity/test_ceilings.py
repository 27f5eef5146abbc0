"""Upper bounds from comparisons that were judged more than once."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.datasets.importing import import_judgments
from simtool.similarity.ceilings import ceiling
from simtool.similarity.inference import comparisons_of, units_of


def test_only_repeated_comparisons_count() -> None:
    # Query 0 with 1 and 2: chosen 1, 1, 2. Query 0 with 1 and 3, once. Query 1 with 0 and 2, once.
    found = ceiling(np.array([[0, 1, 2], [0, 2, 1], [0, 1, 3], [0, 1, 2], [1, 0, 2]]))
    assert found is not None
    assert (found.distinct, found.repeated, found.judgments) == (3, 1, 3)
    assert found.upper == pytest.approx(2 / 3)
    # Each 1 sees one 1 and one 2 (half), the 2 sees two 1s (wrong).
    assert found.lower == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert found.agreement == pytest.approx((0.5 + 0.5 + 0) / 3)


def test_without_repeated_comparisons_there_is_no_bound() -> None:
    assert ceiling(np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0]])) is None
    assert ceiling(np.zeros((0, 3), np.int64)) is None


def test_unanimous_judgments_bound_nothing() -> None:
    found = ceiling(np.array([[0, 1, 2]] * 4))
    assert found is not None
    assert (found.agreement, found.lower, found.upper) == (1.0, 1.0, 1.0)


@given(st.lists(st.permutations(range(4)).map(lambda order: order[:3]), min_size=2, max_size=60))
def test_bounds_are_those_of_counting_by_hand(judged: list[list[int]]) -> None:
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
    found = ceiling(np.array(judged))
    if not upper:
        assert found is None
    else:
        assert found is not None
        assert (found.lower, found.upper) == pytest.approx((np.mean(lower), np.mean(upper)))
        assert found.lower <= found.upper


def test_birds_16_agree_as_published_counts_say(birds16: Path) -> None:
    trials = import_judgments(birds16 / "obs_2018.hdf5", catalog=birds16 / "catalog.csv").judgments.trials
    observed = comparisons_of(trials, units_of(trials))
    pairs = np.array([str(kind) == "2-choose-1" for kind in trials.types])[trials.type_index[observed.trial]]
    found = ceiling(observed.images[pairs])
    assert found is not None
    assert found.distinct == 2914
    assert (found.repeated, found.judgments) == (1749, 6355)
    assert found.agreement == pytest.approx(0.711, abs=5e-4)
    assert found.upper == pytest.approx(0.836, abs=5e-4)
    assert found.lower == pytest.approx(0.7245, abs=5e-4)
