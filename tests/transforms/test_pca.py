"""The principal components of vectors, as a transform of tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from simtool.errors import UsageError
from simtool.tables.embeddings import EmbeddingCollector, EmbeddingInfo, EmbeddingTable
from simtool.tables.files import TableError
from simtool.transforms.pca import PrincipalComponents
from simtool.transforms.transform import transform_table, transformed_info

VECTORS = np.random.default_rng(0).standard_normal((30, 7))


def table(vectors: np.ndarray[tuple[int, ...], np.dtype[np.floating]] = VECTORS) -> EmbeddingTable:
    ids = [f"image-{row}" for row in range(len(vectors))]
    info = EmbeddingInfo(name="net", dimension=vectors.shape[1], preprocessing="square", model="abc")
    return EmbeddingTable.of(ids, vectors, info)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_the_projection_is_that_of_scikit_learn(kind: type[np.floating], tmp_path: Path) -> None:
    vectors = VECTORS.astype(kind)
    found = PrincipalComponents.fit(table(vectors), 3, tmp_path)
    expected = PCA(3, svd_solver="full").fit(vectors.astype(float))
    np.testing.assert_allclose(found.apply(VECTORS), expected.transform(VECTORS), atol=1e-5)
    assert found.explained == pytest.approx(expected.explained_variance_ratio_.sum(), abs=1e-6)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [5, 30])
def test_small_differences_of_large_float64_values_are_found(rows: int) -> None:
    """Both ways of the fit: more dimensions than vectors, and more vectors than dimensions."""
    near, far = (PrincipalComponents.fit(table(offset + 1e-3 * VECTORS[:rows]), 2) for offset in (0, 1e9))
    np.testing.assert_allclose(far.apply(1e9 + 1e-3 * VECTORS), near.apply(1e-3 * VECTORS), atol=1e-6)


def test_as_many_components_are_kept_as_there_are() -> None:
    assert PrincipalComponents.fit(table()).dimension == 7
    assert PrincipalComponents.fit(table(VECTORS[:4])).name == "PCA 3"
    with pytest.raises(UsageError, match="allow 1 to 7 components, not 8"):
        PrincipalComponents.fit(table(), 8)


def test_a_transformed_table_keeps_ids_preprocessing_and_model() -> None:
    transform = PrincipalComponents.fit(table(), 2)
    with EmbeddingCollector(transformed_info(transform, table())) as writer:
        transform_table(transform, table(), writer)
    found = writer.table
    assert found.image_id.tolist() == table().image_id.tolist()
    assert (found.info.name, found.info.preprocessing, found.info.model) == ("net, PCA 2", "square", "abc")
    np.testing.assert_allclose(found.read(), transform.apply(VECTORS), rtol=1e-6)


def test_a_control_and_its_model_have_equal_origins_after_equal_transforms() -> None:
    def after(components: int, untrained: int | None) -> EmbeddingInfo:
        info = EmbeddingInfo("net", VECTORS.shape[1], untrained=untrained, origin="abc")
        control = EmbeddingTable.of([f"image-{row}" for row in range(len(VECTORS))], VECTORS, info)
        return transformed_info(PrincipalComponents.fit(control, components), control)

    assert after(2, untrained=3).untrained == 3
    assert after(2, untrained=3).origin == after(2, untrained=None).origin != after(4, untrained=None).origin


def test_values_beyond_single_precision_are_refused() -> None:
    transform = PrincipalComponents(np.zeros(2), np.eye(2), 1.0)
    large = table(np.full((1, 2), 1e39))
    with (
        pytest.raises(TableError, match="net: its values are too large"),
        EmbeddingCollector(transformed_info(transform, large)) as writer,
    ):
        transform_table(transform, large, writer)
