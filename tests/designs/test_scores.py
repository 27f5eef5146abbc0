"""Scores of whole trials, against the definition: the share of all ways to break ties that predict the selection."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.designs import Choose, Rank, TrialType

SIZES = [(n, k) for n in range(2, 6) for k in range(1, n)]


def weak_orders(n: int) -> Iterator[tuple[int, ...]]:
    """The distances of n references, as ranks that may be tied: each order and each way to tie once."""
    for near in itertools.product(range(n), repeat=n):
        if set(near) == set(range(max(near) + 1)):
            yield near


def broken(near: Sequence[int]) -> list[tuple[int, ...]]:
    """The orders of the references, nearest first, that result from breaking ties."""
    return [
        order
        for order in itertools.permutations(range(len(near)))
        if all(near[one] <= near[other] for one, other in itertools.pairwise(order))
    ]


def credit_of(kind: TrialType, near: NDArray[np.int64], selected: NDArray[np.int8]) -> NDArray[np.float32]:
    """The credit of the comparisons of t trials, from the distances (t, N) of their references."""
    codes = np.broadcast_to(np.arange(kind.n_reference, dtype=np.int32), near.shape)
    _, closer, farther = kind.compare(np.full(len(near), -1, np.int32), codes, selected)
    gap = np.take_along_axis(near, farther, axis=1) - np.take_along_axis(near, closer, axis=1)
    credit: NDArray[np.float32] = ((np.sign(gap) + 1) / 2).astype(np.float32)
    return credit


@pytest.mark.parametrize(("n", "k"), SIZES)
def test_scores_are_the_share_of_broken_ties_that_predict_the_selection(n: int, k: int) -> None:
    distances, selections, expected = [], [], []
    for ranks in weak_orders(n):
        orders = broken(ranks)
        first = Counter(order[0] for order in orders)
        exact = Counter(order[:k] for order in orders)
        sets = Counter(frozenset(order[:k]) for order in orders)
        for choice in itertools.permutations(range(n), k):
            distances.append(ranks)
            selections.append(choice)
            hits = (first[choice[0]], sum(first[one] for one in choice), exact[choice], sets[frozenset(choice)])
            expected.append(np.array(hits) / len(orders))
    near, selected = np.array(distances), np.array(selections, np.int8)
    ranked_first, any_first, ordered, unordered = np.array(expected).T
    wanted = {"top_1": ranked_first, "ordered": ordered, "unordered": unordered}
    for name, score in Rank(n, k).scores.items():
        found = score.of(credit_of(Rank(n, k), near, selected), selected)
        np.testing.assert_allclose(found, wanted[name], atol=1e-7, err_msg=name)
    wanted["top_1"] = any_first
    for name, score in Choose(n, k).scores.items():
        found = score.of(credit_of(Choose(n, k), near, selected), selected)
        np.testing.assert_allclose(found, wanted[name], atol=1e-7, err_msg=name)


@pytest.mark.parametrize("kind", [Choose(2, 1), Rank(8, 2), Choose(8, 2), Rank(5, 4)])
def test_a_model_that_ties_everything_is_at_chance(kind: TrialType) -> None:
    selected = np.arange(kind.n_select, dtype=np.int8)[None]
    for score in kind.scores.values():
        assert score.of(np.full((1, kind.comparisons), 0.5, np.float32), selected)[0] == pytest.approx(score.chance)
