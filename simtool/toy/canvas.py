"""Drawing tools: anti-aliased masks, smooth noise, and images as float arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

__all__ = ["Array", "blurred", "cloud", "coverage", "layer", "smooth_curve", "smoothstep"]

#: Images (height, width, 3) and masks (height, width), from 0 to 1; float32, or float64 after some formulas.
Array = NDArray[np.floating]

#: Masks are drawn larger by this factor, and averaged.
_OVERSAMPLING = 4


def coverage(shape: tuple[int, int], points: NDArray[np.floating], width: float = 0.0) -> Array:
    """Return the coverage, (height, width) from 0 to 1, of a polygon with (k, 2) corners, x and y in pixels.

    With a width in pixels, the points are the joints of a line, which are round.
    """
    # Only the box around the drawing is drawn larger.
    height, length = shape
    margin = width / 2 + 1
    left, top = np.clip(np.floor(points.min(axis=0) - margin), 0, (length, height)).astype(int)
    right, bottom = np.clip(np.ceil(points.max(axis=0) + margin), 0, (length, height)).astype(int)
    mask = np.zeros(shape, np.float32)
    if right <= left or bottom <= top:
        return mask
    large = Image.new("L", ((right - left) * _OVERSAMPLING, (bottom - top) * _OVERSAMPLING))
    draw = ImageDraw.Draw(large)
    scaled = (points - (left, top)) * _OVERSAMPLING
    corners = [(float(x), float(y)) for x, y in scaled]
    if width == 0.0:
        draw.polygon(corners, fill=255)
    else:
        thick = max(1, round(width * _OVERSAMPLING))
        draw.line(corners, fill=255, width=thick, joint="curve")
        radius = thick / 2
        for x, y in (corners[0], corners[-1]):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    mask[top:bottom, left:right] = np.asarray(large.reduce(_OVERSAMPLING), np.float32) / 255.0
    return mask


def layer(image: Array, mask: Array, color: NDArray[np.floating]) -> None:
    """Paint one color (3,) or colors (height, width, 3) over an image in place; the mask is the opacity."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    part = image[box]
    part += mask[box][..., None] * ((color if color.ndim == 1 else color[box]) - part)


def smoothstep(low: float, high: float, x: Array) -> Array:
    """Return a smooth step from 0 at ``low`` to 1 at ``high`` (3x^2 - 2x^3); ``low`` can exceed ``high``."""
    x = np.clip((x - low) / (high - low), 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def smooth_curve(points: ArrayLike, steps: int = 8, closed: bool = False) -> NDArray[np.float64]:
    """Return a Catmull-Rom curve through points (k, d) of any dimension d, with ``steps`` points for each piece."""
    p = np.asarray(points, np.float64)
    ahead = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    a, b, c, d = (ahead[i : len(ahead) - 3 + i, None, :] for i in range(4))
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[None, :, None]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    curve = curve.reshape(-1, p.shape[1])
    return curve if closed else np.concatenate([curve, p[-1:]])


def blurred(array: Array, radius: float) -> Array:
    """Apply a Gaussian blur to values from 0 to 1, (height, width) or (height, width, 3)."""
    image = Image.fromarray(np.uint8(np.clip(array, 0.0, 1.0) * 255.0 + 0.5))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255.0


def cloud(
    rng: np.random.Generator, shape: tuple[int, int], grain: float, octaves: int = 3, flatness: float = 1.0
) -> Array:
    """Return smooth random values, (height, width), around 0 with a standard deviation of about 1.

    Args:
        rng: the random generator.
        shape: height and width in pixels.
        grain: the width of the largest blobs in pixels; each further octave has half the size and strength.
        octaves: the number of octaves.
        flatness: the width of a blob divided by its height.
    """
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        size = max(grain / 2**octave, 1.0)
        cells = (max(2, round(width / size) + 1), max(2, round(height / max(size / flatness, 1.0)) + 1))
        coarse = Image.fromarray(rng.standard_normal(cells[::-1], np.float32))
        total += np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) * 0.5**octave
    return total
