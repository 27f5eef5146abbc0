from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from simtool.images import steps
from simtool.images.preprocessing import Preprocessing, named_preprocessing
from simtool.models.registry import load_model
from simtool.tables.embeddings import Segment, open_embeddings
from simtool.tables.images import read_images, write_images
from simtool.tables.parquet import TableError
from simtool.tables.provenance import Provenance, sha256_of
from simtool.tensorflow import load_tensorflow
from tests.models.onnx_networks import write_network
from tests.photographs import draw, prepared, write_table

Simtool = Callable[..., Any]
SIZE = ("--size", "8")
COUNT = 13


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen photographs and their table, which tests leave as they are."""
    home = tmp_path_factory.mktemp("home")
    write_table(home, COUNT, split=["train"] * 9 + ["test"] * 4)
    return home


@pytest.fixture
def pca(simtool: Simtool, home: Path) -> Path:
    """A PCA of them."""
    if not (home / "pca").exists():
        assert simtool("fit-pca", home / "images.parquet", "--out", home / "pca", *SIZE, "--components", 6).code == 0
    return home / "pca"


def pixels(home: Path) -> Any:
    return np.stack([prepared(home / f"photographs/{number}.jpg", 0.8, 8).ravel() for number in range(COUNT)])


def test_pixels_are_those_of_the_study_in_the_order_of_the_table(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "pixels.parquet"
    ran = simtool("embed", home / "images.parquet", "--model", "pixels", "--out", out, *SIZE)
    assert ran.code == 0
    # A slow machine adds lines of progress.
    assert [line for line in ran.err.splitlines() if not line.startswith("embedding:")][:2] == [
        f"read   {home / 'images.parquet'}: 13 images",
        f"wrote  {out}: 13 vectors of 192 values (pixels)",
    ]
    table = open_embeddings(out)
    assert table.image_id.tolist() == [f"bird-{number}" for number in range(COUNT)]
    np.testing.assert_array_equal(table.read(), pixels(home))


def test_the_metadata_of_pixels_are_those_of_the_contract(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    simtool("embed", home / "images.parquet", "--model", "pixels", "--out", tmp_path / "e.parquet")
    table = open_embeddings(tmp_path / "e.parquet")
    assert table.info.name == "pixels"
    assert table.info.shape == (128, 128, 3)
    assert table.info.segments == (Segment("pixels", 3, 16_384),)
    assert table.info.model is None
    assert table.info.preprocessing is not None
    assert Preprocessing.from_json(json.loads(table.info.preprocessing)) == named_preprocessing("study")
    assert table.provenance is not None
    assert [entry.sha256 for entry in table.provenance.inputs] == [sha256_of(home / "images.parquet")]


def test_a_pca_embeds_with_its_own_preprocessing(simtool: Simtool, home: Path, pca: Path, tmp_path: Path) -> None:
    out = tmp_path / "pca.parquet"
    ran = simtool("embed", home / "images.parquet", "--model", pca, "--out", out)
    assert ran.code == 0
    assert f"read   {pca}: PCA 6" in ran.err
    table, model = open_embeddings(out), load_model(pca)
    np.testing.assert_array_equal(table.read(), model.embed(pixels(home).reshape(COUNT, 8, 8, 3)))
    assert (table.info.name, table.info.dimension, table.info.model) == ("PCA 6", 6, model.weights)
    assert table.info.preprocessing == model.preprocessing.to_text()
    assert table.provenance is not None
    assert [Path(entry.name).name for entry in table.provenance.inputs] == ["images.parquet", "model.json"]


def test_components_cut_a_pca(simtool: Simtool, home: Path, pca: Path, tmp_path: Path) -> None:
    whole, few = tmp_path / "whole.parquet", tmp_path / "few.parquet"
    simtool("embed", home / "images.parquet", "--model", pca, "--out", whole)
    simtool("embed", home / "images.parquet", "--model", pca, "--out", few, "--components", 2)
    assert open_embeddings(few).info.name == "PCA 2"
    np.testing.assert_allclose(open_embeddings(few).read(), open_embeddings(whole).read()[:, :2], atol=1e-5)


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("model", ["pixels", "pca"])
def test_shards_equal_the_whole_table(
    simtool: Simtool, home: Path, pca: Path, tmp_path: Path, model: str, count: int
) -> None:
    options = ("--model", "pixels", *SIZE) if model == "pixels" else ("--model", pca)
    simtool("embed", home / "images.parquet", *options, "--out", tmp_path / "whole.parquet")
    for index in reversed(range(count)):
        ran = simtool(
            "embed", home / "images.parquet", *options, "--out", tmp_path / "parts", "--shard", f"{index}/{count}"
        )
        assert ran.code == 0
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == [
        f"part-{index:05d}-of-{count:05d}.parquet" for index in range(count)
    ]
    whole, parts = open_embeddings(tmp_path / "whole.parquet"), open_embeddings(tmp_path / "parts")
    assert parts.info == whole.info
    np.testing.assert_array_equal(parts.image_id, whole.image_id)
    np.testing.assert_array_equal(parts.read(), whole.read())


def test_there_can_be_more_shards_than_images(simtool: Simtool, tmp_path: Path) -> None:
    images = write_table(tmp_path, 2)
    for index in range(3):
        options = ("--out", tmp_path / "parts", "--shard", f"{index}/3")
        assert simtool("embed", images, "--model", "pixels", *SIZE, *options).code == 0
    assert open_embeddings(tmp_path / "parts").image_id.tolist() == ["bird-0", "bird-1"]


@pytest.fixture
def array_task(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that puts this process into a task of a SLURM array."""

    def enter(task: int, first: int, last: int, count: int) -> None:
        for name, value in {"ID": task, "MIN": first, "MAX": last, "STEP": 1, "COUNT": count}.items():
            monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))

    return enter


