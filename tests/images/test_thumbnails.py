"""Small copies of images."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simtool.images.pipeline import BadImage
from simtool.images.thumbnails import side_of, thumbnails
from simtool.pillow import ImageError


def refuse(image: BadImage) -> None:
    raise AssertionError(image)


def test_a_thumbnail_keeps_the_proportions_and_the_colors(tmp_path: Path) -> None:
    Image.new("RGB", (300, 150), (10, 200, 90)).save(tmp_path / "wide.png")
    found = thumbnails(["wide"], [tmp_path / "wide.png"], 100, refuse)
    with Image.open(io.BytesIO(found["wide"])) as image:
        assert (image.format, image.size) == ("WEBP", (100, 50))
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - (10, 200, 90)).max() < 8


def test_a_small_image_keeps_its_size(tmp_path: Path) -> None:
    Image.new("L", (20, 30), 7).save(tmp_path / "small.png")
    found = thumbnails(["small"], [tmp_path / "small.png"], 100, refuse)
    assert Image.open(io.BytesIO(found["small"])).size == (20, 30)


def test_a_damaged_image_is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    bad: list[BadImage] = []
    assert thumbnails(["damaged"], [tmp_path / "damaged.png"], 100, bad.append) == {}
    assert [image.image_id for image in bad] == ["damaged"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="absent"):
        thumbnails(["absent"], [tmp_path / "absent.png"], 100, refuse)


def test_thumbnails_are_smaller_where_there_are_many() -> None:
    sides = [side_of(count) for count in (1, 208, 501, 1854, 26_000)]
    assert sides == sorted(sides, reverse=True)
    assert len(set(sides)) == 4
