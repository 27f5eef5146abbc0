"""Vectors of several kinds, trials on them, and what exact arithmetic says about both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.comparisons import Comparisons
from simtool.scoring.pairs import ComparedPairs, Pairs
from simtool.tables.embeddings import Segment
from simtool.tables.trials import Trials

__all__ = [
    "KINDS",
    "WILD",
    "all_pairs",
    "compared_pairs",
    "exact_credit",
    "exact_distance",
    "sixty_digits",
    "some_trials",
    "some_vectors",
    "wild_vectors",
]

#: Gaussian; with a common mean a thousand times the spread; rectified; small integers; few distinct rows; one-hot.
KINDS = ("gaussian", "pixels", "relu", "integers", "duplicates", "one-hot")


def some_vectors(kind: str, count: int = 40, dimension: int = 24, seed: int = 0) -> NDArray[np.float32]:
    """Vectors (count, dimension), none of them zero."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((count, dimension)).astype(np.float32)
    if kind == "pixels":
        return vectors + np.float32(1000)
    if kind == "relu":
        return np.maximum(vectors, 0)
    if kind == "integers":
        return rng.integers(0, 2, (count, dimension)).astype(np.float32) + np.eye(count, dimension, dtype=np.float32)
    if kind == "duplicates":
        return vectors[rng.integers(0, 6, count)]
    if kind == "one-hot":
        return np.eye(dimension, dtype=np.float32)[rng.integers(0, 8, count)]
    return vectors


def some_trials(count: int, images: int = 40, seed: int = 0) -> Trials:
    """Trials of four types, with the answers at random places."""
    rng = np.random.default_rng(seed)
    kinds = [(2, 1, "2-choose-1"), (8, 2, "8-rank-2"), (5, 2, "5-choose-2"), (3, 1, "3-rank-1")]
    types = [kinds[trial % 4] for trial in range(count)]
    references, selected = np.full((count, 8), -1), np.full((count, 2), -1)
    query = np.empty(count, np.int64)
    for trial, (n_reference, n_select, _) in enumerate(types):
        query[trial], *shown = rng.permutation(images)[: n_reference + 1]
        references[trial, :n_reference] = shown
        selected[trial, :n_select] = rng.permutation(n_reference)[:n_select]
    names = [f"image {number}" for number in range(images)]
    return Trials.build(names, [name for *_, name in types], query, references, selected)


def compared_pairs(trials: Trials) -> ComparedPairs:
    """The pairs that the comparisons of some trials compare, among all images of the trials."""
    count = len(trials.images)
    return ComparedPairs.of(Comparisons.of(trials), np.arange(count, dtype=np.int32), count)


def all_pairs(count: int) -> Pairs:
    """Every pair of so many images."""
    first, second = (side.astype(np.int32) for side in np.triu_indices(count, 1))
    return Pairs.of(first, second, count)[0]


#: Vectors that are difficult in double precision.
WILD: dict[str, Callable[[np.random.Generator, int, int], Any]] = {
    "gaussian": lambda rng, n, d: rng.standard_normal((n, d)),
    "huge": lambda rng, n, d: rng.standard_normal((n, d)) * 1e170,
    "tiny": lambda rng, n, d: rng.standard_normal((n, d)) * 1e-170,
    "subnormal": lambda rng, n, d: rng.integers(1, 9, (n, d)) * 5e-324,
    "scales of vectors": lambda rng, n, d: rng.standard_normal((n, d)) * 10.0 ** rng.integers(-300, 300, (n, 1)),
    "scales of values": lambda rng, n, d: rng.standard_normal((n, d)) * rng.choice([1e-300, 1.0, 1e300], (n, d)),
    "scales of singles": lambda rng, n, d: np.float32(
        rng.uniform(1, 9, (n, d)) * 10.0 ** rng.integers(-37, 30, (n, d))
    ),
    "mean": lambda rng, n, d: 1e12 + rng.standard_normal((n, d)),
    "near parallel": lambda rng, n, d: (
        rng.standard_normal(d) * (1 + rng.integers(-2, 3, (n, d)) * 2.0**-52) * rng.integers(1, 4, (n, 1))
    ),
    "outlier": lambda rng, n, d: rng.standard_normal((n, d)) * np.where(np.arange(d) == 0, 1e18, 1.0),
    "equal": lambda rng, n, d: rng.standard_normal((3, d))[rng.integers(0, 3, n)],
    "permuted": lambda rng, n, d: rng.permuted(np.tile(rng.standard_normal(d), (n, 1)), axis=1),
    "signs": lambda rng, n, d: rng.standard_normal(d) * rng.choice([-1.0, 1.0], (n, d)),
    "integers": lambda rng, n, d: rng.integers(-2, 3, (n, d)) + 4.0 * np.eye(n, d),
    "bytes": lambda rng, n, d: rng.integers(0, 256, (n, d)).astype(np.float64),
    "tenths": lambda rng, n, d: rng.integers(1, 4, (n, d)) * 0.1 + np.eye(n, d),
    "sparse": lambda rng, n, d: rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.3) + np.eye(n, d),
}