def test_the_tasks_of_an_array_write_its_parts(
    simtool: Simtool, home: Path, tmp_path: Path, array_task: Callable[..., None]
) -> None:
    call = ("embed", home / "images.parquet", "--model", "pixels", *SIZE, "--out", tmp_path / "parts")
    for task in (1, 2, 3):
        array_task(task, 1, 3, 3)
        assert simtool(*call).code == 0
    assert [path.name for path in sorted((tmp_path / "parts").iterdir())] == [
        f"part-0000{index}-of-00003.parquet" for index in range(3)
    ]
    np.testing.assert_array_equal(open_embeddings(tmp_path / "parts").read(), pixels(home))


def test_a_task_of_an_array_embeds_all_images_where_it_is_told_so(
    simtool: Simtool, home: Path, tmp_path: Path, array_task: Callable[..., None]
) -> None:
    array_task(3, 3, 7, 2)
    call = ("embed", home / "images.parquet", "--model", "pixels", *SIZE, "--out", tmp_path / "e.parquet")
    refused = simtool(*call)
    assert refused.code == 1
    assert (
        "task 3 of a SLURM array with gaps does not determine which of how many parts it is; use --shard I/N"
        in refused.err
    )
    assert "--shard none" in refused.err
    assert simtool(*call, "--shard", "none").code == 0
    assert len(open_embeddings(tmp_path / "e.parquet")) == COUNT


