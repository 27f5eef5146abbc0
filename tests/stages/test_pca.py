"""The stage fit_pca, called from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool import stages
from simtool.images.preprocessing import named_preprocessing
from simtool.models.registry import load_model
from simtool.tables.images import read_images
from tests.photographs import write_table


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("home"), 9)


def test_without_an_output_nothing_is_written(images: Path, tmp_path: Path) -> None:
    pca = stages.fit_pca(images, components=4, size=8, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert (pca.count, pca.weights) == (4, None)
    assert pca.fit is not None
    assert 0 < pca.fit.explained(2) < pca.fit.explained(4) < 1


def test_a_saved_model_is_the_one_that_is_returned(images: Path, tmp_path: Path) -> None:
    pca = stages.fit_pca(images, tmp_path / "pca", components=4, size=8)
    loaded = load_model(tmp_path / "pca")
    assert loaded.weights == pca.weights
    pixels = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(loaded.embed(pixels), pca.embed(pixels))


def test_objects_give_the_same_as_paths(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_path = stages.fit_pca(images, components=4, preprocessing="square", size=8)
    monkeypatch.chdir(images.parent)
    by_object = stages.fit_pca(
        read_images(images), components=4, preprocessing=named_preprocessing("square").adjusted(8)
    )
    assert by_object.preprocessing == by_path.preprocessing
    np.testing.assert_array_equal(by_object.components, by_path.components)
