"""Fits find what was planted, and what scikit-learn finds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from simtool.judgments.comparisons import Comparisons
from simtool.tables.embeddings import Segment
from simtool.tables.trials import Trials
from simtool.transforms.reweighting.families import Kind, family_of
from simtool.transforms.reweighting.fitting import Weighting, fits
from simtool.transforms.reweighting.loss import PairwiseLoss, Similarity
from tests.transforms.reweighting.planted import planted, vectors

X = vectors()
WEIGHTS = np.array([3, 2, 1.5, 1, 0.7, 0.4])


def fitted(trials: Trials, kind: Kind, penalty: float, similarity: Similarity = Similarity.DOT) -> Weighting:
    family = family_of(kind, X.shape[1], 2, (Segment("all", 2, 3),))
    loss = PairwiseLoss(Comparisons.of(trials), len(X), similarity)
    (found,) = fits(loss, X, Weighting.identity(family, kind.sides), [penalty])
    return found


def gram(found: Weighting) -> NDArray[np.float64]:
    """The similarities that a fit predicts, with its scale."""
    anchor, other = found.apply(X)
    product: NDArray[np.float64] = np.exp(found.log_scale) * anchor @ other.T
    return product


def test_a_planted_diagonal_is_recovered() -> None:
    found = fitted(planted(X * WEIGHTS @ X.T, 20_000), Kind.DIAGONAL, 1e-6)
    recovered = np.exp(found.log_scale) * found.sides[0] ** 2
    np.testing.assert_allclose(recovered, WEIGHTS, rtol=0.1)


def test_an_unpenalised_diagonal_is_the_logistic_regression_of_scikit_learn() -> None:
    """The margin of a dot product is linear in the squared factors: anchor times the difference of near and far."""
    trials = planted(X * WEIGHTS @ X.T, 3000)
    found = fitted(trials, Kind.DIAGONAL, 0.0)
    pairs = Comparisons.of(trials)
    margins = X[pairs.anchor] * (X[pairs.near] - X[pairs.far])
    features, labels = np.concatenate([margins, -margins]), np.repeat([1, 0], len(margins))
    peer = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000).fit(features, labels)
    np.testing.assert_allclose(np.exp(found.log_scale) * found.sides[0] ** 2, peer.coef_[0], rtol=2e-3)


def test_a_strong_penalty_leaves_the_identity() -> None:
    trials = planted(X * WEIGHTS @ X.T, 1000)
    for kind in Kind:
        found = fitted(trials, kind, 1e12)
        for side in found.sides:
            np.testing.assert_allclose(side, found.family.start, atol=1e-6)


def test_a_full_map_predicts_rotated_dimensions_and_a_diagonal_does_not() -> None:
    rotation = np.linalg.qr(vectors(6, 5, 6))[0]
    truth = X @ rotation * np.array([6, 0.1, 0.1, 0.1, 0.1, 0.1]) @ rotation.T @ X.T
    trials = planted(truth, 8000)
    away = ~np.eye(len(X), dtype=bool)
    full, diagonal = (
        np.corrcoef(gram(fitted(trials, kind, 1.0))[away], truth[away])[0, 1] for kind in (Kind.FULL, Kind.DIAGONAL)
    )
    assert full > 0.98
    assert diagonal < 0.9


def test_low_rank_keeps_few_values() -> None:
    truth = 4 * np.outer(X[:, 1], X[:, 1])
    found = fitted(planted(truth, 4000), Kind.LOW_RANK, 1.0)
    assert found.apply(X)[1].shape == (len(X), 2)
    assert np.corrcoef(gram(found)[np.triu_indices(40, 1)], truth[np.triu_indices(40, 1)])[0, 1] > 0.95


def test_asymmetric_maps_tell_anchors_from_references() -> None:
    shift = np.roll(np.eye(6), 1, axis=0)
    truth = 3 * X @ shift @ X.T  # the similarity from a to b is not that from b to a
    trials = planted(truth, 8000)
    away = ~np.eye(len(X), dtype=bool)
    one, two = (
        np.corrcoef(gram(fitted(trials, kind, 1.0))[away], truth[away])[0, 1] for kind in (Kind.FULL, Kind.ASYMMETRIC)
    )
    assert two > 0.95 > one


@pytest.mark.parametrize("similarity", Similarity)
def test_each_segment_gets_one_factor(similarity: Similarity) -> None:
    """Three segments of two values; people use the second one only."""
    distance = ((X[:, None, 2:4] - X[None, :, 2:4]) ** 2).sum(axis=2)
    found = fitted(planted(-3 * distance), Kind.SEGMENTS, 1.0, similarity)
    weights = found.family.weights(found.sides[0]) ** 2
    assert weights[0] == weights[1]
    assert weights[2] > 3 * max(weights[0], weights[4])
