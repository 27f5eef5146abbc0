"""What images are, by content."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simtool.tables.digest import files_digest, images_digest, labelled_digest
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
        (same_size, "fl"),
        (other_size, "ifl"),
    ],
)
def test_digests_differ_where_the_content_does(
    paths: list[Path], change: Callable[[list[Path]], Images], differs: str
) -> None:
    def digests(images: Images) -> dict[str, str]:
        return {"i": images_digest(images, paths), "f": files_digest(paths), "l": labelled_digest(images, paths)}

    before = digests(IMAGES)
    after = digests(change(paths))
    assert "".join(name for name in before if before[name] != after[name]) == differs


def test_a_missing_file_is_told_from_an_empty_one(tmp_path: Path) -> None:
    missing = files_digest([tmp_path / "x"]), images_digest(IMAGES, [tmp_path / "x"] * 2)
    (tmp_path / "x").touch()
    assert files_digest([tmp_path / "x"]) != missing[0]
    assert images_digest(IMAGES, [tmp_path / "x"] * 2) != missing[1]


def test_the_sizes_of_a_thousand_files_stand_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    plain = Path.stat

    def counted(self: Path) -> os.stat_result:
        asked.append(self)
        return plain(self)

    monkeypatch.setattr(Path, "stat", counted)
    count = 2_500
    (tmp_path / "x").touch()
    names = [str(number) for number in range(count)]
    images_digest(Images.build(names, names), [tmp_path / "x"] * count)
    assert 500 <= len(asked) <= 1_000
