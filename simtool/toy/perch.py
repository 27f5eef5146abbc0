"""Perches of toy birds: branches, rocks, posts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.toy.canvas import Array, cloud, coverage, layer, smooth_curve, smoothstep
from simtool.toy.colors import color_near

__all__ = ["PERCHES", "Perch", "paint_perch"]

Color = NDArray[np.float32]
Shape = tuple[int, int]


@dataclass(frozen=True)
class Perch:
    """The position of a bird.

    Attributes:
        at: x and y of its feet in pixels.
        scale: pixels of a body length.
    """

    at: tuple[float, float]
    scale: float


def paint_perch(rng: np.random.Generator, image: Array, perch: Perch) -> None:
    """Paint a random perch of PERCHES under a bird's feet, in place; the image is sRGB from 0 to 1."""
    PERCHES[rng.integers(len(PERCHES))](rng, image, perch)


def _branch(rng: np.random.Generator, image: Array, perch: Perch) -> None:
    width = image.shape[1]
    x, y = perch.at
    slope, thick = 0.16 * rng.standard_normal(), perch.scale * rng.uniform(0.05, 0.15)
    bark = color_near(rng, rng.uniform(0.30, 0.58), 0.03, 65)
    # The branch passes under the feet and extends to both sides of the image.
    sides = [(s * width * share, s * width * share * slope) for s in (-1.3, 1.3) for share in (0.8, 0.4, 0.15)]
    offsets = sorted([*sides, (0.0, 0.0)])
    spine = np.array(
        [(x + dx, y + thick / 2 + dy + 0.25 * thick * rng.standard_normal() * (dx != 0)) for dx, dy in offsets]
    )
    for _ in range(int(rng.integers(0, 4))):
        _twig(rng, image, spine, thick, bark)
    _limb(rng, image, smooth_curve(spine.tolist(), steps=10), thick, bark)


def _limb(rng: np.random.Generator, image: Array, spine: NDArray[np.float64], thick: float, bark: Color) -> None:
    """Draw wood along a curve: lighter at the top, with rough grain."""
    shape: Shape = (image.shape[0], image.shape[1])
    rough = 1.0 + 0.10 * rng.standard_normal(len(spine))
    taper = np.linspace(1.15, 0.8, len(spine)) * rough * thick / 2
    up, down = spine - np.stack([0 * taper, taper], axis=1), spine + np.stack([0 * taper, taper], axis=1)
    outline = np.concatenate([up, down[::-1]])
    mask = coverage(shape, outline)
    middle = np.interp(np.arange(shape[1]), spine[:, 0], spine[:, 1])
    across = (np.arange(shape[0])[:, None] - middle).astype(np.float32) / np.float32(thick / 2)
    grain = cloud(rng, (24, shape[1]), 0.05 * shape[1], octaves=3)
    lines = grain[np.clip(((across + 1.2) * 9).astype(np.intp), 0, 23), np.arange(shape[1])]
    tone = np.clip(0.95 - 0.42 * across + 0.13 * lines, 0.15, 1.7)
    layer(image, mask, np.asarray(bark * tone[..., None], np.float32))


def _twig(rng: np.random.Generator, image: Array, spine: NDArray[np.float64], thick: float, bark: Color) -> None:
    shape: Shape = (image.shape[0], image.shape[1])
    start = spine[rng.integers(len(spine))] + (rng.uniform(-0.1, 0.1) * shape[1], 0.0)
    angle = rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.2) + rng.choice([0.0, np.pi])
    length = shape[1] * rng.uniform(0.15, 0.4)
    bend = 0.3 * rng.standard_normal()
    turns = [(share, angle + bend * share) for share in (0.0, 0.33, 0.66, 1.0)]
    curve = smooth_curve([start + share * length * np.array([np.cos(turn), np.sin(turn)]) for share, turn in turns])
    layer(image, coverage(shape, curve, max(1.0, 0.28 * thick)), bark * 0.8)
    if rng.random() < 0.7:
        hue = rng.choice([125.0, 110.0, 70.0])
        for point in curve[6::3]:
            if rng.random() < 0.6:
                _leaf(rng, image, point, shape[1] * rng.uniform(0.02, 0.045), color_near(rng, 0.58, 0.12, hue))


