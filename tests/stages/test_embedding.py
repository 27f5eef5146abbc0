"""The stage embed, called from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool import stages
from simtool.errors import UsageError
from simtool.images.preprocessing import named_preprocessing
from simtool.images.shards import Shard
from simtool.models.pixels import Pixels
from simtool.pillow import ImageError
from simtool.stages.places import PlaceError
from simtool.tables.embeddings import open_embeddings
from simtool.tables.images import read_images
from simtool.tables.parquet import TableError
from tests.models.onnx_networks import write_network
from tests.photographs import write_table

COUNT = 7


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("home"), COUNT, split=["train"] * 5 + ["test"] * 2)


def test_without_an_output_the_table_is_in_memory_and_equals_the_file(images: Path, tmp_path: Path) -> None:
    [held] = stages.embed(images, "pixels", size=8, float16=True)
    [written] = stages.embed(images, "pixels", tmp_path / "p.parquet", size=8, float16=True)
    assert held.info == written.info == open_embeddings(tmp_path / "p.parquet").info
    assert held.dtype == written.dtype == np.float16
    np.testing.assert_array_equal(held.image_id, written.image_id)
    np.testing.assert_array_equal(held.read(), written.read())


def test_a_table_says_which_call_made_it(images: Path, tmp_path: Path) -> None:
    [table] = stages.embed(images, "pixels", tmp_path / "p.parquet", size=8)
    assert table.provenance is not None
    assert table.provenance.command[:3] == ("stages.embed", f"images='{images}'", "model='pixels'")


def test_objects_give_the_same_as_paths(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [by_path] = stages.embed(images, "pixels", preprocessing="square", size=8, crop=0.5)
    monkeypatch.chdir(images.parent)
    model = Pixels(named_preprocessing("square").adjusted(8, 0.5))
    [by_object] = stages.embed(read_images(images), model, names=["mine"])
    assert by_object.info.name == "mine"
    assert by_object.info.preprocessing == by_path.info.preprocessing
    np.testing.assert_array_equal(by_object.read(), by_path.read())


def test_a_preprocessing_may_be_an_object(images: Path) -> None:
    [table] = stages.embed(images, "pixels", preprocessing=named_preprocessing("bytes").adjusted(4))
    assert table.info.shape == (4, 4, 3)


def test_a_fitted_pca_embeds_before_it_is_saved(images: Path, tmp_path: Path) -> None:
    pca = stages.fit_pca(images, components=3, size=8)
    [few] = stages.embed(images, pca, components=2)
    stages.fit_pca(images, tmp_path / "pca", components=3, size=8)
    [loaded] = stages.embed(images, tmp_path / "pca")
    assert (few.info.name, loaded.info.name) == ("PCA 2", "PCA 3")
    np.testing.assert_allclose(few.read(), loaded.read()[:, :2], atol=1e-5)


def test_splits_and_shards_are_parts_of_the_table(images: Path) -> None:
    [train] = stages.embed(images, "pixels", size=8, split="train")
    parts = [stages.embed(images, "pixels", size=8, split="train", shard=Shard(index, 2))[0] for index in range(2)]
    np.testing.assert_array_equal(np.concatenate([part.read() for part in parts]), train.read())


def test_a_part_without_images_gives_no_table(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    found = [stages.embed(images, "pixels", folder, size=8, split="test", shard=Shard(at, 3)) for at in range(3)]
    assert [len(tables) for tables in found] == [0, 1, 1]
    assert len(open_embeddings(folder)) == 2


def test_a_part_that_is_up_to_date_is_returned_as_it_is(images: Path, tmp_path: Path) -> None:
    [first] = stages.embed(images, "pixels", tmp_path, size=8, shard=Shard(0, 2))
    before = first.path.stat().st_mtime_ns
    [again] = stages.embed(images, "pixels", tmp_path, size=8, shard=Shard(0, 2))
    assert again.path.stat().st_mtime_ns == before
    np.testing.assert_array_equal(again.read(), first.read())


def test_images_that_cannot_be_decoded_are_left_out_and_recorded(tmp_path: Path) -> None:
    table = write_table(tmp_path, 3)
    (tmp_path / "photographs" / "1.jpg").write_bytes(b"damaged")
    with pytest.raises(ImageError, match="bird-1"):
        stages.embed(table, "pixels", size=8)
    [found] = stages.embed(table, "pixels", size=8, skip_bad=True)
    assert found.info.skipped == ("bird-1",)
    assert found.image_id.tolist() == ["bird-0", "bird-2"]


def test_no_table_replaces_the_weights_of_a_network(images: Path, tmp_path: Path) -> None:
    network = write_network(tmp_path / "net.onnx", external="weights.data")
    weights = tmp_path / "weights.data"
    content = weights.read_bytes()
    with pytest.raises(PlaceError, match=r"weights\.data: this is an input, which the output would replace"):
        stages.embed(images, network, weights, preprocessing="torch")
    assert weights.read_bytes() == content


def test_every_table_needs_its_layer_and_its_label(images: Path, tmp_path: Path) -> None:
    outs = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    with pytest.raises(UsageError, match="2 tables of the same layer"):
        stages.embed(images, "pixels", outs)
    with pytest.raises(UsageError, match="give one --name for each --out, not 2 for 1"):
        stages.embed(images, "pixels", names=["a", "b"])
    with pytest.raises(TableError, match="no image has split dev"):
        stages.embed(images, "pixels", split="dev")
