"""Standardization of vectors, as a transform of tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable
from simtool.tables.files import TableError
from simtool.transforms.standardization import Standardization


def table(vectors: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> EmbeddingTable:
    ids = [f"image-{row}" for row in range(len(vectors))]
    return EmbeddingTable.of(ids, vectors, EmbeddingInfo(name="net", dimension=vectors.shape[1]))


@given(seed=st.integers(0, 1000), rows=st.integers(2, 40), offset=st.sampled_from([0, 1e3]), scale=st.floats(1e-3, 1e3))
def test_each_dimension_gets_mean_0_and_standard_deviation_1(seed: int, rows: int, offset: float, scale: float) -> None:
    vectors = offset + scale * np.random.default_rng(seed).standard_normal((rows, 5))
    found = Standardization.fit(table(vectors)).apply(vectors)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(found.std(axis=0), 1, rtol=1e-9)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_blocks_give_the_same_as_all_vectors_at_once(kind: type[np.floating]) -> None:
    vectors = np.random.default_rng(0).standard_normal((30, 4)).astype(kind)
    whole, blocks = (
        Standardization.fit(table(vectors)),
        Standardization.of(np.array_split(vectors.astype(float), 7), Path("net")),
    )
    np.testing.assert_allclose(blocks.mean, whole.mean)
    np.testing.assert_allclose(blocks.factor, whole.factor)
    np.testing.assert_allclose(whole.apply(vectors), (vectors - whole.mean) / vectors.astype(float).std(axis=0))


@pytest.mark.parametrize("constant", [0, 0.1, -7e5])
def test_a_constant_dimension_becomes_0(constant: float) -> None:
    vectors = np.column_stack([np.full(21, constant), np.arange(21.0), np.arange(21.0) * 1e-9])
    found = Standardization.fit(table(vectors))
    assert (found.constant, found.dimension, found.name) == (1, 3, "standardized")
    assert (found.apply(vectors)[:, 0] == 0).all()
    np.testing.assert_allclose(found.apply(vectors)[:, 1:].std(axis=0), 1)


def test_values_whose_squares_do_not_fit_are_refused() -> None:
    vectors = np.random.default_rng(0).standard_normal((9, 3)) * 1e200
    with pytest.raises(TableError, match=r"^net: its values are too large"):
        Standardization.fit(table(vectors))
