from __future__ import annotations

import numpy as np
import pytest

from simtool.scoring import settling
from simtool.scoring.columns import HeldColumns
from simtool.scoring.distances import DISTANCES
from simtool.scoring.settling import Settler
from simtool.tables.embeddings import Segment
from tests.scoring.judged import WILD, all_pairs, exact_distance, wild_vectors

SEGMENTS = (Segment("long", 6), Segment("short", 2, 2))


@pytest.mark.parametrize("kind", WILD)
@pytest.mark.parametrize("distance", DISTANCES)
def test_ranks_are_in_the_order_of_exact_distances(kind: str, distance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "_BYTES", 4 * 8 * 10)  # few vectors at a time
    vectors, pairs = wild_vectors(kind, 7, 10), all_pairs(7)
    found = Settler(HeldColumns(vectors), pairs, SEGMENTS).ranks(distance, np.ones(len(pairs), np.bool_))
    exact = [
        exact_distance(distance, vectors[x], vectors[y], SEGMENTS)
        for x, y in zip(pairs.first, pairs.second, strict=True)
    ]
    rank_of = {value: rank for rank, value in enumerate(sorted(set(exact)))}
    np.testing.assert_array_equal(found, [rank_of[value] for value in exact])


def test_only_wanted_pairs_are_ranked() -> None:
    vectors, pairs = wild_vectors("gaussian", 5, 4), all_pairs(5)
    wanted = np.arange(len(pairs)) % 3 == 0
    ranks = Settler(HeldColumns(vectors), pairs).ranks("mse", wanted)
    assert sorted(ranks[wanted]) == list(range(int(wanted.sum())))
    assert (ranks[~wanted] == 0).all()


def test_negative_zeros_equal_zeros() -> None:
    vectors = np.array([[1.0, 2.0], [0.0, 3.0], [-0.0, 3.0]])
    pairs = all_pairs(3)
    ranks = Settler(HeldColumns(vectors), pairs).ranks("cosine", np.ones(3, np.bool_))
    assert ranks[0] == ranks[1]
