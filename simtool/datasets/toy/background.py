"""What is behind a toy bird, and what it sits on: out-of-focus nature, drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.datasets.toy.canvas import Array, blurred, cloud, layer, polygon, smooth_curve, smoothstep, stroke
from simtool.datasets.toy.colors import srgb_of_oklab

__all__ = ["BACKDROPS", "PERCHES", "Perch", "paint_backdrop", "paint_foreground"]

Color = NDArray[np.float32]
Shape = tuple[int, int]


def paint_backdrop(rng: np.random.Generator, shape: Shape) -> Array:
    """Draw one of BACKDROPS, far out of focus.

    Args:
        rng: which one, and how.
        shape: height and width in pixels.

    Returns:
        (height, width, 3) sRGB from 0 to 1.
    """
    return BACKDROPS[rng.integers(len(BACKDROPS))](rng, shape)


def _color(rng: np.random.Generator, lightness: float, chroma: float, hue: float, spread: float = 1.0) -> Color:
    """A color around one given in OKLab's polar form, hue in degrees."""
    lightness += 0.05 * spread * rng.standard_normal()
    chroma *= float(np.exp(0.25 * spread * rng.standard_normal()))
    angle = np.radians(hue + 9.0 * spread * rng.standard_normal())
    return srgb_of_oklab([np.clip(lightness, 0.05, 0.97), chroma * np.cos(angle), chroma * np.sin(angle)])


def _gradient(shape: Shape, top: Color, bottom: Color, bend: float = 1.0) -> Array:
    """From one color at the top to another at the bottom."""
    share = np.linspace(0.0, 1.0, shape[0], dtype=np.float32)[:, None, None] ** np.float32(bend)
    return np.array(np.broadcast_to(top + share * (bottom - top), (*shape, 3)), np.float32)


def _sky(rng: np.random.Generator, shape: Shape) -> Array:
    top, bottom = _color(rng, 0.62, 0.11, 248), _color(rng, 0.85, 0.04, 235)
    if rng.random() < 0.3:
        top, bottom = _color(rng, 0.62, 0.06, 280), _color(rng, 0.82, 0.09, 62)
    picture = _gradient(shape, top, bottom)
    clouds = smoothstep(0.1, 1.9, cloud(rng, shape, 0.5 * shape[1], octaves=4) + 0.4 * rng.standard_normal())
    layer(picture, np.float32(0.75) * clouds, np.array([0.97, 0.96, 0.95], np.float32))
    if rng.random() < 0.5:
        _paint_treeline(rng, picture)
    return picture


def _paint_treeline(rng: np.random.Generator, picture: Array) -> None:
    height, width = picture.shape[:2]
    edge = height * rng.uniform(0.72, 0.95) + 0.05 * height * cloud(rng, (2, width), 0.2 * width)[0]
    below = smoothstep(-0.03 * height, 0.03 * height, np.arange(height, dtype=np.float32)[:, None] - edge)
    layer(picture, np.float32(0.9) * below, _color(rng, 0.45, 0.05, 135))


def _foliage(rng: np.random.Generator, shape: Shape) -> Array:
    hue = rng.choice([118.0, 128.0, 140.0, 90.0, 65.0], p=[0.3, 0.3, 0.2, 0.1, 0.1])
    picture = _gradient(shape, _color(rng, 0.55, 0.09, hue), _color(rng, 0.40, 0.07, hue))
    for lightness, grain in ((0.30, 0.35), (0.70, 0.22), (0.50, 0.14), (0.85, 0.10)):
        patch = smoothstep(0.3, 1.5, cloud(rng, shape, grain * shape[1], octaves=2))
        layer(picture, np.float32(0.7) * patch, _color(rng, lightness, 0.10, hue))
    picture = blurred(picture, shape[1] * rng.uniform(0.015, 0.035))
    _paint_bokeh(rng, picture, count=int(rng.integers(0, 26)), hue=float(hue))
    return picture


def _paint_bokeh(rng: np.random.Generator, picture: Array, count: int, hue: float) -> None:
    """Discs of light that a lens makes of bright spots far behind what it is focused on."""
    height, width = picture.shape[:2]
    y, x = np.ogrid[:height, :width]
    size = width * rng.uniform(0.025, 0.075)
    for _ in range(count):
        radius = size * rng.uniform(0.7, 1.2)
        away = np.hypot(x - rng.uniform(0, width), y - rng.uniform(0, 0.85 * height)).astype(np.float32) / radius
        disc = smoothstep(1.06, 0.94, away) * (0.75 + 0.25 * np.minimum(away, 1.0) ** 4)
        layer(picture, np.float32(rng.uniform(0.12, 0.45)) * disc, _color(rng, 0.88, 0.07, hue))