def wild_vectors(kind: str, count: int, dimension: int, seed: int = 0) -> NDArray[Any]:
    """Vectors (count, dimension) of a kind in :data:`WILD`, float64 or float32."""
    vectors: NDArray[Any] = WILD[kind](np.random.default_rng(seed), count, dimension)
    return vectors


def exact_distance(distance: str, x: NDArray[Any], y: NDArray[Any], segments: Sequence[Segment] = ()) -> Fraction:
    """A rational number that orders pairs as a distance does, exactly; cosine/segments to 150 digits."""
    left, right = ([Fraction(float(value)) for value in vector] for vector in (x, y))
    if distance == "correlation":
        left, right = ([value - sum(side, Fraction(0)) / len(side) for value in side] for side in (left, right))
    if distance == "manhattan":
        return sum((abs(one - other) for one, other in zip(left, right, strict=True)), Fraction(0))
    if distance == "dot":
        return -_product(left, right)
    if distance in ("mse", "euclidean"):
        return _square(left, right)
    if distance == "mse/segments":
        return sum((_square(*piece) / len(piece[0]) for piece in _pieces(left, right, segments)), Fraction(0))
    if distance == "cosine/segments":
        with localcontext(prec=400):
            total = -sum((_cosine(*piece) for piece in _pieces(left, right, segments)), Decimal(0))
            return Fraction(total.quantize(Decimal(10) ** -150))
    if distance not in ("cosine", "correlation"):
        raise NotImplementedError(f"write the formula of {distance} here, and in sixty_digits if its values differ")
    product = _product(left, right)
    return -product * abs(product) / (_product(left, left) * _product(right, right))


def sixty_digits(distance: str, x: NDArray[Any], y: NDArray[Any], segments: Sequence[Segment] = ()) -> Decimal:
    """A distance by its definition, in decimal numbers of 60 digits and, inside of angles, 400."""
    left, right = ([Fraction(float(value)) for value in vector] for vector in (x, y))
    count = len(list(_pieces(left, right, segments))) if segments else 1
    with localcontext(prec=400):
        if distance == "correlation":
            left, right = ([value - sum(side, Fraction(0)) / len(side) for value in side] for side in (left, right))
        if distance in ("cosine", "correlation"):
            value = 1 - _cosine(left, right)
        elif distance == "cosine/segments":
            value = 1 - sum((_cosine(*piece) for piece in _pieces(left, right, segments)), Decimal(0)) / count
        else:
            exact = exact_distance(distance, x, y, segments)
            value = Decimal(exact.numerator) / exact.denominator
            value = {"mse": value / len(left), "mse/segments": value / count}.get(distance, value)
            value = value.sqrt() if distance == "euclidean" else value
    with localcontext(prec=60):
        return +value


def _product(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((one * other for one, other in zip(left, right, strict=True)), Fraction(0))


def _square(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum(((one - other) ** 2 for one, other in zip(left, right, strict=True)), Fraction(0))


def _cosine(left: Sequence[Fraction], right: Sequence[Fraction]) -> Decimal:
    """0 where a vector is zero."""
    product, squares = _product(left, right), _product(left, left) * _product(right, right)
    if not squares:
        return Decimal(0)
    share = product**2 / squares
    return (Decimal(share.numerator) / share.denominator).sqrt().copy_sign(1 if product > 0 else -1)


def _pieces(
    left: list[Fraction], right: list[Fraction], segments: Sequence[Segment]
) -> Iterator[tuple[list[Fraction], list[Fraction]]]:
    start = 0
    for length in (segment.length for segment in segments for _ in range(segment.count)):
        yield left[start : start + length], right[start : start + length]
        start += length


def exact_credit(
    distance: str, vectors: NDArray[Any], trials: Trials, segments: Sequence[Segment] = ()
) -> NDArray[np.float64]:
    """The credit of all comparisons, (C,), by exact distances."""
    known: dict[tuple[int, int], Fraction] = {}

    def distance_of(anchor: int, other: int) -> Fraction:
        pair = (min(anchor, other), max(anchor, other))
        if pair not in known:
            known[pair] = exact_distance(distance, vectors[pair[0]], vectors[pair[1]], segments)
        return known[pair]

    found = Comparisons.of(trials)
    credit = np.empty(len(found))
    for place, (anchor, near, far) in enumerate(zip(found.anchor, found.near, found.far, strict=True)):
        selected, other = distance_of(int(anchor), int(near)), distance_of(int(anchor), int(far))
        credit[place] = 0.5 if selected == other else float(selected < other)
    return credit
