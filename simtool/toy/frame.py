"""The region of an image that contains a bird, with the coordinates of the bird."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.toy.anatomy import Anatomy, Points
from simtool.toy.canvas import Array, coverage, layer, smooth_curve

__all__ = ["DARK", "PALE", "Frame", "Light", "feather"]

#: The colors of markings that all birds share.
DARK = np.array([0.09, 0.08, 0.08], np.float32)
PALE = np.array([0.95, 0.92, 0.84], np.float32)


@dataclass(frozen=True)
class Light:
    """Direction and softness of light.

    Attributes:
        direction: the unit vector to the light: right, down, to the viewer.
        ambient: the share of light without a direction, from 0 to 1.
    """

    direction: tuple[float, float, float]
    ambient: float


class Frame:
    """The region of an image around a bird, with the coordinates of the bird at each pixel."""

    def __init__(self, image: Array, anatomy: Anatomy, light: Light, at: tuple[float, float], scale: float) -> None:
        size = np.array(image.shape[1::-1])
        low, high = (np.clip(at + scale * corner, 0, size).astype(int) for corner in anatomy.bounds())
        (left, top), (right, bottom) = low, high
        self._anatomy, self._at = anatomy, np.asarray(at) - low
        self.scale, self.light = scale, light
        self.image = image[top:bottom, left:right]
        self.shape: tuple[int, int] = (int(bottom - top), int(right - left))
        pixels = np.stack(np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5), axis=-1)
        # Rotation and mirroring are orthogonal: the inverse is the transpose.
        place = (pixels - at) / scale @ anatomy.turn + anatomy.feet
        self.u, self.v = (place[..., axis].astype(np.float32) for axis in (0, 1))

    def pixels(self, points: Points) -> Points:
        """Convert the bird's coordinates to pixels of this region; both (k, 2)."""
        return np.asarray(self._anatomy.placed(points) * self.scale + self._at)

    def polygon(self, points: Points) -> Array:
        """Return the coverage of a polygon in the bird's coordinates."""
        return coverage(self.shape, self.pixels(points))

    def stroke(self, points: Points, width: float) -> Array:
        """Return the coverage of a line in the bird's coordinates."""
        return coverage(self.shape, self.pixels(points), max(0.8, width * self.scale))

    def dot(self, center: Points, width: float) -> Array:
        """Return the coverage of a disc with a center and a diameter in the bird's coordinates."""
        return self.stroke(np.stack([center, center]), width)

    def paint(self, mask: Array, color: NDArray[np.floating]) -> None:
        """Paint over the region with a mask and one color, or a color for each pixel."""
        layer(self.image, mask, color)

    def filled(self, color: NDArray[np.floating]) -> Array:
        """Return an image of this region in one color."""
        return np.full((*self.shape, 3), color, np.float32)

    def shade(self, height: Array) -> Array:
        """Return the brightness of a surface of ``height`` pixels towards the viewer (Lambert's cosine law)."""
        slope_y, slope_x = np.gradient(height)
        x, y, z = self.light.direction
        steep = np.sqrt(1.0 + slope_x**2 + slope_y**2)
        sun = np.maximum(0.0, (z - x * slope_x - y * slope_y) / steep)
        # The sky lights upper surfaces a little more than lower surfaces.
        sky = 0.82 + 0.18 * slope_y / steep
        return np.asarray(self.light.ambient * sky + (1.0 - self.light.ambient) * 1.25 * sun)


def feather(base: Points, angle: float, length: float, width: float) -> Points:
    """Return the outline of a feather: narrow at its base, widest near its rounded tip."""
    along = np.array([0.0, 0.35, 0.75, 0.94, 1.0, 0.94, 0.75, 0.35]) * length
    across = np.array([0.4, 0.75, 1.0, 0.72, 0.0, -0.72, -1.0, -0.75]) * width
    outline = smooth_curve(np.stack([along, across], axis=1), steps=5, closed=True)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(base + outline @ np.array([[cos, sin], [-sin, cos]]))