def _water(rng: np.random.Generator, shape: Shape) -> Array:
    hue = rng.choice([235.0, 215.0, 150.0])
    picture = _gradient(shape, _color(rng, 0.72, 0.05, hue), _color(rng, 0.45, 0.06, hue))
    height, width = shape
    # Ripples are flat, and finer towards the far end.
    ripples = cloud(rng, (2 * height, width), 0.3 * width, octaves=4, flatness=rng.uniform(5.0, 12.0))
    row = (2 * height - 1) * np.linspace(0.0, 1.0, height) ** 0.5
    wave = ripples[row.astype(np.intp)]
    layer(picture, 0.6 * smoothstep(0.2, 1.6, wave), _color(rng, 0.88, 0.03, hue))
    layer(picture, 0.5 * smoothstep(0.2, 1.6, -wave), _color(rng, 0.30, 0.05, hue))
    if rng.random() < 0.6:
        shore = height * rng.uniform(0.12, 0.35)
        bank = smoothstep(0.04 * height, -0.04 * height, np.arange(height, dtype=np.float32)[:, None] - shore)
        mottled = bank * np.clip(0.75 + 0.2 * cloud(rng, shape, 0.15 * width), 0.0, 1.0)
        layer(picture, np.asarray(mottled, np.float32), _color(rng, 0.46, 0.07, rng.choice([120.0, 90.0, 135.0])))
    return blurred(picture, width * rng.uniform(0.006, 0.02))


def _meadow(rng: np.random.Generator, shape: Shape) -> Array:
    hue = rng.choice([122.0, 105.0, 85.0])
    picture = _gradient(shape, _color(rng, 0.72, 0.07, hue + 10), _color(rng, 0.50, 0.10, hue), bend=0.8)
    height, width = shape
    blades = cloud(rng, shape, 0.035 * width, octaves=2, flatness=0.1)
    fade = np.linspace(0.1, 1.0, height, dtype=np.float32)[:, None]
    layer(picture, 0.5 * fade * smoothstep(0.2, 1.8, blades), _color(rng, 0.82, 0.10, hue))
    layer(picture, 0.5 * fade * smoothstep(0.2, 1.8, -blades), _color(rng, 0.36, 0.08, hue))
    for _ in range(int(rng.integers(0, 14))):
        at = np.array([rng.uniform(0, width), rng.uniform(0.45 * height, height)])
        bloom = stroke(shape, np.stack([at, at]), width * rng.uniform(0.015, 0.04))
        layer(picture, np.float32(0.8) * bloom, _color(rng, 0.82, 0.12, rng.choice([95.0, 20.0, 300.0, 60.0])))
    return blurred(picture, 0.012 * width)


def _woods(rng: np.random.Generator, shape: Shape) -> Array:
    hue = rng.choice([125.0, 80.0, 60.0, 230.0])
    height, width = shape
    picture = _gradient(shape, _color(rng, 0.75, 0.05, hue), _color(rng, 0.45, 0.06, hue))
    glow = smoothstep(-0.5, 1.6, cloud(rng, shape, 0.4 * width, octaves=3))
    layer(picture, np.float32(0.6) * glow, _color(rng, 0.85, 0.06, hue))
    for _ in range(int(rng.integers(4, 10))):
        x, lean, thick = rng.uniform(0, width), 0.08 * width * rng.standard_normal(), width * rng.uniform(0.01, 0.06)
        trunk = stroke(shape, np.array([[x, -9.0], [x + lean, height + 9.0]]), thick)
        layer(picture, np.float32(rng.uniform(0.4, 0.9)) * trunk, _color(rng, 0.32, 0.03, 60))
    return blurred(picture, width * rng.uniform(0.012, 0.03))


def _plain(rng: np.random.Generator, shape: Shape) -> Array:
    hue = rng.uniform(0, 360)
    chroma = 0.02 if hue > 150 else 0.06
    picture = _gradient(shape, _color(rng, rng.uniform(0.35, 0.8), chroma, hue), _color(rng, 0.5, chroma, hue + 25))
    glow = smoothstep(-1.0, 2.0, cloud(rng, shape, 0.8 * shape[1], octaves=2))
    layer(picture, np.float32(0.5) * glow, _color(rng, 0.75, chroma, hue + 15))
    return picture


