from __future__ import annotations

import numpy as np
import pytest

from simtool.images.preprocessing import named_preprocessing
from simtool.models.errors import ModelError
from simtool.models.pixels import Pixels
from simtool.tables.embeddings import Segment


def test_a_vector_is_the_image_row_by_row() -> None:
    pixels = Pixels(named_preprocessing("study").adjusted(size=4))
    images = np.random.default_rng(0).standard_normal((3, 4, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(pixels.embed(images)[1], images[1].ravel())


def test_each_pixel_is_a_segment() -> None:
    output = Pixels(named_preprocessing("study")).output()
    assert (output.name, output.shape, output.dimension) == ("pixels", (128, 128, 3), 49_152)
    assert output.segments == (Segment("pixels", 3, 16_384),)


def test_there_are_no_layers_and_no_components() -> None:
    pixels = Pixels(named_preprocessing("study"))
    assert pixels.layers == ()
    with pytest.raises(ModelError, match="pixels have no layers; leave out --layer final"):
        pixels.output("final")
    with pytest.raises(ModelError, match="pixels: it has no components to keep 10 of"):
        pixels.cut(10)
