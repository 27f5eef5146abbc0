from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from simtool.models.registry import load_model
from simtool.system.lock import alone_in
from simtool.tables.provenance import sha256_of
from tests.photographs import prepared, write_table

Simtool = Callable[..., Any]
SMALL = ("--size", "8", "--components", "5")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_table(tmp_path, 12, split=["train"] * 8 + ["test"] * 4)


def test_it_fits_the_components_of_the_prepared_photographs(simtool: Simtool, images: Path, tmp_path: Path) -> None:
    ran = simtool("fit-pca", images, "--out", tmp_path / "pca", *SMALL)
    assert ran.code == 0
    assert ran.err.splitlines()[:2] == [
        f"read   {images}: 12 images",
        f"wrote  {tmp_path / 'pca'}: 5 components of 12 images",
    ]
    pixels = np.stack([prepared(tmp_path / f"photographs/{number}.jpg", 0.8, 8).ravel() for number in range(12)])
    full = PCA(5, svd_solver="full").fit(pixels.astype(np.float64))
    model = load_model(tmp_path / "pca")
    np.testing.assert_allclose(model.embed(pixels.reshape(12, 8, 8, 3)), full.transform(pixels), atol=1e-5)
    assert f"{full.explained_variance_ratio_.sum():.4f}" in ran.out


def test_the_model_says_where_it_comes_from(simtool: Simtool, images: Path, tmp_path: Path) -> None:
    simtool("fit-pca", images, "--out", tmp_path / "pca", *SMALL)
    manifest = json.loads((tmp_path / "pca" / "model.json").read_text())
    assert manifest["command"] == ["fit-pca", str(images), "--out", str(tmp_path / "pca"), *SMALL]
    assert [(one["name"], one["sha256"]) for one in manifest["inputs"]] == [(images.as_posix(), sha256_of(images))]
    ran = simtool("show", tmp_path / "pca")
    assert ran.code == 0
    assert ran.out.startswith(f"{tmp_path / 'pca'}: a valid model, kind pca\n")
    assert "images.parquet: unchanged" in ran.out


def test_a_split_size_crop_and_preprocessing_can_be_chosen(simtool: Simtool, images: Path, tmp_path: Path) -> None:
    options = ("--split", "train", "--crop", "0.5", "--recipe", "square", "--scratch", tmp_path)
    ran = simtool("fit-pca", images, "--out", tmp_path / "pca", *SMALL, *options)
    assert ran.code == 0
    assert f"read   {images}: 8 images of split train" in ran.err
    recipe = load_model(tmp_path / "pca").preprocessing
    assert (recipe.name, recipe.shape) == ("square", (8, 8, 3))
    assert recipe.to_json()["steps"][0] == {"step": "central-crop", "fraction": 0.5}


def test_a_corrupt_photograph_is_named_or_skipped_and_recorded(simtool: Simtool, images: Path, tmp_path: Path) -> None:
    file = tmp_path / "photographs" / "3.jpg"
    file.write_bytes(file.read_bytes()[:-9])
    out = tmp_path / "pca"
    ran = simtool("fit-pca", images, "--out", out, *SMALL)
    assert ran.code == 1
    assert f"error: bird-3: {file} cannot be decoded: image file is truncated" in ran.err
    assert not out.exists()
    ran = simtool("fit-pca", images, "--out", out, *SMALL, "--skip-bad")
    assert ran.code == 0
    assert "warning: left out 1 image: bird-3" in ran.err
    log = json.loads((out / "fit.json").read_text())
    assert log["images"] == 11
    assert list(log["skipped"]) == ["bird-3"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--components", "12"), "12 images of 192 values allow 1 to 11 components, not 12"),
        (("--crop", "1.5"), "crop keeps a fraction above 0"),
        (("--recipe", "stdy"), "no preprocessing is called stdy"),
        (("--split", "dev"), "no image has split dev; the table has test, train"),
    ],
)
def test_a_wrong_choice_is_one_line_and_changes_nothing(
    simtool: Simtool, images: Path, tmp_path: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    ran = simtool("fit-pca", images, "--out", tmp_path / "pca", "--size", "8", *arguments)
    assert ran.code == 2
    assert complaint in ran.err.splitlines()[-1]
    assert sorted(tmp_path.rglob("*")) == before


def test_missing_files_are_counted(simtool: Simtool, images: Path, tmp_path: Path) -> None:
    for number in (0, 5):
        (tmp_path / "photographs" / f"{number}.jpg").unlink()
    ran = simtool("fit-pca", images, "--out", tmp_path / "pca", *SMALL)
    assert ran.code == 1
    assert "error: 2 of 12 images have no file: bird-0 (" in ran.err


def test_a_folder_of_other_things_is_not_replaced(simtool: Simtool, images: Path, tmp_path: Path) -> None:
    ran = simtool("fit-pca", images, "--out", tmp_path / "photographs", *SMALL)
    assert ran.code == 1
    assert "this folder holds other files" in ran.err
    assert (tmp_path / "photographs" / "0.jpg").exists()


def test_as_many_components_are_kept_as_there_are_unless_a_number_is_asked_for(
    simtool: Simtool, images: Path, tmp_path: Path
) -> None:
    ran = simtool("fit-pca", images, "--out", tmp_path / "pca", "--size", "8")
    assert ran.code == 0
    assert "11 components instead of 1,000: 12 images have no more" in ran.err
    assert load_model(tmp_path / "pca").output().dimension == 11
    ran = simtool("fit-pca", images, "--out", tmp_path / "pca", "--size", "8", "--components", "1000")
    assert ran.code == 2
    assert "allow 1 to 11 components, not 1,000" in ran.err


def test_an_image_that_is_left_out_takes_a_component_with_it(simtool: Simtool, images: Path, tmp_path: Path) -> None:
    (tmp_path / "photographs" / "3.jpg").write_bytes(b"none")
    ran = simtool("fit-pca", images, "--out", tmp_path / "pca", "--size", "8", "--skip-bad")
    assert ran.code == 0
    assert load_model(tmp_path / "pca").output().dimension == 10


def test_one_image_has_no_components(simtool: Simtool, tmp_path: Path) -> None:
    ran = simtool("fit-pca", write_table(tmp_path, 1), "--out", tmp_path / "pca")
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "error: principal components need at least 2 images, not 1"
    assert not (tmp_path / "pca").exists()


def test_two_fits_of_one_model_do_not_meet(simtool: Simtool, images: Path, tmp_path: Path) -> None:
    with alone_in(tmp_path / "pca", "fit-pca"):
        ran = simtool("fit-pca", images, "--out", tmp_path / "pca", *SMALL)
    assert ran.code == 75
    assert "is in use by fit-pca (process" in " ".join(ran.err.split())
    assert simtool("fit-pca", images, "--out", tmp_path / "pca", *SMALL).code == 0
