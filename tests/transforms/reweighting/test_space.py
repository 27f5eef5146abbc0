"""The space of a reweighting: standardised vectors, and their components."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from simtool.errors import UsageError
from simtool.models.errors import ModelError
from simtool.tables.embeddings import Segment
from simtool.transforms.reweighting.families import Factors, Kind, Matrix, family_of
from simtool.transforms.reweighting.space import Space

X = np.random.default_rng(0).standard_normal((30, 7)) * np.arange(1, 8) + 5
SEGMENTS = (Segment("pair", 2, 2), Segment("rest", 3, 1))


def test_components_are_those_of_scikit_learn_on_vectors_of_mean_squared_length_1() -> None:
    space = Space.fit(X, 3)
    expected = PCA(3, svd_solver="full").fit(X)
    np.testing.assert_allclose(space.coordinates(X) * space.std, expected.transform(X), atol=1e-5)
    whole = Space.fit(X, None).coordinates(X)
    assert (whole**2).sum(axis=1).mean() == pytest.approx(1)
    assert np.abs(whole.mean(axis=0)).max() < 1e-12


def test_there_are_no_more_components_than_images_allow() -> None:
    assert Space.fit(X[:4], 6).coordinates(X).shape == (30, 3)


def test_segments_start_with_equal_weight() -> None:
    coordinates = Space.fit(X, None, SEGMENTS).coordinates(X)
    squares = (coordinates**2).mean(axis=0)
    np.testing.assert_allclose([squares[:2].sum(), squares[2:4].sum(), squares[4:].sum()], [1 / 3] * 3)


def test_a_segment_without_variance_stays_zero() -> None:
    constant = X.copy()
    constant[:, :2] = 1
    assert not Space.fit(constant, None, SEGMENTS).coordinates(constant)[:, :2].any()


@pytest.mark.parametrize("components", [None, 4])
def test_weights_of_coordinates_are_weights_of_standardised_vectors(components: int | None) -> None:
    space = Space.fit(X, components)
    coordinates = space.coordinates(X)
    standard = (X - space.mean) / space.std
    for family in (Factors(np.arange(coordinates.shape[1])), Matrix(coordinates.shape[1], 2)):
        parameters = np.random.default_rng(1).standard_normal(family.start.size)
        weights = space.weights(family.weights(parameters))
        mapped = standard * weights if weights.ndim == 1 else standard @ weights
        np.testing.assert_allclose(mapped, family.apply(parameters, coordinates), atol=1e-12)


@pytest.mark.parametrize("rank", [0, 6])
def test_a_rank_beyond_the_values_is_refused(rank: int) -> None:
    with pytest.raises(UsageError, match="--rank is a number from 1 to 5"):
        family_of(Kind.LOW_RANK, 5, rank)


def test_repeated_images_span_fewer_components_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    found = Space.fit(np.repeat(X[:4], 3, axis=0), 6)
    assert found.components is not None
    assert len(found.components) == 3
    assert capsys.readouterr().err == ""


def test_values_whose_squares_are_too_large_are_refused() -> None:
    with pytest.raises(ModelError, match="too large; multiply all of them by one small number"):
        Space.fit(1e200 * X, None)
