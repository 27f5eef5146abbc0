"""The distances of all pairs: the definition, and the decisions of ``score``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.scoring import columns
from simtool.scoring.all_pairs import all_distances
from simtool.scoring.distances import DISTANCES, SimilarityError
from simtool.scoring.given import score_distances
from simtool.scoring.plan import Plan
from simtool.scoring.scoring import score_vectors
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable, Segment
from simtool.tables.files import TableError
from tests.scoring.judged import KINDS, sixty_digits, some_trials, some_vectors, wild_vectors

SEGMENTS = (Segment("coarse", 4, 2), Segment("fine", 8, 2))


def table_of(vectors: NDArray[Any]) -> EmbeddingTable:
    names = [f"image {number}" for number in range(len(vectors))]
    return EmbeddingTable.of(names, vectors, EmbeddingInfo("m", vectors.shape[1], segments=SEGMENTS))


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("kind", ["gaussian", "scaled", "bytes"])
def test_numbers_follow_the_definition(distance: str, kind: str) -> None:
    vectors = wild_vectors("gaussian" if kind == "scaled" else kind, 5, 24) * (1e-100 if kind == "scaled" else 1)
    found = all_distances(table_of(vectors), distance)
    assert list(zip(found.first, found.second, strict=True)) == [(a, b) for a in range(5) for b in range(a + 1, 5)]
    assert (found.info.name, found.info.measure, found.info.symmetric) == ("m", distance, True)
    for first, second, value in zip(found.first, found.second, found.distance, strict=True):
        expected = float(sixty_digits(distance, vectors[first], vectors[second], SEGMENTS))
        assert value == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("kind", KINDS)
def test_scored_as_given_they_decide_as_the_vectors_do(distance: str, kind: str) -> None:
    """Ties stay ties: pairs of one-hot vectors and of repeated vectors are exactly equal."""
    vectors, trials = some_vectors(kind), some_trials(200)
    (expected,) = score_vectors(vectors, trials, [distance], SEGMENTS)
    table = EmbeddingTable.of(trials.images, vectors, EmbeddingInfo("m", vectors.shape[1], segments=SEGMENTS))
    (found,) = score_distances(all_distances(table, distance), Plan.of(trials))
    np.testing.assert_array_equal(found.credit, expected.credit)


@pytest.mark.parametrize("kind", ["huge", "tiny"])
def test_numbers_that_do_not_fit_float64_are_refused(kind: str) -> None:
    table = table_of(wild_vectors(kind, 4, 24))
    with pytest.raises(SimilarityError, match="m: mse of its vectors does not fit float64; multiply all vectors"):
        all_distances(table, "mse")
    vectors = table.read(dtype=np.float64)
    expected = [float(sixty_digits("euclidean", vectors[0], vectors[other])) for other in (1, 2, 3)]
    assert all_distances(table, "euclidean").distance[:3].tolist() == pytest.approx(expected, rel=1e-12, abs=0)


def test_one_image_has_no_pairs() -> None:
    with pytest.raises(TableError, match="m: there are no pairs of two different images"):
        all_distances(table_of(some_vectors("gaussian", 1)), "mse")


def test_pairs_that_do_not_fit_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "available_memory", lambda: 50_000_000)
    with pytest.raises(SimilarityError, match=r"m: 780 pairs need \d+ MB of memory, 50 MB are free"):
        all_distances(table_of(some_vectors("gaussian")), "mse")


def test_a_vector_without_a_direction_is_named() -> None:
    vectors = some_vectors("gaussian", 3)
    vectors[1] = 0
    with pytest.raises(SimilarityError, match="m: no cosine for 1 image whose vectors hold only zeros: image 1"):
        all_distances(table_of(vectors), "cosine")
