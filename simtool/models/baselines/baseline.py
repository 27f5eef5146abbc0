"""A baseline: a formula that describes the colors of an image in a window."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from simtool.images.preprocessing import Preprocessing
from simtool.models.errors import ModelError
from simtool.models.interface import Model, Output
from simtool.models.pooling import Pooling, with_pooling
from simtool.system.threads import in_threads
from simtool.tables.embeddings import Segment

__all__ = ["Baseline"]


class Baseline(Model):
    """A formula from the colors of an image to a vector, without training.

    Attributes:
        name: as users type it.
        segments: the parts of a vector.

    Args:
        preprocessing: of images. Only its crop and its resize apply, because a formula needs the colors themselves.
        window: the central part of each side that is described, above 0, at most 1.

    Raises:
        UsageError: the window is not in this range.
    """

    name: ClassVar[str]
    segments: ClassVar[Sequence[Segment]]

    def __init__(self, preprocessing: Preprocessing, window: float = 1.0) -> None:
        self.preprocessing = preprocessing.spatial
        self.window = Pooling(window=window)

    def output(self, layer: str | None = None) -> Output:
        """Name and layer state the window, if it is not the whole image. See :meth:`Model.output`."""
        if layer is not None:
            raise ModelError(f"{self.name} has no layers; leave out --layer {layer}")
        shape, segments = (sum(segment.length for segment in self.segments),), tuple(self.segments)
        if self.window.window == 1:
            return Output(self.name, shape, segments)
        name = f"{self.name} (window {self.window.window:g})"
        return Output(name, shape, segments, with_pooling(self.name, self.window))

    def embed(self, images: NDArray[np.float32], layer: str | None = None) -> NDArray[np.float32]:
        """The vectors of images with values from 0 to 255. See :meth:`Model.embed`."""
        vectors = np.empty((len(images), self.output(layer).dimension), np.float32)

        def describe(start: int, stop: int) -> None:
            for row in range(start, stop):
                vectors[row] = self.described(images[row])

        in_threads(describe, len(images))
        return vectors

    @abstractmethod
    def described(self, image: NDArray[np.float32]) -> NDArray[np.float64]:
        """The vector (D,) of an image (height, width, 3): red, green and blue of sRGB, from 0 to 255."""

    def windowed(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """The part of an image that lies in the window."""
        height, width, _ = image.shape
        return image[self.window.kept(height), self.window.kept(width)]