#: The kinds of background; none belongs to any species.
BACKDROPS: tuple[Callable[[np.random.Generator, Shape], Array], ...] = (
    _sky,
    _foliage,
    _foliage,
    _water,
    _meadow,
    _woods,
    _plain,
)


@dataclass(frozen=True)
class Perch:
    """Where a bird is to stand.

    Attributes:
        at: x and y of its feet in pixels.
        scale: pixels for one length of its body.
        light: how bright the scene is from above, on the perch as on the bird.
    """

    at: tuple[float, float]
    scale: float


def _branch(rng: np.random.Generator, picture: Array, perch: Perch) -> None:
    width = picture.shape[1]
    x, y = perch.at
    slope, thick = 0.16 * rng.standard_normal(), perch.scale * rng.uniform(0.05, 0.15)
    bark = _color(rng, rng.uniform(0.30, 0.58), 0.03, 65)
    # The branch passes under the feet and wanders to both sides of the picture.
    sides = [(s * width * share, s * width * share * slope) for s in (-1.3, 1.3) for share in (0.8, 0.4, 0.15)]
    offsets = sorted([*sides, (0.0, 0.0)])
    spine = np.array(
        [(x + dx, y + thick / 2 + dy + 0.25 * thick * rng.standard_normal() * (dx != 0)) for dx, dy in offsets]
    )
    for _ in range(int(rng.integers(0, 4))):
        _twig(rng, picture, spine, thick, bark)
    _limb(rng, picture, smooth_curve(spine.tolist(), steps=10), thick, bark)


def _limb(rng: np.random.Generator, picture: Array, spine: NDArray[np.float64], thick: float, bark: Color) -> None:
    """Draw wood along a curve: rounder at its upper side, rough along its grain."""
    shape: Shape = (picture.shape[0], picture.shape[1])
    rough = 1.0 + 0.10 * rng.standard_normal(len(spine))
    taper = np.linspace(1.15, 0.8, len(spine)) * rough * thick / 2
    up, down = spine - np.stack([0 * taper, taper], axis=1), spine + np.stack([0 * taper, taper], axis=1)
    outline = np.concatenate([up, down[::-1]])
    mask = polygon(shape, outline)
    middle = np.interp(np.arange(shape[1]), spine[:, 0], spine[:, 1])
    across = (np.arange(shape[0])[:, None] - middle).astype(np.float32) / np.float32(thick / 2)
    grain = cloud(rng, (24, shape[1]), 0.05 * shape[1], octaves=3)
    lines = grain[np.clip(((across + 1.2) * 9).astype(np.intp), 0, 23), np.arange(shape[1])]
    tone = np.clip(0.95 - 0.42 * across + 0.13 * lines, 0.15, 1.7)
    layer(picture, mask, np.asarray(bark * tone[..., None], np.float32))


def _twig(rng: np.random.Generator, picture: Array, spine: NDArray[np.float64], thick: float, bark: Color) -> None:
    shape: Shape = (picture.shape[0], picture.shape[1])
    start = spine[rng.integers(len(spine))] + (rng.uniform(-0.1, 0.1) * shape[1], 0.0)
    angle = rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.2) + rng.choice([0.0, np.pi])
    length = shape[1] * rng.uniform(0.15, 0.4)
    bend = 0.3 * rng.standard_normal()
    curve = smooth_curve(
        [
            tuple(start + share * length * np.array([np.cos(angle + bend * share), np.sin(angle + bend * share)]))
            for share in (0.0, 0.33, 0.66, 1.0)
        ]
    )
    layer(picture, stroke(shape, curve, max(1.0, 0.28 * thick)), bark * 0.8)
    if rng.random() < 0.7:
        hue = rng.choice([125.0, 110.0, 70.0])
        for point in curve[6::3]:
            if rng.random() < 0.6:
                _leaf(rng, picture, point, shape[1] * rng.uniform(0.02, 0.045), _color(rng, 0.58, 0.12, hue))


