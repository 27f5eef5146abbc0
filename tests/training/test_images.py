"""Images as training data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simtool.images.pipeline import BadImage
from simtool.images.preprocessing import PREPROCESSINGS, CentralCrop, Divide, Preprocessing, Resize, Subtract
from simtool.images.steps import prepared
from simtool.images.tensors import transform_colors
from simtool.pillow import ImageError
from simtool.tables.images import Images
from simtool.training import images as training
from simtool.training.devices import ALONE, Worker
from simtool.training.images import Classes, TrainingImages, check_classes, decode_all
from simtool.training.split import Split

SMALL = PREPROCESSINGS["study"].adjusted(size=8)


def written(folder: Path, count: int) -> tuple[Images, list[Path]]:
    generator = np.random.default_rng(3)
    paths = [folder / f"{row}.png" for row in range(count)]
    for path in paths:
        Image.fromarray(generator.integers(0, 256, (20, 24, 3), np.uint8)).save(path)
    names = [path.name for path in paths]
    return Images.build(
        names, names, class_id=np.arange(count) % 2 * 7, class_name=["wren", "lark"] * (count // 2)
    ), paths


def data(count: int = 10, batch_size: int = 3, seed: int = 0) -> TrainingImages:
    pixels = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    split = Split(np.arange(count - 2), np.arange(count - 2, count))
    return TrainingImages(pixels, split, batch_size, seed, np.arange(count, dtype=np.int32))


def labels(batches: object) -> list[list[int]]:
    return [batch["label"].tolist() for batch in batches]  # type: ignore[attr-defined]


@pytest.mark.parametrize("rounding", ["floor", "nearest"])
def test_decoded_images_are_preprocessed_as_bytes(tmp_path: Path, rounding: training.Rounding) -> None:
    images, paths = written(tmp_path, 4)
    found = decode_all(images, paths, SMALL, rounding)
    for row, path in enumerate(paths):
        exact = (prepared(np.array(Image.open(path)), SMALL).astype(np.float64) + 0.5) * 255
        difference = exact - found[row]
        low, high = (-2e-3, 1) if rounding == "floor" else (-0.501, 0.501)
        assert low <= difference.min()
        assert difference.max() <= high


def test_spatial_steps_and_color_steps_together_are_the_whole_preprocessing() -> None:
    mean = (0.1, 0.2, 0.3)
    recipe = Preprocessing("any", (CentralCrop(0.5), Divide(255.0), Resize(6, 6), Subtract(mean)))
    image = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
    spatial = prepared(image, recipe.spatial)
    np.testing.assert_allclose(transform_colors(recipe)(spatial[None])[0], prepared(image, recipe), atol=1e-6)


def test_large_sets_lie_in_a_scratch_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, paths = written(tmp_path, 4)
    in_memory = decode_all(images, paths, SMALL, "floor")
    monkeypatch.setattr(training, "_IN_MEMORY", 10)
    on_disk = decode_all(images, paths, SMALL, "floor", scratch=tmp_path)
    assert isinstance(on_disk, np.memmap)
    np.testing.assert_array_equal(on_disk, in_memory)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_corrupt_image_is_named_or_left_out(tmp_path: Path) -> None:
    images, paths = written(tmp_path, 4)
    paths[2].write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"2\.png"):
        decode_all(images, paths, SMALL, "floor")
    bad: list[BadImage] = []
    decode_all(images, paths, SMALL, "floor", bad=bad)
    assert [image.image_id for image in bad] == ["2.png"]


def test_an_epoch_shows_each_image_at_most_once_in_whole_batches() -> None:
    batches = labels(data().batches(0, 0, ALONE))
    assert [len(batch) for batch in batches] == [3, 3]
    assert len({label for batch in batches for label in batch}) == 6
    assert all(label < 8 for batch in batches for label in batch)


def test_starting_later_leaves_out_batches_and_changes_none() -> None:
    whole = labels(data(20, 4).batches(5, 0, ALONE))
    assert labels(data(20, 4).batches(5, 2, ALONE)) == whole[2:]


def test_epochs_and_seeds_differ() -> None:
    orders = [labels(data(20, 4, seed).batches(epoch, 0, ALONE)) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_workers_share_a_batch_row_by_row() -> None:
    whole = labels(data(20, 5).batches(0, 0, ALONE))
    shares = [labels(data(20, 5).batches(0, 0, Worker(rank, 2))) for rank in range(2)]
    assert [[batch[0::2], batch[1::2]] for batch in whole] == [list(pair) for pair in zip(*shares, strict=True)]


def test_validation_is_whole_and_in_order() -> None:
    assert labels(data(10, 1).validation(ALONE)) == [[8], [9]]


def test_fewer_images_than_a_batch_make_one_batch() -> None:
    assert [sorted(batch) for batch in labels(data(6, 100).batches(0, 0, ALONE))] == [[0, 1, 2, 3]]


def test_classes_become_labels_without_gaps(tmp_path: Path) -> None:
    images, _ = written(tmp_path, 4)
    classes = Classes(images)
    assert (classes.names, classes.labels.tolist()) == (("wren", "lark"), [0, 1, 0, 1])
    with pytest.raises(ImageError, match="lark"):
        check_classes(classes, Split(np.array([0, 2]), np.array([1, 3])))


def test_images_without_a_class_are_refused() -> None:
    with pytest.raises(ImageError, match=r"the first is a\.jpg"):
        Classes(Images.build(["a.jpg"], ["a.jpg"]))
