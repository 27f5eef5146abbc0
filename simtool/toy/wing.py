"""The wings of a bird, folded or spread."""

from __future__ import annotations

import numpy as np

from simtool.toy.anatomy import Anatomy, moved
from simtool.toy.canvas import Array, blurred, layer, smooth_curve, smoothstep
from simtool.toy.frame import DARK, PALE, Frame, feather
from simtool.toy.plumage import Plumage
from simtool.toy.traits import Bird

__all__ = ["paint_folded_wing", "paint_spread_wing"]

#: The outline of a folded wing: from 0 (shoulder) to 1 (tip), and from -1 (lower edge) to 1 (upper edge).
_ALONG = np.array([-0.04, 0.06, 0.30, 0.60, 0.85, 1.0, 0.82, 0.60, 0.30, 0.06])
_ACROSS = np.array([0.0, 0.80, 1.00, 0.78, 0.32, 0.0, -0.36, -0.80, -0.98, -0.62])


def paint_folded_wing(frame: Frame, anatomy: Anatomy, bird: Bird, plumage: Plumage) -> None:
    """Paint a folded wing along the body, over its shadow."""
    length = 0.62 + 0.42 * bird.shape("wing_length")
    angle = np.arctan2(0.30, -1.0) + 0.25 * anatomy.pose.wing
    axis = np.array([np.cos(angle), np.sin(angle)])
    side = np.array([axis[1], -axis[0]])
    half = 0.155 + 0.03 * bird.shape("plumpness")
    corners = anatomy.shoulder + _ALONG[:, None] * length * axis + _ACROSS[:, None] * half * side
    outline = smooth_curve(corners, steps=6, closed=True)
    mask = frame.polygon(outline)
    shadow = blurred(frame.polygon(moved(outline, 0.0, 0.03)), 0.03 * frame.scale) * plumage.mask
    frame.paint(0.38 * shadow * (1.0 - mask), DARK)
    du, dv = frame.u - np.float32(anatomy.shoulder[0]), frame.v - np.float32(anatomy.shoulder[1])
    a = (du * np.float32(axis[0]) + dv * np.float32(axis[1])) / np.float32(length)
    b = (du * np.float32(side[0]) + dv * np.float32(side[1])) / np.float32(half)
    color = _wing_color(bird, a, b)
    color *= (1.0 + 0.05 * plumage.fluff)[..., None]
    bulge = plumage.height + 0.06 * frame.scale * blurred(mask, 0.035 * frame.scale)
    color *= frame.shade(bulge)[..., None]
    frame.paint(mask, np.clip(color, 0.0, 1.0))


def _wing_color(bird: Bird, a: Array, b: Array) -> Array:
    """Color a folded wing; ``a`` runs from 0 at the shoulder to 1 at the tip, ``b`` from -1 (lower) to 1 (upper)."""
    wing, back = bird.color("wing"), bird.color("back")
    color = np.full((*a.shape, 3), wing, np.float32)
    scallop = a - 0.022 * np.abs(np.sin(b * 7.0)) + 0.05 * b * b
    coverts = smoothstep(0.40, 0.36, scallop)
    layer(color, coverts, 0.6 * wing + 0.4 * back)
    layer(color, smoothstep(0.20, 0.16, scallop), 0.35 * wing + 0.65 * back)
    for edge in (0.17, 0.37):
        line = smoothstep(0.035, 0.0, np.abs(scallop - edge))
        layer(color, 0.35 * line, wing * 0.45)
        bar = smoothstep(0.045, 0.025, np.abs(scallop - edge - 0.035))
        layer(color, bird.pattern("wing_bars") * bar, PALE)
    # Flight feathers form a fan: their edges meet at the tip.
    fan = b / np.maximum(1.06 - a, 0.1)
    rows = fan * 3.2 + a * 1.5
    seam = np.abs(rows - np.round(rows))
    flight = smoothstep(0.38, 0.44, scallop)
    layer(color, 0.55 * flight * smoothstep(0.14, 0.02, seam), np.minimum(wing * 1.5 + 0.12, 1.0))
    layer(color, 0.50 * flight * smoothstep(0.5, 0.42, seam + 0.28) * smoothstep(0.18, 0.26, seam), wing * 0.5)
    layer(color, 0.45 * smoothstep(0.55, 1.0, a), wing * 0.4)
    return color


def paint_spread_wing(frame: Frame, anatomy: Anatomy, bird: Bird, dim: float, ahead: float) -> None:
    """Paint a wing that is spread upwards: flight feathers, then two rows of coverts, from the tip to the body."""
    length = 0.55 + 0.40 * bird.shape("wing_length")
    wing, back = bird.color("wing"), bird.color("back")
    root = moved(anatomy.shoulder, ahead, 0.02)
    pale = bird.pattern("wing_bars")
    rows = (
        (1.0, 0.070, 10, wing),
        (0.56, 0.075, 8, 0.6 * wing + 0.4 * back),
        (0.34, 0.080, 6, 0.35 * wing + 0.65 * back),
    )
    for reach, width, quills, color in rows:
        for index in range(quills):
            share = 1.0 - index / (quills - 1)
            angle = np.pi + 0.12 + 1.15 * anatomy.pose.wing * share
            base = moved(root, -0.16 * (1.0 - share), 0.0)
            size = reach * length * (0.72 + 0.28 * share)
            whole, tip = (frame.polygon(feather(base, angle, part, width)) for part in (size, size * 0.9))
            tone = dim * (0.78 + 0.12 * (index % 2) + 0.12 * (1.0 - share))
            frame.paint(whole, color * 0.55 * dim)
            if reach < 1.0:
                frame.paint(pale * whole, PALE * dim)
            frame.paint(tip, color * tone)