def test_parts_of_two_sets_do_not_mix(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    call = ("embed", home / "images.parquet", "--model", "pixels", *SIZE, "--out", tmp_path / "parts", "--shard")
    assert simtool(*call, "0/3").code == 0
    refused = simtool(*call, "1/4")
    assert refused.code == 1
    assert "of a set of 3 parts, not of 4" in refused.err
    assert len(list((tmp_path / "parts").iterdir())) == 1


def test_a_part_that_is_up_to_date_is_left(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    part = tmp_path / "parts" / "part-00000-of-00002.parquet"
    call = ("embed", home / "images.parquet", "--model", "pixels", *SIZE, "--out", tmp_path / "parts", "--shard", "0/2")
    assert simtool(*call).code == 0
    before = part.stat()
    ran = simtool(*call)
    assert ran.code == 0
    assert f"left   {part}: the same command wrote it from the same inputs" in ran.err
    assert (part.stat().st_ino, part.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def _other_option(call: list[object], home: Path, part: Path) -> list[object]:
    return [*call, "--crop", 0.5]


def _half_precision(call: list[object], home: Path, part: Path) -> list[object]:
    return [*call, "--float16"]


def _other_images(call: list[object], home: Path, part: Path) -> list[object]:
    call[1] = write_table(part.parents[1] / "others", COUNT)
    Image.fromarray(draw(99)).save(part.parents[1] / "others" / "photographs" / "5.jpg")
    return call


def _fewer_images(call: list[object], home: Path, part: Path) -> list[object]:
    call[1] = write_table(part.parents[1] / "fewer", COUNT - 1)  # of which the first half is the same
    return call


def _damaged(call: list[object], home: Path, part: Path) -> list[object]:
    content = bytearray(part.read_bytes())
    content[len(content) // 3 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 3)
    part.write_bytes(content)
    return call


@pytest.mark.parametrize("change", [_other_option, _half_precision, _other_images, _fewer_images, _damaged])
def test_a_part_that_would_be_another_is_written_again(
    simtool: Simtool, home: Path, tmp_path: Path, change: Callable[[list[object], Path, Path], list[object]]
) -> None:
    part = tmp_path / "parts" / "part-00000-of-00002.parquet"
    call: list[object] = ["embed", home / "images.parquet", "--model", "pixels", *SIZE]
    call += ["--out", tmp_path / "parts", "--shard", "0/2"]
    assert simtool(*call).code == 0
    ran = simtool(*change(call, home, part))
    assert ran.code == 0
    assert f"wrote  {part}" in ran.err
    assert open_embeddings(tmp_path / "parts" / part.name).read().shape == (6, 192)


def _written_again(home: Path, images: Path) -> None:
    write_images(images, read_images(images), replace(Provenance.of(["again"], []), created_at="2001-01-01"))


def _in_another_layout(home: Path, images: Path) -> None:
    pd.read_parquet(images).assign(note="x").to_parquet(images, compression=None)


def _with_other_time_stamps(home: Path, images: Path) -> None:
    for file in home.rglob("*"):
        os.utime(file, (0, 0))


@pytest.mark.parametrize("change", [_written_again, _in_another_layout, _with_other_time_stamps])
def test_a_part_of_the_same_images_is_left_whenever_and_however_their_table_was_written(
    simtool: Simtool, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    images, part = write_table(tmp_path / "home", COUNT), tmp_path / "parts" / "part-00000-of-00002.parquet"
    call = ("embed", images, "--model", "pixels", *SIZE, "--out", tmp_path / "parts", "--shard", "0/2")
    assert simtool(*call).code == 0
    before = images.read_bytes()
    change(images.parent, images)
    assert change is _with_other_time_stamps or images.read_bytes() != before
    assert f"left   {part}" in simtool(*call).err


def test_a_photograph_that_was_replaced_is_embedded_again(simtool: Simtool, tmp_path: Path) -> None:
    images = write_table(tmp_path / "home", COUNT)
    call = ("embed", images, "--model", "pixels", *SIZE, "--out", tmp_path / "parts", "--shard")
    for part in ("0/2", "1/2"):
        assert simtool(*call, part).code == 0
    replaced = images.parent / "photographs" / "7.jpg"
    size = replaced.stat().st_size
    Image.fromarray(draw(99)).save(replaced, quality=50)
    os.truncate(replaced, size)  # the same name and size; a decoder does not read beyond the end of the image
    for part in ("0/2", "1/2"):
        assert simtool(*call, part).code == 0
    np.testing.assert_array_equal(open_embeddings(tmp_path / "parts").read(), pixels(images.parent))


def test_only_the_part_of_a_photograph_that_was_replaced_has_to_be_embedded_again(
    simtool: Simtool, tmp_path: Path
) -> None:
    images = write_table(tmp_path / "home", COUNT)
    call = ("embed", images, "--model", "pixels", *SIZE, "--out", tmp_path / "parts", "--shard")
    for part in ("0/2", "1/2"):
        assert simtool(*call, part).code == 0
    Image.fromarray(draw(99)).save(images.parent / "photographs" / "0.jpg")
    assert "wrote  " in simtool(*call, "0/2").err
    np.testing.assert_array_equal(open_embeddings(tmp_path / "parts").read(), pixels(images.parent))
    assert "left   " in simtool(*call, "1/2").err


@pytest.mark.parametrize("other", ["photographs", "rows"])
def test_parts_of_different_images_are_not_one_table(simtool: Simtool, tmp_path: Path, other: str) -> None:
    tables = [write_table(tmp_path / "one", COUNT), write_table(tmp_path / "other", COUNT + (other == "rows"))]
    if other == "photographs":
        for number in range(COUNT):
            Image.fromarray(draw(100 + number)).save(tmp_path / "other" / "photographs" / f"{number}.jpg")
    for at, images in enumerate(tables):
        call = ("embed", images, "--model", "pixels", *SIZE, "--out", tmp_path / "parts", "--shard", f"{at}/2")
        assert simtool(*call).code == 0
    with pytest.raises(
        TableError, match=r"part-00000-of-00002\.parquet and part-00001-of-00002\.parquet were made from"
    ):
        open_embeddings(tmp_path / "parts")


def test_a_part_of_a_version_without_digests_is_left_and_can_be_read(
    simtool: Simtool, home: Path, tmp_path: Path
) -> None:
    part = tmp_path / "parts" / "part-00000-of-00002.parquet"
    call = ("embed", home / "images.parquet", "--model", "pixels", *SIZE, "--out", tmp_path / "parts", "--shard")
    assert simtool(*call, "0/2").code == 0
    assert simtool(*call, "1/2").code == 0
    table = pq.read_table(part)
    metadata = json.loads(table.schema.metadata[b"simtool"])
    for digest in ("images_digest", "files_digest"):
        assert len(metadata.pop(digest)) == 64
    assert len(metadata.pop("images_sample")) == COUNT
    metadata["inputs"] = [{name: entry[name] for name in ("name", "sha256")} for entry in metadata["inputs"]]
    pq.write_table(table.replace_schema_metadata({b"simtool": json.dumps(metadata)}), part)
    assert f"left   {part}" in simtool(*call, "0/2").err
    np.testing.assert_array_equal(open_embeddings(tmp_path / "parts").read(), pixels(home))


def test_a_new_model_makes_its_parts_again(simtool: Simtool, home: Path, pca: Path, tmp_path: Path) -> None:
    # Of the same name and size, in the same place, from the same images: only its weights differ.
    part, model = tmp_path / "parts" / "part-00000-of-00002.parquet", tmp_path / "model"
    fit = ("fit-pca", home / "images.parquet", "--out", model, *SIZE, "--components", 2)
    call = ("embed", home / "images.parquet", "--model", model, "--out", tmp_path / "parts", "--shard", "0/2")
    assert simtool(*fit).code == 0
    assert f"wrote  {part}" in simtool(*call).err
    assert f"left   {part}" in simtool(*call).err
    assert simtool(*fit, "--split", "train").code == 0
    assert f"wrote  {part}" in simtool(*call).err
    assert open_embeddings(part).info.model == load_model(model).weights


def test_batch_size_changes_nothing(simtool: Simtool, home: Path, pca: Path, tmp_path: Path) -> None:
    tables = []
    for size in (1, 5, 64):
        simtool("embed", home / "images.parquet", "--model", pca, "--out", tmp_path / "e.parquet", "--batch-size", size)
        tables.append(open_embeddings(tmp_path / "e.parquet").read())
    np.testing.assert_array_equal(tables[0], tables[1])
    np.testing.assert_array_equal(tables[0], tables[2])


def test_split_name_and_half_precision_can_be_chosen(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "e.parquet"
    options = (*SIZE, "--split", "test", "--name", "colors", "--float16", "--crop", "1")
    assert simtool("embed", home / "images.parquet", "--model", "pixels", "--out", out, *options).code == 0
    table = open_embeddings(out)
    assert table.image_id.tolist() == [f"bird-{number}" for number in range(9, 13)]
    assert (table.info.name, str(table.dtype)) == ("colors", "float16")
    expected = prepared(home / "photographs/9.jpg", 1, 8).ravel().astype(np.float16)
    np.testing.assert_array_equal(table.read(dtype=np.float16)[0], expected)


def test_another_program_reads_the_table(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    simtool("embed", home / "images.parquet", "--model", "pixels", "--out", tmp_path / "e.parquet", *SIZE)
    frame = pd.read_parquet(tmp_path / "e.parquet")
    np.testing.assert_array_equal(np.stack(list(frame["embedding"])), pixels(home))


def test_a_corrupt_photograph_is_named_or_skipped_and_recorded(simtool: Simtool, tmp_path: Path) -> None:
    images, out = write_table(tmp_path, 6), tmp_path / "e.parquet"
    file = tmp_path / "photographs" / "2.jpg"
    file.write_bytes(file.read_bytes()[:-9])
    ran = simtool("embed", images, "--model", "pixels", "--out", out, *SIZE)
    assert ran.code == 1
    assert f"error: bird-2: {file} cannot be decoded: image file is truncated" in ran.err
    assert not out.exists()
    ran = simtool("embed", images, "--model", "pixels", "--out", out, *SIZE, "--skip-bad")
    assert ran.code == 0
    assert "warning: left out 1 image: bird-2" in ran.err
    assert f"wrote  {out}: 5 vectors" in ran.err
    table = open_embeddings(out)
    assert table.info.skipped == ("bird-2",)
    assert table.image_id.tolist() == ["bird-0", "bird-1", "bird-3", "bird-4", "bird-5"]
    expected = [prepared(tmp_path / f"photographs/{number}.jpg", 0.8, 8).ravel() for number in (0, 1, 3, 4, 5)]
    np.testing.assert_array_equal(table.read(), expected)
    assert "(1 skipped: bird-2)" in simtool("show", out).out


def test_skipped_photographs_of_shards_are_gathered(simtool: Simtool, tmp_path: Path) -> None:
    images = write_table(tmp_path, 6)
    for number in (0, 1, 5):
        (tmp_path / f"photographs/{number}.jpg").write_bytes(b"damaged")
    for index in range(3):  # of the first part nothing is left
        options = ("--shard", f"{index}/3", "--skip-bad")
        assert simtool("embed", images, "--model", "pixels", "--out", tmp_path / "parts", *SIZE, *options).code == 0
    table = open_embeddings(tmp_path / "parts")
    assert table.info.skipped == ("bird-0", "bird-1", "bird-5")
    assert table.image_id.tolist() == ["bird-2", "bird-3", "bird-4"]


def test_a_table_of_corrupt_photographs_only_is_an_error(simtool: Simtool, tmp_path: Path) -> None:
    images = write_table(tmp_path, 2)
    for number in range(2):
        (tmp_path / f"photographs/{number}.jpg").write_bytes(b"damaged")
    ran = simtool("embed", images, "--model", "pixels", "--out", tmp_path / "e.parquet", "--skip-bad")
    assert ran.code == 1
    assert "error: no image can be decoded; left out 2 images: bird-0" in ran.err
    assert not (tmp_path / "e.parquet").exists()


def test_a_model_that_does_not_exist_is_one_line(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    ran = simtool("embed", home / "images.parquet", "--model", "pixel", "--out", tmp_path / "e.parquet")
    assert ran.code == 1
    known = "pixels, colour, histogram, gabor, a model folder, a network of"
    assert f"pixel: no such file or folder; --model takes {known}" in ran.err.splitlines()[-1]


def test_missing_photographs_are_counted_before_the_work(simtool: Simtool, tmp_path: Path) -> None:
    images = write_table(tmp_path, 6)
    for number in range(4):
        (tmp_path / f"photographs/{number}.jpg").unlink()
    ran = simtool("embed", images, "--model", "pixels", "--out", tmp_path / "e.parquet", "--skip-bad")
    assert ran.code == 1
    assert "error: 4 of 6 images have no file: bird-0 (" in ran.err
    assert "and 1 more" in ran.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--model", "pixels", "--recipe", "coffee"), "no preprocessing is called coffee"),
        (
            ("--model", "PCA", "--layer", "final"),
            "a PCA has no layers; leave out --layer final",
        ),
        (("--model", "PCA", "--components", "7"), "keep 1 to 6, not 7"),
        (("--model", "pixels", "--split", "dev"), "no image has split dev"),
    ],
)
def test_a_wrong_choice_is_one_line(
    simtool: Simtool, home: Path, pca: Path, tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    arguments = [pca if option == "PCA" else option for option in options]
    ran = simtool("embed", home / "images.parquet", "--out", tmp_path / "e.parquet", *arguments)
    assert ran.code == 2
    assert complaint in ran.err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            ("--model", "PCA", "--size", "64"),
            "an .onnx file or a SavedModel; a model folder has its own preprocessing",
        ),
        (
            ("--model", "PCA", "--recipe", "study", "--crop", "1"),
            "--recipe is for pixels, colour, histogram, gabor, a .keras file, an .onnx file or a SavedModel; a model ",
        ),
        (
            ("--model", "pixels", "--layer", "final"),
            "an .onnx file or a SavedModel; pixels have no layers",
        ),
        (("--model", "pixels", "--components", "3"), "--components is for a model folder; pixels have no layers"),
        (("--model", "pixels", "--noise", "0.1"), "--noise is for a model folder; pixels have no layers"),
        (("--model", "PCA", "--noise", "0.1"), "--noise is for --layer posterior"),
        (("--model", "pixels", "--shard", "4/4"), "I from 0 to N-1"),
        (("--model", "pixels", "--shard", "1"), "I from 0 to N-1"),
        (("--model", "pixels", "--batch-size", "0"), "--batch-size"),
        (("--model", "PCA", "--layer", "a", "--layer", "b"), "give one --layer for each --out, not 2 for 1"),
        (("--model", "pixels", "--out", "other.parquet"), "2 tables of the same layer"),
        ((), "--model"),
    ],
)
def test_wrong_usage_has_exit_code_2(
    simtool: Simtool, home: Path, pca: Path, tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    arguments = [pca if option == "PCA" else option for option in options]
    ran = simtool("embed", home / "images.parquet", "--out", tmp_path / "e.parquet", *arguments)
    assert ran.code == 2
    assert complaint in ran.err
    assert list(tmp_path.iterdir()) == []


def test_the_table_of_images_is_not_overwritten(simtool: Simtool, tmp_path: Path) -> None:
    images = write_table(tmp_path, 2)
    before = images.read_bytes()
    assert simtool("embed", images, "--model", "pixels", "--out", images).code == 1
    assert images.read_bytes() == before


def test_an_unwritable_place_is_found_before_the_work(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path, tmp_path / "file" / "e.parquet"):
        ran = simtool("embed", home / "images.parquet", "--model", "pixels", "--out", out)
        assert ran.code == 1
        assert ran.err.splitlines()[-1].startswith("error: ")
        assert "decod" not in ran.err


def test_a_preprocessing_comes_from_a_file(simtool: Simtool, tmp_path: Path) -> None:
    images, path, out = write_table(tmp_path, 2), tmp_path / "small.json", tmp_path / "small.parquet"
    resize = {"step": "resize", "height": 4, "width": 4, "antialias": True, "filter": "bicubic"}
    path.write_text(json.dumps({"steps": [resize, {"step": "divide", "by": 128}]}))
    command = ("embed", images, "--model", "pixels", "--out", out, "--recipe", path)
    assert simtool(*command).code == 0
    whole = Image.open(tmp_path / "photographs/1.jpg").resize((4, 4), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(open_embeddings(out).read()[1], np.asarray(whole, np.float32).ravel() / 128)
    path.write_text("{}")
    refused = simtool(*command)
    assert (refused.code, "small.json: the preprocessing should be an object" in refused.err) == (1, True)


def test_a_keras_file_from_elsewhere_is_embedded_with_a_preprocessing(simtool: Simtool, tmp_path: Path) -> None:
    load_tensorflow()
    import keras

    images, path = write_table(tmp_path, 3), tmp_path / "birds.keras"
    network = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    network.save(path)
    command = ("embed", images, "--model", path, "--layer", "final", "--out", tmp_path / "final.parquet")
    refused = simtool(*command)
    assert refused.code == 2
    assert "name it with --recipe" in refused.err
    assert simtool(*command, "--recipe", "symmetric").code == 0
    table = open_embeddings(tmp_path / "final.parquet")
    recipe = named_preprocessing("symmetric").adjusted(6)
    pixels = [steps.prepared(np.array(Image.open(tmp_path / f"photographs/{row}.jpg")), recipe) for row in range(3)]
    np.testing.assert_allclose(table.read(), network(np.stack(pixels)).numpy(), atol=1e-5)
    assert (table.info.name, table.info.model) == ("birds final", sha256_of(path))
    other = simtool("embed", images, "--model", "pixels", "--out", tmp_path / "pixels.parquet", "--trust-code")
    assert (other.code, "--trust-code is for a .keras file; pixels" in other.err) == (2, True)


def test_the_layers_of_the_steps_of_a_flow_are_listed_in_one_line_for_each_level(simtool: Simtool) -> None:
    glow = Path(__file__).parents[1] / "fixtures" / "version_0_1" / "glow"
    title, *lines = simtool("embed", "--model", glow, "--list-layers").out.splitlines()
    assert title == f"{glow}: 13 layers"
    assert [" ".join(line.split()) for line in lines][5:] == [
        "activations 6 values",
        "activations/all 12 values",
        "activations/level-1 6 values",
        "activations/level-2 6 values",
        "activations/level-1/step-1 to step-2 3 values",
        "activations/level-2/step-1 to step-2 3 values",
    ]


def test_poolings_of_a_flow_are_named_or_refused_in_one_line(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    glow = Path(__file__).parents[1] / "fixtures" / "version_0_1" / "glow"
    command = ["embed", home / "images.parquet", "--model", glow, "--out", tmp_path / "out.parquet", "--pool"]
    ran = simtool(*command, "surprise", "--window", "0.5", "--layer", "activations/level-1")
    assert ran.code == 0, ran.err
    info = open_embeddings(tmp_path / "out.parquet").info
    assert (info.name, info.layer) == (
        "Glow activations/level-1 (surprise, window 0.5)",
        "activations/level-1:pool=surprise,window=0.5",
    )
    assert info.segments == (Segment("level-1/step-1", 6), Segment("level-1/step-2", 6))
    for layer, complaint in {
        "activations/level-1/step-3": "this flow has no layer activations/level-1/step-3; its layers are latent, ",
        "latent": "layer latent has no option pool; it has none; the layers of maps, such as activations, have it",
    }.items():
        refused = simtool(*command, "mean", "--layer", layer)
        assert refused.code == 2
        assert complaint in refused.err


def test_list_layers_needs_no_images_and_prints_names_and_shapes(simtool: Simtool, tmp_path: Path) -> None:
    network = write_network(tmp_path / "small.onnx")
    ran = simtool("embed", "--model", network, "--list-layers")
    assert ran.code == 0
    title, *lines = ran.out.splitlines()
    pooling = "maps are averaged over their places, which --pool and --window change"
    assert title == f"{network}: {len(lines)} layers; {pooling}"
    assert [" ".join(line.split()) for line in lines] == [
        "embedding 4 values",
        "pooled 5 values",
        "numbers 3 values, the mean of a map of 3 x 6 x 6",
        "turned 3 values, the mean of a map of 3 x 6 x 6",
        "seen 5 values, the mean of a map of 5 x 6 x 6",
        "rectified 5 values, the mean of a map of 5 x 6 x 6",
        "mean 5 values, 5 x 1 x 1",
    ]
    assert list(tmp_path.iterdir()) == [network]


def test_tables_of_one_layer_differ_in_their_pooling_and_say_so(simtool: Simtool, home: Path, tmp_path: Path) -> None:
    network = write_network(tmp_path / "small.onnx")
    tables = [tmp_path / f"{name}.parquet" for name in ("mean", "window", "max")]
    layers = ("rectified:pool=mean", "rectified", "rectified:pool=max")
    outputs = [word for pair in zip(layers, tables, strict=True) for word in ("--layer", pair[0], "--out", pair[1])]
    options = ("--model", network, "--recipe", "torch", "--pool", "mean+std", "--window", 0.5)
    ran = simtool("embed", home / "images.parquet", *options, *outputs)
    assert ran.code == 0
    infos = [open_embeddings(table).info for table in tables]
    assert [(info.name, info.layer) for info in infos] == [
        ("small rectified", "rectified"),
        ("small rectified (mean+std, window 0.5)", "rectified:pool=mean+std,window=0.5"),
        ("small rectified (max)", "rectified:pool=max"),
    ]
    shown = simtool("show", tables[1]).out.splitlines()
    assert [line.split(maxsplit=1)[1] for line in shown if line.split()[0] == "layer"] == [infos[1].layer]


@pytest.mark.parametrize(
    ("layer", "options", "complaint"),
    [
        ("rectified", ("--pool", "median"), "--pool is mean, mean+std, max, flat, surprise, not median"),
        ("rectified", ("--window", 0), "--window is the part of each side that is used, above 0 and at most 1, not 0"),
        ("rectified", ("--pool", "surprise"), "--pool surprise is for flows, which know the length of a code, not for"),
        ("rectified:pool=surprise", (), "--pool surprise is for flows, which know the length of a code, not for"),
        ("rectified:flat", ("--pool", "max"), "--layer rectified:flat states its pooling already; leave out --pool"),
    ],
)
def test_a_pooling_that_does_not_apply_is_one_line(
    layer: str, options: tuple[object, ...], complaint: str, simtool: Simtool, home: Path, tmp_path: Path
) -> None:
    call = ("--model", write_network(tmp_path / "small.onnx"), "--recipe", "torch", "--layer", layer)
    ran = simtool("embed", home / "images.parquet", *call, *options, "--out", tmp_path / "vectors.parquet")
    assert ran.code != 0
    assert [complaint in line for line in ran.err.splitlines() if not line.startswith("read ")] == [True], ran.err
    assert not (tmp_path / "vectors.parquet").exists()


def test_a_pooling_that_the_layer_does_not_have_is_one_line_after_that_of_the_device(
    simtool: Simtool, home: Path, tmp_path: Path
) -> None:
    call = ("--model", write_network(tmp_path / "small.onnx"), "--recipe", "torch", "--layer", "pooled")
    ran = simtool("embed", home / "images.parquet", *call, "--window", 0.5, "--out", tmp_path / "vectors.parquet")
    assert ran.code != 0
    device, complaint = [line for line in ran.err.splitlines() if not line.startswith("read ")]
    assert device.startswith("device CPU")
    assert "layer pooled of small has no map, but a vector of 5 values; leave out --pool" in complaint
    assert not (tmp_path / "vectors.parquet").exists()


def test_every_kind_of_model_lists_its_layers(simtool: Simtool, pca: Path) -> None:
    listed = [simtool("embed", "--model", model, "--list-layers").out for model in ("pixels", "colour", pca)]
    assert listed == [
        "pixels: 49,152 values, 128 x 128 x 3; there is no choice of layers\n",
        "colour: 6 values; there is no choice of layers\n",
        f"{pca}: 6 values; there is no choice of layers\n",
    ]


def test_images_and_an_output_are_needed_to_embed(simtool: Simtool, home: Path) -> None:
    for arguments in ((), (home / "images.parquet",), ("--out", "e.parquet")):
        ran = simtool("embed", *arguments, "--model", "pixels")
        assert ran.code == 2
        assert "embed needs IMAGES, a table of images, and --out; --list-layers needs --model alone" in ran.err