def _leaf(rng: np.random.Generator, picture: Array, base: NDArray[np.float64], size: float, color: Color) -> None:
    shape: Shape = (picture.shape[0], picture.shape[1])
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]]) * size
    outline = smooth_curve([(0, 0), (0.5, 0.36), (1.2, 0.36), (2.0, 0), (1.2, -0.36), (0.5, -0.36)], 4, closed=True)
    layer(picture, polygon(shape, base + outline @ turn), color)
    half = smooth_curve([(0, 0), (0.5, 0.36), (1.2, 0.36), (2.0, 0)], 4)
    layer(picture, 0.25 * polygon(shape, base + half @ turn), np.ones(3, np.float32))


def _rock(rng: np.random.Generator, picture: Array, perch: Perch) -> None:
    height, width = picture.shape[:2]
    x, y = perch.at
    half = width * rng.uniform(0.3, 0.9)
    knots = [(-1.0, 1.6), (-0.8, 0.5), (-0.4, 0.10), (0.0, 0.0), (0.4, 0.08), (0.8, 0.6), (1.0, 1.6)]
    top = smooth_curve(
        [(x + dx * half, y + (dy + 0.06 * rng.standard_normal() * (dx != 0)) * 0.35 * height) for dx, dy in knots]
    )
    outline = np.concatenate([top, [[x + half, height + 30.0], [x - half, height + 30.0]]])
    mask = polygon((height, width), outline)
    stone = _color(rng, rng.uniform(0.40, 0.65), 0.02, rng.choice([60.0, 90.0, 250.0]))
    surface = np.interp(np.arange(width), top[:, 0], top[:, 1])
    depth = (np.arange(height)[:, None] - surface).astype(np.float32) / np.float32(0.4 * height)
    mottle = cloud(rng, (height, width), 0.12 * width, octaves=5)
    tone = np.clip(1.15 - 0.65 * np.sqrt(np.maximum(depth, 0.0)) + 0.10 * mottle, 0.15, 1.6)
    layer(picture, mask, np.asarray(stone * tone[..., None], np.float32))
    moss = mask * smoothstep(0.5, 1.4, mottle) * smoothstep(0.5, 0.0, depth)
    layer(picture, np.float32(0.7) * moss, _color(rng, 0.45, 0.08, 120))


def _post(rng: np.random.Generator, picture: Array, perch: Perch) -> None:
    height, width = picture.shape[:2]
    x, y = perch.at
    half = perch.scale * rng.uniform(0.22, 0.36)
    lid = 0.28 * half
    wood = _color(rng, rng.uniform(0.38, 0.62), 0.035, 68)
    side = np.array([[x - half, y], [x + half, y], [x + half, height + 9.0], [x - half, height + 9.0]])
    mask = polygon((height, width), side)
    grain = cloud(rng, (6, width), 0.03 * width, octaves=3)
    rows = np.linspace(0, 5, height).astype(np.intp)
    across = (np.arange(width, dtype=np.float32) - np.float32(x)) / np.float32(half)
    tone = np.clip(0.85 - 0.35 * np.abs(across + 0.25) + 0.10 * grain[rows], 0.1, 1.5)
    layer(picture, mask, np.asarray(wood * tone[..., None], np.float32))
    angle = np.linspace(0, 2 * np.pi, 40)
    top = np.stack([x + half * np.cos(angle), y + lid * np.sin(angle)], axis=1)
    layer(picture, polygon((height, width), top), np.minimum(wood * 1.25, 1.0))
    for ring in (0.7, 0.4):
        layer(picture, 0.3 * stroke((height, width), (top - (x, y)) * ring + (x, y), 1.0), wood * 0.6)


#: What a bird can sit on; branches are the most common.
PERCHES: tuple[Callable[[np.random.Generator, Array, Perch], None], ...] = (_branch, _branch, _branch, _rock, _post)


def paint_foreground(rng: np.random.Generator, picture: Array) -> None:
    """Now and then, paint leaves close to the lens, far out of focus, into a corner."""
    if rng.random() > 0.3:
        return
    height, width = picture.shape[:2]
    corner = np.array([rng.choice([0.0, width]), rng.choice([0.05 * height, height])])
    color = _color(rng, 0.5, 0.11, rng.choice([120.0, 135.0, 75.0]))
    mask = np.zeros((height, width), np.float32)
    for _ in range(3):
        at = corner + 0.06 * width * rng.standard_normal(2)
        np.maximum(
            mask,
            stroke((height, width), np.stack([at, at + 0.1 * width * rng.standard_normal(2)]), 0.14 * width),
            out=mask,
        )
    layer(picture, np.float32(0.75) * blurred(mask, 0.03 * width), color)
