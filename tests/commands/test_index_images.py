from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simtool.tables.images import image_paths, read_images
from tests.studies import IMAGES, write_photographs

Simtool = Callable[..., Any]


def test_it_says_what_it_read_and_wrote(simtool: Simtool, tmp_path: Path) -> None:
    folder, out = write_photographs(tmp_path / "photographs"), tmp_path / "images.parquet"
    (folder / "notes.txt").touch()
    ran = simtool("index-images", folder, "--out", out)
    assert ran.code == 0
    assert ran.err.splitlines()[:3] == [
        f"read   {folder}: 40 images, ignored 1 other file (1 .txt)",
        f"layout {folder}: 4 classes: Species_0, Species_2, Species_1 and 1 more; 2 groups: Family_0, Family_1; "
        "no splits (--layout changes it)",
        f"wrote  {out}: 40 images of 4 classes",
    ]
    images = read_images(out)
    assert images.image_id.tolist() == sorted(IMAGES)
    assert all(path.is_file() for path in image_paths(out, images))


def test_the_folder_and_its_table_can_be_moved_together(simtool: Simtool, tmp_path: Path) -> None:
    write_photographs(tmp_path / "here" / "photographs")
    simtool("index-images", tmp_path / "here" / "photographs", "--out", tmp_path / "here" / "images.parquet")
    (tmp_path / "here").rename(tmp_path / "there")
    out = tmp_path / "there" / "images.parquet"
    assert all(path.is_file() for path in image_paths(out, read_images(out)))


def test_a_flat_folder_has_no_classes_to_count(simtool: Simtool, tmp_path: Path) -> None:
    write_photographs(tmp_path / "p")
    flat = tmp_path / "p" / "Bird" / "Family_0" / "Species_0"
    ran = simtool("index-images", flat, "--out", tmp_path / "images.parquet")
    assert ran.err.splitlines()[2] == f"wrote  {tmp_path / 'images.parquet'}: 10 images"


def test_images_without_a_class_are_no_class(simtool: Simtool, tmp_path: Path) -> None:
    write_photographs(tmp_path / "p")
    folder = tmp_path / "p" / "Bird" / "Family_0"
    first, *_ = sorted((folder / "Species_0").iterdir())
    first.rename(folder / first.name)
    ran = simtool("index-images", folder, "--out", tmp_path / "images.parquet")
    held = {name for name in read_images(tmp_path / "images.parquet").class_name if name}
    assert ran.err.splitlines()[2].endswith(f" of {len(held)} {'class' if len(held) == 1 else 'classes'}")


def test_bad_files_stop_it_unless_they_may_be_skipped(simtool: Simtool, tmp_path: Path) -> None:
    folder, out = write_photographs(tmp_path / "photographs"), tmp_path / "images.parquet"
    (folder / "bad.jpg").write_bytes(b"\xff\xd8 cut off")
    ran = simtool("index-images", folder, "--out", out)
    assert ran.code == 1
    assert ran.err.startswith(
        f"error: {folder}: 1 of 41 image files cannot be read as images: not an image of a known "
    )
    assert "(bad.jpg); replace or remove them" in ran.err
    assert not out.exists()
    ran = simtool("index-images", folder, "--out", out, "--skip-bad")
    assert ran.code == 0
    assert (
        "warning: left out files that cannot be read as images (1): not an image of a known format (bad.jpg)" in ran.err
    )
    assert len(read_images(out)) == 40


def test_images_that_are_not_read_are_named_and_unknown_layouts_refused(simtool: Simtool, tmp_path: Path) -> None:
    folder, out = write_photographs(tmp_path / "photographs"), tmp_path / "images.parquet"
    (folder / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    ran = simtool("index-images", folder, "--out", out)
    assert "warning: ignored images of other formats, or without a suffix (1): " in ran.err
    assert "IMG_0001.HEIC; save them as JPEG or PNG" in ran.err
    ran = simtool("index-images", folder, "--out", out, "--layout", "species")
    assert ran.code == 1
    assert ran.err.startswith("error: no layout is called species; choose auto, flat, or a path such as group/class")


@pytest.mark.parametrize("folder", ["absent", "empty", "file"])
def test_a_folder_without_images_is_an_error(simtool: Simtool, tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    ran = simtool("index-images", tmp_path / folder, "--out", tmp_path / "images.parquet")
    assert ran.code == 1
    assert ran.err.startswith(f"error: {tmp_path / folder}: ")
    assert not (tmp_path / "images.parquet").exists()
