"""Blurred backgrounds and foregrounds of toy photographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simtool.toy.canvas import Array, blurred, cloud, coverage, layer, smoothstep
from simtool.toy.colors import color_near

__all__ = ["BACKDROPS", "paint_backdrop", "paint_foreground"]

Color = NDArray[np.float32]
Shape = tuple[int, int]


def paint_backdrop(rng: np.random.Generator, shape: Shape) -> Array:
    """Draw a random background of BACKDROPS: (height, width, 3) sRGB from 0 to 1, of a shape in pixels."""
    return BACKDROPS[rng.integers(len(BACKDROPS))](rng, shape)


def _gradient(shape: Shape, top: Color, bottom: Color, bend: float = 1.0) -> Array:
    """Return a color gradient from top to bottom."""
    share = np.linspace(0.0, 1.0, shape[0], dtype=np.float32)[:, None, None] ** np.float32(bend)
    return np.array(np.broadcast_to(top + share * (bottom - top), (*shape, 3)), np.float32)


def _sky(rng: np.random.Generator, shape: Shape) -> Array:
    top, bottom = color_near(rng, 0.62, 0.11, 248), color_near(rng, 0.85, 0.04, 235)
    if rng.random() < 0.3:
        top, bottom = color_near(rng, 0.62, 0.06, 280), color_near(rng, 0.82, 0.09, 62)
    image = _gradient(shape, top, bottom)
    clouds = smoothstep(0.1, 1.9, cloud(rng, shape, 0.5 * shape[1], octaves=4) + 0.4 * rng.standard_normal())
    layer(image, np.float32(0.75) * clouds, np.array([0.97, 0.96, 0.95], np.float32))
    if rng.random() < 0.5:
        _paint_treeline(rng, image)
    return image


def _paint_treeline(rng: np.random.Generator, image: Array) -> None:
    height, width = image.shape[:2]
    edge = height * rng.uniform(0.72, 0.95) + 0.05 * height * cloud(rng, (2, width), 0.2 * width)[0]
    below = smoothstep(-0.03 * height, 0.03 * height, np.arange(height, dtype=np.float32)[:, None] - edge)
    layer(image, np.float32(0.9) * below, color_near(rng, 0.45, 0.05, 135))


def _foliage(rng: np.random.Generator, shape: Shape) -> Array:
    hue = rng.choice([118.0, 128.0, 140.0, 90.0, 65.0], p=[0.3, 0.3, 0.2, 0.1, 0.1])
    image = _gradient(shape, color_near(rng, 0.55, 0.09, hue), color_near(rng, 0.40, 0.07, hue))
    for lightness, grain in ((0.30, 0.35), (0.70, 0.22), (0.50, 0.14), (0.85, 0.10)):
        patch = smoothstep(0.3, 1.5, cloud(rng, shape, grain * shape[1], octaves=2))
        layer(image, np.float32(0.7) * patch, color_near(rng, lightness, 0.10, hue))
    image = blurred(image, shape[1] * rng.uniform(0.015, 0.035))
    _paint_bokeh(rng, image, count=int(rng.integers(0, 26)), hue=float(hue))
    return image


def _paint_bokeh(rng: np.random.Generator, image: Array, count: int, hue: float) -> None:
    """Paint bokeh: discs of light from bright spots far behind the focus."""
    height, width = image.shape[:2]
    y, x = np.ogrid[:height, :width]
    size = width * rng.uniform(0.025, 0.075)
    for _ in range(count):
        radius = size * rng.uniform(0.7, 1.2)
        away = np.hypot(x - rng.uniform(0, width), y - rng.uniform(0, 0.85 * height)).astype(np.float32) / radius
        disc = smoothstep(1.06, 0.94, away) * (0.75 + 0.25 * np.minimum(away, 1.0) ** 4)
        layer(image, np.float32(rng.uniform(0.12, 0.45)) * disc, color_near(rng, 0.88, 0.07, hue))


def _water(rng: np.random.Generator, shape: Shape) -> Array:
    hue = rng.choice([235.0, 215.0, 150.0])
    image = _gradient(shape, color_near(rng, 0.72, 0.05, hue), color_near(rng, 0.45, 0.06, hue))
    height, width = shape
    # Ripples are flat, and finer towards the far end.
    ripples = cloud(rng, (2 * height, width), 0.3 * width, octaves=4, flatness=rng.uniform(5.0, 12.0))
    row = (2 * height - 1) * np.linspace(0.0, 1.0, height) ** 0.5
    wave = ripples[row.astype(np.intp)]
    layer(image, 0.6 * smoothstep(0.2, 1.6, wave), color_near(rng, 0.88, 0.03, hue))
    layer(image, 0.5 * smoothstep(0.2, 1.6, -wave), color_near(rng, 0.30, 0.05, hue))
    if rng.random() < 0.6:
        shore = height * rng.uniform(0.12, 0.35)
        bank = smoothstep(0.04 * height, -0.04 * height, np.arange(height, dtype=np.float32)[:, None] - shore)
        mottled = bank * np.clip(0.75 + 0.2 * cloud(rng, shape, 0.15 * width), 0.0, 1.0)
        layer(image, np.asarray(mottled, np.float32), color_near(rng, 0.46, 0.07, rng.choice([120.0, 90.0, 135.0])))
    return blurred(image, width * rng.uniform(0.006, 0.02))


def _meadow(rng: np.random.Generator, shape: Shape) -> Array:
    hue = rng.choice([122.0, 105.0, 85.0])
    image = _gradient(shape, color_near(rng, 0.72, 0.07, hue + 10), color_near(rng, 0.50, 0.10, hue), bend=0.8)
    height, width = shape
    blades = cloud(rng, shape, 0.035 * width, octaves=2, flatness=0.1)
    fade = np.linspace(0.1, 1.0, height, dtype=np.float32)[:, None]
    layer(image, 0.5 * fade * smoothstep(0.2, 1.8, blades), color_near(rng, 0.82, 0.10, hue))
    layer(image, 0.5 * fade * smoothstep(0.2, 1.8, -blades), color_near(rng, 0.36, 0.08, hue))
    for _ in range(int(rng.integers(0, 14))):
        at = np.array([rng.uniform(0, width), rng.uniform(0.45 * height, height)])
        bloom = coverage(shape, np.stack([at, at]), width * rng.uniform(0.015, 0.04))
        layer(image, np.float32(0.8) * bloom, color_near(rng, 0.82, 0.12, rng.choice([95.0, 20.0, 300.0, 60.0])))
    return blurred(image, 0.012 * width)


def _woods(rng: np.random.Generator, shape: Shape) -> Array:
    hue = rng.choice([125.0, 80.0, 60.0, 230.0])
    height, width = shape
    image = _gradient(shape, color_near(rng, 0.75, 0.05, hue), color_near(rng, 0.45, 0.06, hue))
    glow = smoothstep(-0.5, 1.6, cloud(rng, shape, 0.4 * width, octaves=3))
    layer(image, np.float32(0.6) * glow, color_near(rng, 0.85, 0.06, hue))
    for _ in range(int(rng.integers(4, 10))):
        x, lean, thick = rng.uniform(0, width), 0.08 * width * rng.standard_normal(), width * rng.uniform(0.01, 0.06)
        trunk = coverage(shape, np.array([[x, -9.0], [x + lean, height + 9.0]]), thick)
        layer(image, np.float32(rng.uniform(0.4, 0.9)) * trunk, color_near(rng, 0.32, 0.03, 60))
    return blurred(image, width * rng.uniform(0.012, 0.03))


def _plain(rng: np.random.Generator, shape: Shape) -> Array:
    hue = rng.uniform(0, 360)
    chroma = 0.02 if hue > 150 else 0.06
    top, bottom = color_near(rng, rng.uniform(0.35, 0.8), chroma, hue), color_near(rng, 0.5, chroma, hue + 25)
    image = _gradient(shape, top, bottom)
    glow = smoothstep(-1.0, 2.0, cloud(rng, shape, 0.8 * shape[1], octaves=2))
    layer(image, np.float32(0.5) * glow, color_near(rng, 0.75, chroma, hue + 15))
    return image


#: The kinds of background; all species have the same backgrounds.
BACKDROPS = (_sky, _foliage, _foliage, _water, _meadow, _woods, _plain)


def paint_foreground(rng: np.random.Generator, image: Array) -> None:
    """In 30 % of the images, paint blurred leaves close to the lens into a corner."""
    if rng.random() > 0.3:
        return
    height, width = image.shape[:2]
    corner = np.array([rng.choice([0.0, width]), rng.choice([0.05 * height, height])])
    color = color_near(rng, 0.5, 0.11, rng.choice([120.0, 135.0, 75.0]))
    mask = np.zeros((height, width), np.float32)
    for _ in range(3):
        at = corner + 0.06 * width * rng.standard_normal(2)
        leaf = coverage(mask.shape, np.stack([at, at + 0.1 * width * rng.standard_normal(2)]), 0.14 * width)
        np.maximum(mask, leaf, out=mask)
    layer(image, np.float32(0.75) * blurred(mask, 0.03 * width), color)
