"""The logistic loss equals its definition, and its derivatives those of finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime

from simtool.judgments.comparisons import Comparisons
from simtool.transforms.reweighting import loss
from simtool.transforms.reweighting.families import Factors, Kind, family_of
from simtool.transforms.reweighting.fitting import Objective, Weighting
from simtool.transforms.reweighting.loss import PairwiseLoss, Similarity
from tests.transforms.reweighting.planted import noise, vectors

COMPARISONS = Comparisons.of(noise(20))
ANCHOR, OTHER = vectors(5, 1), vectors(5, 2)


def similarity_of(kind: Similarity, one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    if kind is Similarity.COSINE:
        return float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))
    return float(one @ two if kind is Similarity.DOT else -((one - two) ** 2).sum())


@pytest.mark.parametrize("kind", Similarity)
def test_the_loss_is_its_definition(kind: Similarity) -> None:
    expected = []
    for _, anchor, near, far in zip(*vars(COMPARISONS).values(), strict=True):
        margin = similarity_of(kind, ANCHOR[anchor], OTHER[near]) - similarity_of(kind, ANCHOR[anchor], OTHER[far])
        expected.append(np.log1p(np.exp(-1.7 * margin)))
    value, _ = PairwiseLoss(COMPARISONS, len(ANCHOR), kind)(ANCHOR, OTHER, np.log(1.7))
    assert value == pytest.approx(np.mean(expected), rel=1e-12)


@pytest.mark.parametrize("kind", Similarity)
def test_anchors_in_blocks_have_the_same_loss(kind: Similarity, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PairwiseLoss(COMPARISONS, len(ANCHOR), kind)(ANCHOR, OTHER, 0.0)
    monkeypatch.setattr(loss, "_CELLS", 3 * len(ANCHOR))
    pieces = PairwiseLoss(COMPARISONS, len(ANCHOR), kind)(ANCHOR, OTHER, 0.0)
    assert pieces[0] == pytest.approx(whole[0], rel=1e-12)
    np.testing.assert_allclose(pieces[1].anchor, whole[1].anchor, atol=1e-14)
    np.testing.assert_allclose(pieces[1].other, whole[1].other, atol=1e-14)


@pytest.mark.parametrize("similarity", Similarity)
@pytest.mark.parametrize("kind", Kind)
def test_gradients_are_those_of_finite_differences(similarity: Similarity, kind: Kind) -> None:
    space = vectors(5)
    family = Factors(np.array([0, 0, 1, 2, 2])) if kind is Kind.SEGMENTS else family_of(kind, 5, 2)
    start = Weighting.identity(family, kind.sides)
    objective = Objective(PairwiseLoss(COMPARISONS, len(space), similarity), space, start, penalty=3.0)
    place = start.flat + 0.3 * np.random.default_rng(0).standard_normal(start.flat.size)
    _, gradient = objective(place)
    expected = approx_fprime(place, lambda flat: objective(flat)[0], 1e-7)
    np.testing.assert_allclose(gradient, expected, atol=2e-6)


def test_very_sure_models_have_finite_losses() -> None:
    value, slopes = PairwiseLoss(COMPARISONS, len(ANCHOR), Similarity.DOT)(1e3 * ANCHOR, 1e3 * OTHER, 0.0)
    assert np.isfinite(value)
    assert np.isfinite(slopes.anchor).all()


def test_a_scale_too_large_for_a_number_is_the_largest_scale() -> None:
    loss = PairwiseLoss(COMPARISONS, len(ANCHOR), Similarity.COSINE)
    (value, slopes), (largest, _) = (loss(ANCHOR, OTHER, log_scale) for log_scale in (5659.0, 100.0))
    assert value == largest
    assert np.isfinite(value)
    assert slopes.log_scale == 0
    assert np.isfinite(slopes.anchor).all()
