"""Scores of whole trials, against the definition: the share of all ways to break ties that predict the selection."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.designs import Choose, Odd, Rank, TrialType

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


#: The distances of the pairs of an odd-one-out trial, by the two positions.
Apart: TypeAlias = Mapping[frozenset[int], int]


def pair_orders(n: int) -> Iterator[Apart]:
    """The distances of all pairs of n images: all orders with all ties; of five images each pair near or far."""
    pairs = [frozenset(pair) for pair in itertools.combinations(range(n), 2)]
    for ranks in itertools.product(range(2), repeat=len(pairs)) if n == 5 else weak_orders(len(pairs)):
        yield dict(zip(pairs, ranks, strict=True))


def right_share(apart: Apart, odd: int) -> Fraction:
    """The share of broken ties that make the pair that remains the nearest one, over all pairs that remain."""
    shares = []
    for remaining in itertools.combinations({image for pair in apart for image in pair} - {odd}, 2):
        triplet = (*remaining, odd)
        near = [apart[frozenset(pair)] for pair in itertools.combinations(triplet, 2)]
        orders = broken(near)
        shares.append(
            Fraction(sum(order[0] == 0 for order in orders), len(orders))
        )  # the first pair is the remaining one
    return sum(shares, Fraction()) / len(shares)


def odd_credit(apart: Apart, kind: Odd, odd: int) -> NDArray[np.float32]:
    """The credit of the comparisons of one trial."""
    compared = kind.compare(
        np.full(1, -1, np.int32), np.arange(kind.n_reference, dtype=np.int32)[None], np.array([[odd]])
    )
    gaps = [
        apart[frozenset((a, far))] - apart[frozenset((a, near))] for a, near, far in np.stack(compared)[:, 0].T.tolist()
    ]
    return ((np.sign([gaps]) + 1) / 2).astype(np.float32)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_odd_one_out_is_the_share_of_broken_ties_in_which_the_nearest_pair_remains(n: int) -> None:
    kind = Odd(n, 1)
    score = kind.scores["odd_one_out"]
    for apart in pair_orders(n):
        for odd in range(n) if n < 5 else [sum(apart.values()) % n]:
            found = score.of(odd_credit(apart, kind, odd), np.array([[odd]]))[0]
            assert found == pytest.approx(float(right_share(apart, odd)))


def brain_score_odd(apart: Apart, stored: Sequence[int]) -> int:
    """The odd one by the rule of Brain-Score (brainscore_vision 2.4.2, OddOneOut.calculate_choices).

    The largest of three similarities decides, and argmax takes the first of equal ones.
    """
    similarity = [-apart[frozenset((stored[i], stored[j]))] for i, j in ((0, 1), (0, 2), (1, 2))]
    return stored[2 - int(np.argmax(similarity))]


def cblearn_nearer(apart: Apart, pivot: int, numbers: Sequence[int]) -> int:
    """The image that is nearer to the pivot by the rule of cblearn (0.4, triplet_response).

    The other two are sorted by their numbers. The first is nearer if the difference of the distances is below 0.
    """
    first, second = sorted({0, 1, 2} - {pivot}, key=lambda image: numbers[image])
    return first if apart[frozenset((pivot, first))] - apart[frozenset((pivot, second))] < 0 else second


def odd_one_out(apart: Apart, odd: int) -> float:
    """The score of simtool."""
    score = Odd(3, 1).scores["odd_one_out"]
    return float(score.of(odd_credit(apart, Odd(3, 1), odd), np.array([[odd]]))[0])


def test_brain_score_gives_every_tie_to_the_answer_which_it_stores_last() -> None:
    for apart in pair_orders(3):
        ours, theirs = odd_one_out(apart, 2), brain_score_odd(apart, (0, 1, 2)) == 2
        assert theirs == (ours > 0)
    equal = dict.fromkeys(map(frozenset, itertools.combinations(range(3), 2)), 0)
    assert brain_score_odd(equal, (0, 1, 2)) == 2
    assert odd_one_out(equal, 2) == pytest.approx(1 / 3)


def test_shared_credit_is_the_mean_of_brain_scores_rule_over_all_orders_of_storage() -> None:
    for apart in pair_orders(3):
        for odd in range(3):
            found = [brain_score_odd(apart, stored) == odd for stored in itertools.permutations(range(3))]
            assert odd_one_out(apart, odd) == pytest.approx(np.mean(found))


def test_shared_credit_is_the_mean_of_cblearns_rule_over_all_numbers_of_the_images() -> None:
    for apart in pair_orders(3):
        credit = odd_credit(apart, Odd(3, 1), 2)[0]
        for (pivot, near), ours in zip(((0, 1), (1, 0)), credit, strict=True):
            found = [cblearn_nearer(apart, pivot, numbers) == near for numbers in itertools.permutations(range(3))]
            assert ours == np.mean(found)


@pytest.mark.parametrize("kind", [Choose(2, 1), Rank(8, 2), Choose(8, 2), Rank(5, 4), Odd(3, 1), Odd(5, 1)])
def test_a_model_that_ties_everything_is_at_chance(kind: TrialType) -> None:
    selected = np.arange(kind.n_select, dtype=np.int8)[None]
    for score in kind.scores.values():
        assert score.of(np.full((1, kind.comparisons), 0.5, np.float32), selected)[0] == pytest.approx(score.chance)
