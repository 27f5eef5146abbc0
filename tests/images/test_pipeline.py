from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from simtool.images.pipeline import BadImage, check_files, described, stream
from simtool.images.preprocessing import named_preprocessing
from simtool.pillow import ImageError
from tests.photographs import draw, prepared

SMALL = named_preprocessing("study").adjusted(size=8)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten photographs of different shapes."""
    folder = tmp_path_factory.mktemp("photographs")
    files = [folder / f"{number}.jpg" for number in range(10)]
    for number, file in enumerate(files):
        Image.fromarray(draw(number, 20 + number, 50 - number)).save(file)
    return files


def names(files: list[Path]) -> list[str]:
    return [file.name for file in files]


def test_real_photographs_are_prepared_bit_for_bit_as_in_the_study(birds16: Path) -> None:
    files = sorted((birds16 / "images").rglob("*.jpg"))
    assert len(files) == 208
    rows = []
    for batch in stream(names(files), files, named_preprocessing("study"), 32):
        for row, pixels in zip(batch.rows, batch.pixels, strict=True):
            np.testing.assert_array_equal(pixels, prepared(files[row], 0.8, 128), err_msg=str(files[row]))
        rows += batch.rows.tolist()
    assert rows == list(range(208))


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_order_and_values_do_not_depend_on_the_batch(photographs: list[Path], batch_size: int) -> None:
    batches = list(stream(names(photographs), photographs, SMALL, batch_size))
    assert [len(batch.rows) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert np.concatenate([batch.rows for batch in batches]).tolist() == list(range(10))
    expected = [prepared(file, 0.8, 8) for file in photographs]
    np.testing.assert_array_equal(np.concatenate([batch.pixels for batch in batches]), expected)


def test_a_batch_stays_as_it_was_when_the_next_one_comes(photographs: list[Path]) -> None:
    batches = stream(names(photographs), photographs, SMALL, 4)
    first = next(batches)
    before = first.pixels.copy()
    next(batches)
    np.testing.assert_array_equal(first.pixels, before)


def test_no_images_give_no_batches() -> None:
    assert list(stream([], [], SMALL, 4)) == []


def test_formats_mix(tmp_path: Path) -> None:
    files = [tmp_path / f"bird.{kind}" for kind in ("png", "bmp", "ppm", "tiff")]
    for file in files:
        Image.fromarray(draw(5)).save(file)
    (batch,) = stream(names(files), files, SMALL, 9)
    for pixels in batch.pixels:
        np.testing.assert_array_equal(pixels, prepared(files[0], 0.8, 8))


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff"])
def test_images_that_look_alike_are_alike(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    picture = Image.fromarray(draw(5))
    upright, turned = tmp_path / "upright.png", tmp_path / f"turned.{kind}"
    picture.transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif, lossless=True, quality=100, subsampling=0)
    picture.save(upright)
    (batch,) = stream(["upright", "turned"], [upright, turned], SMALL, 2)
    np.testing.assert_allclose(batch.pixels[0], batch.pixels[1], atol=0.01)


def test_transparent_pixels_show_the_background_of_the_preprocessing(tmp_path: Path) -> None:
    Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    for color, value in (("white", 0.5), ("black", -0.5)):
        recipe = named_preprocessing(f"study:background={color}").adjusted(size=4)
        (batch,) = stream(["clear"], [tmp_path / "clear.png"], recipe, 1)
        assert (batch.pixels == value).all()


def test_a_line_of_pixels_that_cannot_cover_a_square_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    Image.new("L", (100_000, 1)).save(tmp_path / "line.png")
    Image.new("L", (100, 1)).save(tmp_path / "short.png")
    bad: list[BadImage] = []
    files = [tmp_path / "line.png", tmp_path / "short.png"]
    (batch,) = stream(names(files), files, named_preprocessing("square"), 2, bad.append)
    assert batch.rows.tolist() == [1]
    assert [image.reason for image in bad] == [
        "too long and narrow for the size of the preprocessing, which keeps the aspect ratio"
    ]


def damage(photographs: list[Path], folder: Path) -> list[Path]:
    """The photographs, with the third cut off, the fourth no image at all, and the last gone."""
    cut, text = folder / "cut.jpg", folder / "text.png"
    cut.write_bytes(photographs[2].read_bytes()[:-20])
    text.write_text("not found")
    return [*photographs[:2], cut, text, *photographs[4:9], folder / "gone.jpg"]


def test_a_corrupt_image_stops_with_its_name_path_and_reason(photographs: list[Path], tmp_path: Path) -> None:
    files = damage(photographs, tmp_path)
    with pytest.raises(ImageError) as failure:
        list(stream(names(files), files, SMALL, 4))
    text = str(failure.value)
    assert text.startswith(f"cut.jpg: {tmp_path / 'cut.jpg'} cannot be decoded: image file is truncated")
    assert "--skip-bad" in text
    assert "\n" not in text


def test_corrupt_images_can_be_skipped_without_losing_their_neighbors(photographs: list[Path], tmp_path: Path) -> None:
    files, bad = damage(photographs, tmp_path), list[BadImage]()
    batches = list(stream(names(files), files, SMALL, 3, bad.append))
    assert np.concatenate([batch.rows for batch in batches]).tolist() == [0, 1, 4, 5, 6, 7, 8]
    expected = [prepared(file, 0.8, 8) for file in (files[0], files[1], *files[4:9])]
    np.testing.assert_array_equal(np.concatenate([batch.pixels for batch in batches]), expected)
    assert [(image.image_id, image.path) for image in bad] == [
        ("cut.jpg", files[2]), ("text.png", files[3]), ("gone.jpg", files[9]),
    ]  # fmt: skip
    assert [image.reason for image in bad][1:] == ["not an image of a known format", "No such file or directory"]
    assert described(bad).startswith("left out 3 images: cut.jpg: ")


def test_all_images_can_be_corrupt(tmp_path: Path) -> None:
    bad: list[BadImage] = []
    (tmp_path / "a.jpg").touch()
    assert list(stream(["a"], [tmp_path / "a.jpg"], SMALL, 3, bad.append)) == []
    assert bad == [BadImage("a", tmp_path / "a.jpg", "the file is empty")]


def test_missing_files_are_counted_before_the_work(photographs: list[Path], tmp_path: Path) -> None:
    check_files(names(photographs), photographs)
    gone = [tmp_path / f"{number}.jpg" for number in range(5)]
    with pytest.raises(ImageError, match=r"5 of 15 images have no file: 0\.jpg .*and 2 more"):
        check_files(names(photographs + gone), photographs + gone)
