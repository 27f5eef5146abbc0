"""Pixels: the values of an image as its vector."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simtool.images.preprocessing import Preprocessing
from simtool.models.errors import ModelError
from simtool.models.interface import Model, Output
from simtool.tables.embeddings import Segment

__all__ = ["Pixels"]


class Pixels(Model):
    """The values of an image, row by row, as one vector; the colors of each pixel are a segment.

    Args:
        preprocessing: of images; it determines the length of the vector.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        self.preprocessing = preprocessing

    def output(self, layer: str | None = None) -> Output:
        """Height x width segments of three values. See :meth:`Model.output`."""
        if layer is not None:
            raise ModelError(f"pixels have no layers; leave out --layer {layer}")
        height, width, channels = self.preprocessing.shape
        return Output("pixels", self.preprocessing.shape, (Segment("pixels", channels, height * width),))

    def embed(self, images: NDArray[np.float32], layer: str | None = None) -> NDArray[np.float32]:
        """The images, flattened. See :meth:`Model.embed`."""
        return images.reshape(len(images), self.output(layer).dimension)
