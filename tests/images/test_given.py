"""The images that initial weights can follow from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool.images.given import GivenImages
from simtool.images.preprocessing import named_preprocessing
from simtool.pillow import ImageError
from simtool.tables.images import image_paths, read_images
from tests.photographs import write_table

RECIPE = named_preprocessing("study").adjusted(4)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> GivenImages:
    path = write_table(tmp_path_factory.mktemp("home"), 12)
    table = read_images(path)
    return GivenImages(table.image_id, image_paths(path, table))


def test_the_seed_chooses_different_images_in_their_order(given: GivenImages) -> None:
    assert given.chosen(12, seed=0) is given
    few = {seed: [int(name.removeprefix("bird-")) for name in given.chosen(5, seed).image_id] for seed in range(4)}
    assert all(len(set(rows)) == 5 and rows == sorted(rows) for rows in few.values())
    assert len(set(map(tuple, few.values()))) > 1
    assert given.chosen(5, seed=1).image_id.tolist() == given.chosen(5, seed=1).image_id.tolist()


def test_batches_hold_all_images_in_order_and_the_digest_their_bytes(given: GivenImages) -> None:
    whole = np.concatenate(list(given.batches(RECIPE, 12)))
    np.testing.assert_array_equal(np.concatenate(list(given.batches(RECIPE, 5))), whole)
    assert [len(batch) for batch in given.batches(RECIPE, 5)] == [5, 5, 2]
    assert given.digest != given.chosen(11, seed=0).digest


def test_a_missing_file_is_named(given: GivenImages, tmp_path: Path) -> None:
    lost = GivenImages(given.image_id[:2], [given.paths[0], tmp_path / "lost.jpg"])
    with pytest.raises(ImageError, match=r"bird-1 \(.*lost\.jpg\)"):
        list(lost.batches(RECIPE, 2))
