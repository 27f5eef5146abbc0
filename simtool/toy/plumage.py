"""The body of a bird: its surface, its colors, its markings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simtool.toy.anatomy import Anatomy
from simtool.toy.canvas import Array, layer, smoothstep
from simtool.toy.frame import DARK, PALE, Frame
from simtool.toy.traits import Bird

__all__ = ["Plumage", "paint_body"]

#: The width of the transition between parts of the body, in body lengths.
_SOFTNESS = 0.02


class Plumage:
    """The body as a sweep of balls along the spine: coverage, height and coordinates of its surface.

    Attributes:
        mask: (height, width) coverage from 0 to 1.
        height: (height, width) the height of the surface towards the viewer, in pixels.
        along: (height, width) from 0 (tail) to 1 (middle of the head).
        across: (height, width) from -1 (belly) to 1 (back).
        fluff: (height, width) texture around 0, in strokes along the body.
        face_x: (height, width) from 0 (middle of the head) to 1 (front of the head).
        face_y: (height, width) from -1 (top of the head) to 1 (throat).
    """

    def __init__(self, frame: Frame, anatomy: Anatomy, rng: np.random.Generator) -> None:
        total, place, girth = (np.zeros(frame.shape, np.float32) for _ in range(3))
        # A ball has more weight for pixels deeper in it: a smooth union (log-sum-exp).
        balls = np.column_stack([anatomy.spine, anatomy.radii]).astype(np.float32)
        for index, (x, y, radius) in enumerate(balls):
            inside = radius - np.sqrt((frame.u - x) ** 2 + (frame.v - y) ** 2)
            weight = np.exp(np.maximum(inside, -0.8) * (1.0 / _SOFTNESS))
            total += weight
            place += weight * np.float32(index)
            girth += weight * radius
        position, girth = place / total, girth / total
        depth = np.log(total) * _SOFTNESS - _SOFTNESS
        fringe = _grain(rng, frame.u * 48.0, frame.v * 48.0)
        self.mask = np.clip((depth + 0.006 * fringe) * frame.scale + 0.5, 0.0, 1.0)
        self.height = girth * np.sqrt(1.0 - np.clip(1.0 - depth / girth, 0.0, 1.0) ** 2) * frame.scale
        self.along = position / np.float32(len(anatomy.spine) - 1)
        knots = np.arange(len(anatomy.spine))
        direction = np.gradient(anatomy.spine, axis=0)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)

        def at(values: NDArray[np.floating]) -> Array:
            return np.asarray(np.interp(position, knots, values), np.float32)

        offset_u, offset_v = frame.u - at(anatomy.spine[:, 0]), frame.v - at(anatomy.spine[:, 1])
        self.across = (offset_u * at(direction[:, 1]) - offset_v * at(direction[:, 0])) / girth
        self.fluff = 0.7 * _grain(rng, self.along * 13.0, self.across * 9.0)
        self.fluff += 0.6 * _grain(rng, self.along * 31.0, self.across * 22.0)
        self.face_x = (frame.u - np.float32(anatomy.head[0])) / np.float32(anatomy.head_radius)
        self.face_y = (frame.v - np.float32(anatomy.head[1])) / np.float32(anatomy.head_radius)


def _grain(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """Return smooth noise over coordinates: random values at integers, interpolated; standard deviation about 0.6."""
    table = rng.standard_normal((64, 64)).astype(np.float32)
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = smoothstep(0.0, 1.0, x - x0), smoothstep(0.0, 1.0, y - y0)
    column, row = x0.astype(np.intp) % 64, y0.astype(np.intp) % 64
    right, below = (column + 1) % 64, (row + 1) % 64
    upper = table[row, column] * (1 - fx) + table[row, right] * fx
    lower = table[below, column] * (1 - fx) + table[below, right] * fx
    return np.asarray(upper * (1 - fy) + lower * fy, np.float32)


def paint_body(frame: Frame, plumage: Plumage, bird: Bird) -> None:
    """Paint head, neck and body: darker above, lighter below, with the markings of the species."""
    # A line from the beak to the nape divides the head; the flank divides the body.
    brow_line = plumage.face_y + 0.16 * plumage.face_x + 0.04
    on_head = smoothstep(0.74, 0.86, plumage.along)
    above = (1.0 - on_head) * plumage.across - on_head * brow_line
    color = frame.filled(bird.color("breast"))
    layer(color, smoothstep(-0.20, 0.25, above + 0.10 * plumage.fluff), bird.color("back"))
    _paint_markings(color, plumage, brow_line, bird)
    color *= (1.0 + 0.07 * plumage.fluff)[..., None]
    color *= frame.shade(plumage.height)[..., None]
    frame.paint(plumage.mask, np.clip(color, 0.0, 1.0))


def _paint_markings(color: Array, plumage: Plumage, brow_line: Array, bird: Bird) -> None:
    along, across, fluff = plumage.along, plumage.across, plumage.fluff
    face_x, face_y = plumage.face_x, plumage.face_y
    front = smoothstep(0.25, 0.0, across + 0.08 * fluff) * smoothstep(0.18, 0.30, along) * smoothstep(0.80, 0.72, along)
    streaks = _cells(along * 9.0, across * 5.5, 0.62, 0.24)
    layer(color, bird.pattern("streaks") * 0.85 * front * streaks, bird.color("wing") * 0.5)
    spots = _cells(along * 13.0, across * 5.0, 0.36, 0.36)
    layer(color, bird.pattern("spots") * 0.9 * front * spots, DARK)
    throat = np.hypot((face_x - 0.35) / 0.95, (face_y - 1.05) / 1.0) + 0.08 * fluff
    layer(color, bird.pattern("bib") * smoothstep(1.0, 0.86, throat), bird.color("bib"))
    near_head = smoothstep(1.45, 1.2, np.hypot(face_x, face_y))
    cap = near_head * smoothstep(0.02, -0.12, brow_line + 0.04 * fluff)
    layer(color, bird.pattern("cap") * cap, bird.color("crown"))
    mask = smoothstep(-1.0, -0.6, face_x) * smoothstep(0.24, 0.14, np.abs(face_y + 0.10 - 0.06 * face_x + 0.03 * fluff))
    layer(color, bird.pattern("mask") * 0.95 * mask, DARK)
    arch = np.abs(face_y + 0.44 - 0.12 * (face_x - 0.2) ** 2 + 0.02 * fluff)
    layer(color, bird.pattern("eyebrow") * smoothstep(-0.95, -0.6, face_x) * smoothstep(0.13, 0.06, arch), PALE)


def _cells(x: Array, y: Array, length: float, width: float) -> Array:
    """Return soft ellipses, one in each cell of a grid with staggered rows; 1 in their middles."""
    row = np.floor(y)
    x = x + 0.5 * (row % 2) + 0.23 * np.sin(row * 12.9)
    dx = (x - np.floor(x) - 0.5) / np.float32(length)
    dy = (y - row - 0.5) / np.float32(width)
    return smoothstep(1.0, 0.55, np.sqrt(dx * dx + dy * dy))
