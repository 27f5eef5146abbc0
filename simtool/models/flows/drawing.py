"""Images that a flow generates: samples, reconstructions and interpolations, as grids in PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simtool.models.flows.view import Passes
from simtool.tables.atomic import atomic_path
from simtool.tensorflow import load_tensorflow

if TYPE_CHECKING:
    from simtool.models.flows.flow import Flow

__all__ = ["TEMPERATURES", "Painter", "great_circle", "write_grid"]

Array = NDArray[np.float32]

#: Temperatures of samples, from the most likely image to the learned density.
TEMPERATURES = (0.0, 0.25, 0.5, 0.7, 0.85, 1.0)
#: White pixels between two images of a grid.
_GAP = 2


class Painter:
    """Generates images by a flow. Images are (b, size, size, 3) float32 from -0.5 to 0.5.

    Args:
        flow: its passes are compiled at their first use. Each call uses the current weights.
    """

    def __init__(self, flow: Flow) -> None:
        tf = load_tensorflow()
        self.flow, self._passes = flow, Passes(flow)

        def decode(latents: Sequence[Any], classes: Any | None) -> Any:
            return flow.decode(latents, classes, flow.precise_weights())

        self._decode = tf.function(decode, autograph=False, reduce_retracing=True)

    def samples(
        self, count: int, temperatures: Sequence[float], seed: int, labels: Sequence[int] | None = None
    ) -> list[Array]:
        """Images from random latents: a row for each temperature, with the same latents in each row.

        Args:
            count: of images in a row.
            temperatures: factors on the standard deviations of the priors.
            seed: of the latents.
            labels: the class of each image of a row, for a flow with classes.
        """
        drawn = self.flow.draw_latents(count, seed)
        return [self._images([np.float32(factor) * scale for scale in drawn], labels) for factor in temperatures]

    def reconstructions(self, images: Array) -> list[Array]:
        """Reconstruct images from fewer and fewer scales.

        A scale that is left out has the latents with the highest density, the means of its prior.

        Args:
            images: dequantized.

        Returns:
            The images; the images from all scales; from all scales but the finest; and so on, to the deepest alone.
        """
        latents = self._latents(images)
        rows = [images]
        for dropped in range(len(latents)):
            kept = [scale if level >= dropped else np.zeros_like(scale) for level, scale in enumerate(latents)]
            rows.append(self._images(kept))
        return rows

    def interpolations(self, first: Array, second: Array, steps: int) -> list[Array]:
        """Interpolate between pairs of images through latents that are as likely as theirs: a row for each pair.

        A row has ``steps`` images, both ends included.

        The latents follow a great circle, since standard normal latents of many dimensions lie close to a sphere.
        """
        ends = [self._latents(images) for images in (first, second)]
        start, end = (np.concatenate([scale.reshape(len(scale), -1) for scale in latents], axis=1) for latents in ends)
        columns = [self._images(_split(along, ends[0])) for along in great_circle(start, end, steps)]
        return list(np.stack(columns, axis=1))

    def _latents(self, images: Array) -> list[Array]:
        return list(self._passes.encode(load_tensorflow().constant(images))[0])

    def _images(self, latents: Sequence[Array], labels: Sequence[int] | None = None) -> Array:
        tf = load_tensorflow()
        classes = None if labels is None else tf.constant(labels, tf.int32)
        images = self._decode([tf.constant(scale) for scale in latents], classes)
        found: Array = images.numpy().astype(np.float32)
        return found


def great_circle(start: Array, end: Array, steps: int) -> list[Array]:
    """Points between vectors (b, D) at equal angles, with interpolated lengths (Shoemake, 1985)."""
    lengths = [np.linalg.norm(one, axis=1, keepdims=True) for one in (start, end)]
    units = [one / np.maximum(length, 1e-12) for one, length in zip((start, end), lengths, strict=True)]
    angle = np.arccos(np.clip(np.sum(units[0] * units[1], axis=1, keepdims=True), -1, 1))
    points = []
    for t in np.linspace(0, 1, steps):
        # sin((1 - t) a) / sin(a) and sin(t a) / sin(a); as a tends to 0, they tend to 1 - t and t.
        weights = [share * np.sinc(share * angle / np.pi) / np.sinc(angle / np.pi) for share in (1 - t, t)]
        direction = weights[0] * units[0] + weights[1] * units[1]
        points.append((direction * ((1 - t) * lengths[0] + t * lengths[1])).astype(np.float32))
    return points


def _split(vectors: Array, like: Sequence[Array]) -> list[Array]:
    """Split vectors (b, D) into arrays with the shapes of ``like``."""
    ends = np.cumsum([scale[0].size for scale in like])[:-1]
    return [part.reshape(scale.shape) for part, scale in zip(np.split(vectors, ends, axis=1), like, strict=True)]


def write_grid(path: Path, rows: Sequence[Array]) -> None:
    """Write rows of images as one PNG.

    Args:
        path: of the file.
        rows: (columns, height, width, 3) each, of one shape, from -0.5 to 0.5; values outside are clipped, NaN black.
    """
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(_grid(rows)).save(temporary, format="PNG")


def _grid(rows: Sequence[Array]) -> NDArray[np.uint8]:
    values = np.nan_to_num((np.asarray(rows, np.float64) + 0.5) * 256, nan=0.0)
    images = np.clip(np.floor(values), 0, 255).astype(np.uint8)
    padded = np.pad(images, ((0, 0), (0, 0), (0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
    count, columns, height, width, channels = padded.shape
    return padded.swapaxes(1, 2).reshape(count * height, columns * width, channels)[:-_GAP, :-_GAP]
