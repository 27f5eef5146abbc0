"""Digests of the content of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simtool.tables.digest import files_digest, images_digest, images_sample, labelled_digest
from simtool.tables.images import Images

IMAGES = Images.build(["a", "b"], ["a", "b"], class_id=[0, 1], class_name=["x", None], split=["train", "test"])


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    for name in "ab":
        (tmp_path / name).write_text(name)
    return [tmp_path / name for name in "ab"]


def same_size(paths: list[Path]) -> Images:
    paths[1].write_text("B")
    return IMAGES


def other_size(paths: list[Path]) -> Images:
    paths[1].write_text("bb")
    return IMAGES


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda _: replace(IMAGES, width=np.array([7, 7], np.int32), path=IMAGES.image_id), ""),
        (lambda _: replace(IMAGES, class_id=np.array([0, 2], np.int32)), "l"),
        (lambda _: replace(IMAGES, split=IMAGES.split[::-1]), "l"),
        (lambda _: replace(IMAGES, image_id=IMAGES.image_id[::-1]), "il"),
        (same_size, "sfl"),
        (other_size, "sfl"),
    ],
)
def test_digests_differ_where_the_content_does(
    paths: list[Path], change: Callable[[list[Path]], Images], differs: str
) -> None:
    def digests(images: Images) -> dict[str, str]:
        return {
            "i": images_digest(images),
            "s": str(images_sample(paths)),
            "f": files_digest(paths),
            "l": labelled_digest(images, paths),
        }

    before = digests(IMAGES)
    after = digests(change(paths))
    assert "".join(name for name in before if before[name] != after[name]) == differs


def test_a_missing_file_is_told_from_an_empty_one(tmp_path: Path) -> None:
    missing = files_digest([tmp_path / "x"])
    assert images_sample([tmp_path / "x"]) == (0,)
    (tmp_path / "x").touch()
    assert files_digest([tmp_path / "x"]) != missing


@pytest.mark.parametrize("count", [0, 1, 32, 33, 2_500])
def test_a_few_files_of_a_table_stand_for_all(tmp_path: Path, count: int) -> None:
    (tmp_path / "x").write_text("x")
    assert min(count, 16) <= len(images_sample([tmp_path / "x"] * count)) <= min(count, 32)
