from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from simtool.scoring import columns
from simtool.scoring.columns import HeldColumns
from simtool.scoring.distances import DISTANCES, SimilarityError, distance_named
from simtool.scoring.measuring import measure
from simtool.scoring.pairs import Pairs
from simtool.tables.embeddings import Segment
from tests.scoring.judged import KINDS, all_pairs, sixty_digits, some_vectors, wild_vectors


def distances(
    names: str | Sequence[str], vectors: NDArray[np.floating], segments: Sequence[Segment] = ()
) -> NDArray[np.float64]:
    """(distances, n, n) between all vectors."""
    wanted = [names] if isinstance(names, str) else names
    count = len(vectors)
    pairs = all_pairs(count)
    result = np.zeros((len(wanted), count, count))
    measured = measure(HeldColumns(vectors), pairs, [distance_named(name) for name in wanted], segments)
    for matrix, values in zip(result, measured, strict=True):
        matrix[pairs.first, pairs.second] = matrix[pairs.second, pairs.first] = values.value
    return result[0] if isinstance(names, str) else result


@pytest.fixture(autouse=True)
def narrow_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks even of short vectors: 16 columns each."""
    monkeypatch.setattr(columns, "_PIECE", 16)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "metric"), [("euclidean", "euclidean"), ("cosine", "cosine"), ("manhattan", "cityblock")]
)
def test_distances_equal_those_of_scipy(name: str, metric: str, kind: str) -> None:
    vectors = some_vectors(kind, dimension=70).astype(np.float64)
    expected = cdist(vectors, vectors, metric)
    np.testing.assert_allclose(distances(name, vectors), expected, rtol=1e-11, atol=2e-15)


def test_correlation_equals_that_of_scipy() -> None:
    vectors = some_vectors("pixels", dimension=70)
    expected = cdist(vectors.astype(np.float64), vectors.astype(np.float64), "correlation")
    np.testing.assert_allclose(distances("correlation", vectors), expected, rtol=1e-11, atol=2e-15)


def test_mse_is_the_mean_and_dot_the_negative_sum() -> None:
    vectors = some_vectors("gaussian").astype(np.float64)
    mse, dot = distances(["mse", "dot"], vectors)
    np.testing.assert_allclose(mse, ((vectors[:, None] - vectors[None]) ** 2).mean(axis=2), rtol=1e-13)
    inner = -vectors @ vectors.T
    np.fill_diagonal(inner, 0)
    np.testing.assert_allclose(dot, inner, rtol=1e-13, atol=1e-13)


SEGMENTS = (Segment("long", 40), Segment("pixels", 3, 20), Segment("rest", 7))


def by_segment(vectors: NDArray[np.float64], segments: Sequence[Segment]) -> list[NDArray[np.float64]]:
    bounds = np.cumsum([segment.length for segment in segments for _ in range(segment.count)])[:-1]
    return np.split(vectors, bounds, axis=1)


def test_distances_by_segment_average_over_the_segments() -> None:
    vectors = some_vectors("gaussian", dimension=107).astype(np.float64)
    pieces = by_segment(vectors, SEGMENTS)
    assert len(pieces) == 22
    mse, cosine = distances(["mse/segments", "cosine/segments"], vectors, SEGMENTS)
    np.testing.assert_allclose(mse, np.mean([distances("mse", piece) for piece in pieces], axis=0), rtol=1e-13)
    np.testing.assert_allclose(cosine, np.mean([distances("cosine", piece) for piece in pieces], axis=0), rtol=1e-12)


def test_segments_of_one_length_leave_mse_as_it_is() -> None:
    vectors = some_vectors("gaussian", dimension=24)
    mse, by_three = distances(["mse", "mse/segments"], vectors, [Segment("pixel", 3, 8)])
    np.testing.assert_allclose(by_three, mse, rtol=1e-14)


def test_one_reading_serves_all_distances() -> None:
    vectors = some_vectors("pixels", dimension=107)
    together = distances(list(DISTANCES), vectors, SEGMENTS)
    for name, matrix in zip(DISTANCES, together, strict=True):
        np.testing.assert_allclose(matrix, distances(name, vectors, SEGMENTS), rtol=1e-13, atol=1e-16)


def test_a_segment_of_zeros_has_similarity_0_to_any_other() -> None:
    vectors = np.array([[1, 0, 0, 0], [2, 0, 5, 1], [0, 0, 1, 1]], np.float32)
    matrix = distances("cosine/segments", vectors, [Segment("half", 2, 2)])
    inside = 1 - 6 / np.sqrt(26 * 2)
    np.testing.assert_allclose(matrix, [[0, 0.5, 1], [0.5, 0, (1 + inside) / 2], [1, (1 + inside) / 2, 0]], atol=1e-15)


@pytest.mark.parametrize("name", ["cosine", "cosine/segments", "correlation"])
def test_a_zero_vector_has_no_angle_and_is_named(name: str) -> None:
    vectors = some_vectors("gaussian", count=4, dimension=6)
    vectors[2] = 0
    pairs, _ = Pairs.of(np.array([0, 1], np.int32), np.array([2, 3], np.int32), 4)
    columns = HeldColumns(vectors)
    with pytest.raises(SimilarityError, match=rf"no {name} for 1 image .*: wren"):
        list(measure(columns, pairs, [distance_named(name)], [Segment("s", 2, 3)], ["owl", "jay", "wren", "tit"]))


def test_a_constant_vector_has_no_correlation_but_a_cosine() -> None:
    vectors = some_vectors("gaussian", count=4, dimension=6)
    vectors[1] = 0.1
    assert np.isfinite(distances("cosine", vectors)).all()
    with pytest.raises(SimilarityError, match="all values equal: 1"):
        distances("correlation", vectors)


def test_zero_vectors_have_every_other_distance() -> None:
    names = ["mse", "euclidean", "manhattan", "dot"]
    assert (distances(names, np.zeros((3, 5), np.float32)) == 0).all()


def test_segments_are_asked_for_where_a_table_names_none() -> None:
    with pytest.raises(SimilarityError, match="mse/segments needs a table that names its segments"):
        distances("mse/segments", some_vectors("gaussian"))


def test_an_unknown_distance_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SimilarityError, match=r"no distance is called l2; choose from mse, cosine, .*correlation"):
        distance_named("l2")


def test_vectors_that_are_parallel_up_to_rounding_have_a_small_angle() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal(50) * rng.uniform(0.1, 1000, (20, 1))
    assert (distances("cosine", vectors) < 1e-31).all()


def test_small_angles_between_long_vectors_keep_their_digits() -> None:
    rng = np.random.default_rng(0)
    vectors = (1000 + rng.standard_normal((20, 60))) * rng.uniform(1, 100, (20, 1))
    unit = vectors.astype(np.longdouble) / np.sqrt((vectors.astype(np.longdouble) ** 2).sum(axis=1, keepdims=True))
    expected = ((unit[:, None] - unit[None]) ** 2).sum(axis=2) / 2
    found = distances("cosine", vectors)
    np.testing.assert_allclose(found, expected.astype(np.float64), rtol=1e-11, atol=0)


def test_identical_vectors_are_at_distance_zero() -> None:
    vectors = np.repeat(some_vectors("pixels", count=5, dimension=33), 4, axis=0)
    for matrix in distances(["mse", "euclidean", "manhattan", "cosine", "correlation"], vectors):
        np.testing.assert_array_equal(matrix[np.kron(np.eye(5), np.ones((4, 4))) > 0], 0)


def test_tables_of_double_precision_keep_it() -> None:
    vectors = 1 + some_vectors("gaussian").astype(np.float64) * 1e-9
    expected = ((vectors[:, None] - vectors[None]) ** 2).mean(axis=2)
    np.testing.assert_allclose(distances("mse", vectors), expected, rtol=1e-13)


@given(seed=st.integers(0, 10**6), shift=st.floats(-1e4, 1e4), scale=st.floats(1e-3, 1e3))
@settings(max_examples=25, deadline=None)
def test_mse_ignores_a_common_shift_and_cosine_the_lengths(seed: int, shift: float, scale: float) -> None:
    vectors = some_vectors("gaussian", count=8, seed=seed).astype(np.float64)
    lengths = np.random.default_rng(seed).uniform(scale, 2 * scale, (8, 1))
    mse, cosine, correlation = distances(["mse", "cosine", "correlation"], vectors)
    np.testing.assert_allclose(distances("mse", vectors + shift), mse, rtol=1e-9)
    np.testing.assert_allclose(distances("cosine", vectors * lengths), cosine, rtol=1e-9)
    np.testing.assert_allclose(distances("correlation", vectors * lengths + shift), correlation, rtol=1e-6)


def test_progress_counts_every_column_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    vectors = some_vectors("gaussian", dimension=70)
    pairs, _ = Pairs.of(np.array([0], np.int32), np.array([1], np.int32), len(vectors))
    list(measure(HeldColumns(vectors), pairs, [distance_named("mse")], advance=seen.append))
    assert sum(seen) == 70
    assert len(seen) == 5


@pytest.mark.parametrize("kind", ["gaussian", "mean", "near parallel", "outlier", "permuted", "tenths", "integers"])
@pytest.mark.parametrize("name", DISTANCES)
def test_no_error_is_larger_than_its_bound(name: str, kind: str) -> None:
    vectors, segments = wild_vectors(kind, 6, 24), (Segment("long", 20), Segment("short", 2, 2))
    pairs = all_pairs(6)
    (found,) = measure(HeldColumns(vectors), pairs, [distance_named(name)], segments)
    for value, size, x, y in zip(found.value, found.size, pairs.first, pairs.second, strict=True):
        error = abs(Decimal(float(value)) - sixty_digits(name, vectors[x], vectors[y], segments))
        assert error <= found.tolerance * size + 1e-15 * abs(value)


@pytest.mark.parametrize("power", [-330, -170, 120, 290])
def test_the_size_of_all_numbers_changes_no_angle(power: int) -> None:
    vectors = some_vectors("gaussian", count=8).astype(np.float64)
    scaled = vectors * 2.0**power * 2.0**power
    for name in ("cosine", "correlation", "cosine/segments"):
        found, expected = (distances(name, one, [Segment("s", 4, 6)]) for one in (scaled, vectors))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["mse", "cosine", "dot", "manhattan", "correlation"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_numbers_are_named(name: str, value: float) -> None:
    for dtype in (np.float32, np.float64):
        vectors: NDArray[np.floating] = some_vectors("gaussian", count=4, dimension=6).astype(dtype)
        vectors[2, 3] = value
        if dtype == np.float64:
            vectors[1] *= 1e200
        with pytest.raises(SimilarityError, match="NaN or infinity in 1 vector: 2"):
            distances(name, vectors)


def test_a_vector_that_is_tiny_beside_others_is_not_taken_for_zero() -> None:
    vectors = np.array([[1e170, 2e170], [1e-170, 3e-170], [1e-200, 0]])
    (found,) = measure(HeldColumns(vectors), all_pairs(3), [distance_named("cosine")])
    assert np.isinf(found.size).all()
    vectors[2] = 0
    with pytest.raises(SimilarityError, match=r"no cosine for 1 image .* only zeros: 2; mse, .* take them"):
        list(measure(HeldColumns(vectors), all_pairs(3), [distance_named("cosine")]))
