"""The distances that trials show: those of the formulas, for every design and kind of plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.designs import parse_type
from simtool.judgments.comparisons import Comparisons
from simtool.scoring.plan import Plan
from simtool.scoring.shown import ShownDistances, shown_distances
from simtool.tables.distances import DistanceInfo, DistanceTable, Pairs
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable, Segment
from simtool.tables.files import TableError
from simtool.tables.trials import Trials
from tests.scored import latent, observe
from tests.scoring.judged import some_trials, some_vectors

Floats: TypeAlias = NDArray[np.float64]


def _vectors(trials: Trials, vectors: NDArray[np.float32]) -> EmbeddingTable:
    return EmbeddingTable.of(
        trials.images, vectors, EmbeddingInfo("m", vectors.shape[1], segments=(Segment("s", 4, 6),))
    )


def _cosine(x: Floats, y: Floats) -> Floats:
    norms: Floats = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))
    return np.asarray(1 - (x * y).sum(axis=-1) / norms)


def _centered(x: Floats) -> Floats:
    return np.asarray(x - x.mean(axis=-1, keepdims=True))


def _segments(x: Floats) -> Floats:
    return x.reshape(*x.shape[:-1], 6, 4)


FORMULAS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "mse": lambda x, y: np.asarray(((x - y) ** 2).mean(axis=-1)),
    "cosine": _cosine,
    "euclidean": lambda x, y: np.sqrt(((x - y) ** 2).sum(axis=-1)),
    "manhattan": lambda x, y: np.asarray(abs(x - y).sum(axis=-1)),
    "dot": lambda x, y: np.asarray(-(x * y).sum(axis=-1)),
    "correlation": lambda x, y: _cosine(_centered(x), _centered(y)),
    "cosine/segments": lambda x, y: np.asarray(_cosine(_segments(x), _segments(y)).mean(axis=-1)),
}


@pytest.mark.parametrize("images", [40, 300])
def test_every_distance_is_that_of_its_formula(images: int) -> None:
    trials, vectors = some_trials(800, images=images), some_vectors("gaussian", images)
    plan, exact = Plan.of(trials), vectors.astype(float)
    assert plan.numbers.dense == (images == 40)
    compared = Comparisons.of(trials)
    measured = shown_distances(_vectors(trials, vectors), plan, list(FORMULAS))
    for formula, found in zip(FORMULAS.values(), measured, strict=True):
        for kind in trials.types:
            rows = trials.of_type(kind)
            references = trials.references[rows, : kind.n_reference]
            expected = formula(exact[trials.query[rows], None], exact[references])
            pairs = np.stack([np.full(kind.n_reference, -1), np.arange(kind.n_reference)])
            np.testing.assert_allclose(found.of_type(kind, pairs), expected, rtol=1e-12, atol=1e-12)
        near, far = (formula(exact[compared.anchor], exact[end]) for end in (compared.near, compared.far))
        np.testing.assert_allclose(found.gaps(), far - near, rtol=1e-9, atol=1e-12)


def test_large_and_small_vectors_keep_their_unit() -> None:
    trials, vectors = some_trials(40), some_vectors("gaussian").astype(np.float64)
    plan = Plan.of(trials)
    (plain,) = shown_distances(EmbeddingTable.of(trials.images, vectors, EmbeddingInfo("m", 24)), plan, ["mse"])
    (large,) = shown_distances(
        EmbeddingTable.of(trials.images, vectors * 2.0**200, EmbeddingInfo("m", 24)), plan, ["mse"]
    )
    np.testing.assert_allclose(large.gaps() / 2.0**400, plain.gaps(), rtol=1e-12)


def _given(trials: Trials, matrix: NDArray[np.float64], symmetric: bool) -> ShownDistances:
    first, second = np.nonzero(np.triu(np.ones_like(matrix), 1) if symmetric else 1 - np.eye(len(matrix)))
    pairs = Pairs(trials.images, first.astype(np.int32), second.astype(np.int32), matrix[first, second])
    (found,) = shown_distances(DistanceTable.of(pairs, DistanceInfo("m", symmetric)), Plan.of(trials), ["given"])
    return found


@pytest.mark.parametrize("symmetric", [True, False])
def test_given_distances_begin_at_the_anchor_and_pairs_without_a_query_have_no_direction(symmetric: bool) -> None:
    rng = np.random.default_rng(0)
    trials = observe(rng, latent(rng, 15), {"4-odd-1": 60, "5-choose-2": 40})
    matrix = rng.random((15, 15))
    matrix = (matrix + matrix.T) / 2 if symmetric else matrix
    found = _given(trials, matrix, symmetric)
    odd, choose = parse_type("4-odd-1"), parse_type("5-choose-2")
    pairs = np.stack(np.triu_indices(4, 1))
    shown = trials.references[trials.of_type(odd), :4]
    one, two = shown[:, pairs[0]], shown[:, pairs[1]]
    np.testing.assert_allclose(found.of_type(odd, pairs), (matrix[one, two] + matrix[two, one]) / 2)
    rows = trials.of_type(choose)
    query = np.stack([np.full(5, -1), np.arange(5)])
    np.testing.assert_array_equal(
        found.of_type(choose, query), matrix[trials.query[rows, None], trials.references[rows, :5]]
    )
    compared = Comparisons.of(trials)
    gaps = matrix[compared.anchor, compared.far] - matrix[compared.anchor, compared.near]
    np.testing.assert_array_equal(found.gaps(), gaps)


def test_a_missing_image_is_an_error() -> None:
    trials = some_trials(40)
    table = EmbeddingTable.of(trials.images[:-1], some_vectors("gaussian")[:-1], EmbeddingInfo("m", 24))
    with pytest.raises(TableError, match="image 39"):
        list(shown_distances(table, Plan.of(trials), ["mse"]))
    assert Path(table.path).name == "m"