def _leaf(rng: np.random.Generator, image: Array, base: NDArray[np.float64], size: float, color: Color) -> None:
    shape: Shape = (image.shape[0], image.shape[1])
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]]) * size
    outline = smooth_curve([(0, 0), (0.5, 0.36), (1.2, 0.36), (2.0, 0), (1.2, -0.36), (0.5, -0.36)], 4, closed=True)
    layer(image, coverage(shape, base + outline @ turn), color)
    half = smooth_curve([(0, 0), (0.5, 0.36), (1.2, 0.36), (2.0, 0)], 4)
    layer(image, 0.25 * coverage(shape, base + half @ turn), np.ones(3, np.float32))


def _rock(rng: np.random.Generator, image: Array, perch: Perch) -> None:
    height, width = image.shape[:2]
    x, y = perch.at
    half = width * rng.uniform(0.3, 0.9)
    knots = [(-1.0, 1.6), (-0.8, 0.5), (-0.4, 0.10), (0.0, 0.0), (0.4, 0.08), (0.8, 0.6), (1.0, 1.6)]
    top = smooth_curve(
        [(x + dx * half, y + (dy + 0.06 * rng.standard_normal() * (dx != 0)) * 0.35 * height) for dx, dy in knots]
    )
    outline = np.concatenate([top, [[x + half, height + 30.0], [x - half, height + 30.0]]])
    mask = coverage((height, width), outline)
    stone = color_near(rng, rng.uniform(0.40, 0.65), 0.02, rng.choice([60.0, 90.0, 250.0]))
    surface = np.interp(np.arange(width), top[:, 0], top[:, 1])
    depth = (np.arange(height)[:, None] - surface).astype(np.float32) / np.float32(0.4 * height)
    mottle = cloud(rng, (height, width), 0.12 * width, octaves=5)
    tone = np.clip(1.15 - 0.65 * np.sqrt(np.maximum(depth, 0.0)) + 0.10 * mottle, 0.15, 1.6)
    layer(image, mask, np.asarray(stone * tone[..., None], np.float32))
    moss = mask * smoothstep(0.5, 1.4, mottle) * smoothstep(0.5, 0.0, depth)
    layer(image, np.float32(0.7) * moss, color_near(rng, 0.45, 0.08, 120))


def _post(rng: np.random.Generator, image: Array, perch: Perch) -> None:
    height, width = image.shape[:2]
    x, y = perch.at
    half = perch.scale * rng.uniform(0.22, 0.36)
    lid = 0.28 * half
    wood = color_near(rng, rng.uniform(0.38, 0.62), 0.035, 68)
    side = np.array([[x - half, y], [x + half, y], [x + half, height + 9.0], [x - half, height + 9.0]])
    mask = coverage((height, width), side)
    grain = cloud(rng, (6, width), 0.03 * width, octaves=3)
    rows = np.linspace(0, 5, height).astype(np.intp)
    across = (np.arange(width, dtype=np.float32) - np.float32(x)) / np.float32(half)
    tone = np.clip(0.85 - 0.35 * np.abs(across + 0.25) + 0.10 * grain[rows], 0.1, 1.5)
    layer(image, mask, np.asarray(wood * tone[..., None], np.float32))
    angle = np.linspace(0, 2 * np.pi, 40)
    top = np.stack([x + half * np.cos(angle), y + lid * np.sin(angle)], axis=1)
    layer(image, coverage((height, width), top), np.minimum(wood * 1.25, 1.0))
    for ring in (0.7, 0.4):
        layer(image, 0.3 * coverage((height, width), (top - (x, y)) * ring + (x, y), 1.0), wood * 0.6)


#: All perches; branches are the most frequent.
PERCHES = (_branch, _branch, _branch, _rock, _post)
