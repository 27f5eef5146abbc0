"""A combination's distance is the explicit sum of the standardized distances of its models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simtool.scoring.all_pairs import all_distances
from simtool.scoring.distances import DISTANCES, SimilarityError
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable, Segment
from simtool.transforms.combination import ADDITIVE, Combination, Part, combinations
from simtool.transforms.standardization import Standardization

IDS = np.array([f"image-{row}" for row in range(14)], object)
FIRST, SECOND = np.triu_indices(len(IDS), 1)

Vectors = NDArray[np.float64]


def cosine(x: Vectors, y: Vectors) -> float:
    return 1 - float(x @ y) / float(np.sqrt(x @ x) * np.sqrt(y @ y))


#: Each distance by its definition, of one segment.
PLAIN: dict[str, Callable[[Vectors, Vectors], float]] = {
    "mse": lambda x, y: float(((x - y) ** 2).mean()),
    "cosine": cosine,
    "manhattan": lambda x, y: float(np.abs(x - y).sum()),
    "dot": lambda x, y: -float(x @ y),
    "correlation": lambda x, y: cosine(x - x.mean(), y - y.mean()),
}


def plain(distance: str, vectors: Vectors, length: int) -> Vectors:
    """The distances of all pairs, with equal segments of a length."""
    if not distance.endswith("/segments"):
        return np.array([PLAIN[distance](vectors[i], vectors[j]) for i, j in zip(FIRST, SECOND, strict=True)])
    pieces = np.split(vectors, vectors.shape[1] // length, axis=1)
    within: Vectors = np.mean([plain(distance.removesuffix("/segments"), piece, 0) for piece in pieces], axis=0)
    return within


def part(vectors: NDArray[Any], length: int = 1, weight: float = 1.0, standardize: bool = False) -> Part:
    """A model whose table lists the images backwards."""
    segments = (Segment("a", length, vectors.shape[1] // length),)
    info = EmbeddingInfo(name="net", dimension=vectors.shape[1], segments=segments)
    table = EmbeddingTable.of(IDS[::-1].copy(), vectors[::-1].copy(), info)
    found = Standardization.fit(table) if standardize else None
    return Part(table, np.arange(len(IDS))[::-1], weight, found)


def joined(combination: Combination, parts: Sequence[Part]) -> EmbeddingTable:
    vectors = combination.join([each.read(slice(0, len(IDS))) for each in parts], IDS)
    assert vectors.dtype == np.float32
    info = EmbeddingInfo(name="sum", dimension=combination.dimension, segments=combination.segments)
    return EmbeddingTable.of(IDS, vectors, info)


def explicit_sum(distance: str, parts: Sequence[Part]) -> tuple[Vectors, Vectors]:
    """The sum of standardized distances of all pairs, and the coefficient of each model."""
    total, coefficients = np.zeros(FIRST.size), []
    for each in parts:
        own = plain(distance, each.read(slice(0, len(IDS))), each.segments[0].length)
        coefficients.append(each.weight / own.std())
        total += coefficients[-1] * own
    return total, np.array(coefficients)


models = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from([3, 4]), st.sampled_from([1e-3, 1, 50]), st.sampled_from([0.0, 2])),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("distance", ADDITIVE)
@settings(max_examples=25, deadline=None)
@given(models=models, seed=st.integers(0, 1000), weight=st.floats(0.1, 10), standardize=st.booleans())
def test_the_order_of_all_pairs_is_that_of_the_explicit_sum(
    distance: str, models: list[tuple[int, int, float, float]], seed: int, weight: float, standardize: bool
) -> None:
    rng = np.random.default_rng(seed)
    parts = [
        part((mean + rng.standard_normal((len(IDS), count * length))) * scale, length, weight ** (-at), standardize)
        for at, (count, length, scale, mean) in enumerate(models)
    ]
    (combination,), measured = combinations(parts, [distance], IDS)
    assert measured == len(IDS)
    table = all_distances(joined(combination, parts), distance)
    assert (table.first.tolist(), table.second.tolist()) == (FIRST.tolist(), SECOND.tolist())
    expected, coefficients = explicit_sum(distance, parts)
    unit = coefficients.sum() if ADDITIVE[distance].directed else 1.0
    rounding = 2e-6 * np.abs(expected).max()
    np.testing.assert_allclose(table.distance * unit, expected, rtol=0, atol=rounding)
    order = np.argsort(expected)
    apart = np.diff(expected[order]) > 2 * rounding
    assert (np.diff(table.distance[order])[apart] > 0).all()


def test_every_distance_but_the_euclidean_has_a_combination() -> None:
    assert set(DISTANCES) - set(ADDITIVE) == {"euclidean"}


def test_a_common_mean_costs_no_digits() -> None:
    """The squared differences are a millionth of the squares of the vectors."""
    far = part(1000 + np.random.default_rng(0).integers(0, 9, (len(IDS), 6)).astype(np.float32))
    (combination,), _ = combinations([far, far], ["mse"], IDS)
    expected, _ = explicit_sum("mse", [far, far])
    np.testing.assert_allclose(all_distances(joined(combination, [far, far]), "mse").distance, expected, rtol=1e-6)


def test_a_model_with_itself_keeps_its_order() -> None:
    own = part(np.random.default_rng(1).standard_normal((len(IDS), 5)))
    (combination,), _ = combinations([own, own], ["cosine"], IDS)
    both = all_distances(joined(combination, [own, own]), "cosine").distance
    np.testing.assert_allclose(both, plain("cosine", own.read(slice(0, len(IDS))), 0), atol=1e-7)


@pytest.mark.parametrize(
    ("distance", "row", "what"),
    [
        ("cosine", [0] * 6, "only zeros"),
        ("correlation", [0.1] * 6, "all values equal"),
        ("cosine/segments", [1, 2, 3, 0, 0, 0], "a segment of zeros"),
    ],
)
def test_vectors_without_a_direction_are_named(distance: str, row: list[float], what: str) -> None:
    """Also those that no sample of pairs holds: the factors come from other vectors here."""
    vectors = np.random.default_rng(2).standard_normal((len(IDS), 6))
    good = part(vectors, 3)
    (combination,), _ = combinations([good, good], [distance], IDS)
    vectors[4] = row
    with pytest.raises(SimilarityError, match=rf"^net: no direction for 1 image whose vectors have {what}: image-4;"):
        joined(combination, [good, part(vectors, 3)])


@pytest.mark.parametrize("distance", ["mse", "cosine", "dot", "correlation"])
def test_a_model_that_tells_no_pairs_apart_is_refused(distance: str) -> None:
    same = part(np.tile(np.arange(1.0, 7), (len(IDS), 1)))
    good = part(np.random.default_rng(3).standard_normal((len(IDS), 6)))
    with pytest.raises(SimilarityError, match=f"^net: {distance} is the same for all pairs of images"):
        combinations([good, same], [distance], IDS)


def test_many_images_are_sampled_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simtool.transforms.combination._IMAGES", 9)
    parts = [part(np.random.default_rng(seed).standard_normal((len(IDS), 4))) for seed in (4, 5)]
    found = [combinations(parts, ["mse", "cosine"], IDS, seed) for seed in (0, 0, 1)]
    assert [measured for _, measured in found] == [9, 9, 9]
    one, again, other = ([each.spread for each in own] for own, _ in found)
    assert one == again != other
    chosen = np.sort(np.random.default_rng(0).choice(len(IDS), 9, replace=False))
    inside = np.isin(FIRST, chosen) & np.isin(SECOND, chosen)
    expected = [plain("mse", each.read(slice(0, len(IDS))), 0)[inside].std() for each in parts]
    np.testing.assert_allclose(one[0], expected)
