"""Drawing of a toy bird from its traits and pose."""

from __future__ import annotations

import numpy as np

from simtool.toy.anatomy import SPREAD, Anatomy, moved
from simtool.toy.canvas import Array, layer, smooth_curve, smoothstep
from simtool.toy.frame import DARK, PALE, Frame, Light, feather
from simtool.toy.perch import Perch
from simtool.toy.plumage import Plumage, paint_body
from simtool.toy.traits import Bird
from simtool.toy.wing import paint_folded_wing, paint_spread_wing

__all__ = ["paint_bird"]


def paint_bird(
    image: Array, bird: Bird, anatomy: Anatomy, light: Light, perch: Perch, rng: np.random.Generator
) -> None:
    """Paint a bird on its perch into an image (sRGB from 0 to 1), in place; its plumage has a random texture."""
    frame = Frame(image, anatomy, light, perch.at, perch.scale)
    if min(frame.shape) < 2:
        return
    spread = anatomy.pose.wing > SPREAD
    if spread:
        paint_spread_wing(frame, anatomy, bird, dim=0.7, ahead=0.10)
    _paint_legs(frame, anatomy, bird)
    _paint_tail(frame, anatomy, bird)
    _paint_crest(frame, anatomy, bird)
    plumage = Plumage(frame, anatomy, rng)
    paint_body(frame, plumage, bird)
    _paint_beak(frame, anatomy, bird)
    _paint_eye(frame, anatomy)
    if spread:
        paint_spread_wing(frame, anatomy, bird, dim=1.0, ahead=0.0)
    else:
        paint_folded_wing(frame, anatomy, bird, plumage)


def _paint_legs(frame: Frame, anatomy: Anatomy, bird: Bird) -> None:
    color = bird.color("beak") * 0.8 + 0.04
    width = 0.022 + 0.012 * bird.shape("plumpness")
    for side, dim in ((0.10, 0.65), (-0.05, 1.0)):
        hip = np.array([side - 0.06, anatomy.belly - 0.08])
        foot = moved(anatomy.feet, side, 0.0)
        ankle = moved(hip + 0.45 * (foot - hip), -0.10 * anatomy.leg - 0.01, 0.0)
        thigh = np.stack([hip, hip + 0.5 * (ankle - hip)])
        frame.paint(frame.stroke(np.stack([hip, ankle, foot]), width), color * dim)
        frame.paint(frame.stroke(thigh, 0.09), bird.color("breast") * 0.75 * dim)
        for reach in (-0.055, 0.035, 0.075):
            toe = np.stack([moved(foot, 0.0, -0.005), moved(foot, reach, 0.008), moved(foot, reach * 1.15, 0.035)])
            frame.paint(frame.stroke(toe, width * 0.85), color * dim)


def _paint_tail(frame: Frame, anatomy: Anatomy, bird: Bird) -> None:
    angle, length = anatomy.tail_angle, anatomy.tail_length
    fork = bird.shape("tail_fork") - 0.25
    quills, base, wing = 6, anatomy.tail_base, bird.color("wing")
    tone = frame.filled(wing * (0.74 + 0.26 * frame.light.ambient))
    distance = np.hypot(frame.u - base[0], frame.v - base[1])
    band = smoothstep(0.10, 0.08, np.abs(distance - 0.86 * length) / (0.55 + length))
    layer(tone, bird.pattern("tail_band") * band, PALE)
    for index in range(quills):
        spread = (index / (quills - 1) - 0.5) * 2.0
        turned = angle + spread * (0.09 + 0.05 * bird.shape("plumpness"))
        reach = length * (1.0 + 0.42 * fork * (abs(spread) - 0.5))
        quill = feather(base, turned, reach + 0.18, 0.055)
        mask = frame.polygon(quill)
        frame.paint(mask, tone * (0.80 + 0.10 * (index % 2) + 0.04 * index))
        frame.paint(frame.stroke(quill[[0, len(quill) // 2]], 0.008) * 0.35 * mask, wing * 0.4)


def _paint_crest(frame: Frame, anatomy: Anatomy, bird: Bird) -> None:
    size = bird.shape("crest")
    if size < 0.25:
        return
    radius = anatomy.head_radius
    capped = bird.pattern("cap")
    color = capped * bird.color("crown") + (1 - capped) * bird.color("back")
    for index in range(6):
        place = np.pi * (1.32 + 0.05 * index)
        root = anatomy.head + 0.70 * radius * np.array([np.cos(place) + 0.25, np.sin(place)])
        angle = np.pi * (1.30 - 0.05 * index)
        plume = feather(root, angle, radius * (0.5 + 1.9 * size) * (1.0 - 0.11 * index), 0.035 + 0.02 * size)
        shade = 0.62 + 0.07 * index
        frame.paint(frame.polygon(plume), np.clip(color * shade, 0.0, 1.0))


def _paint_beak(frame: Frame, anatomy: Anatomy, bird: Bird) -> None:
    radius, length = anatomy.head_radius, anatomy.beak_length
    depth = (0.030 + 0.085 * bird.shape("beak_depth")) * (radius / 0.17)
    curve = (bird.shape("beak_curve") - 0.45) * (0.16 * length + 0.55 * depth)
    root = anatomy.head + radius * np.array([0.86, 0.14])
    tip = moved(root, length, 0.02 + curve)
    middle = moved(root, 0.5 * length, 0.01 + 0.15 * curve)
    color = bird.color("beak")
    gape = moved(root, -0.03, 0.01)
    upper = smooth_curve(
        [moved(root, -0.04, -depth), moved(middle, 0.0, -0.72 * depth), tip, moved(middle, 0.0, 0.1 * depth), gape]
    )
    end = moved(tip, -0.18 * length, -0.25 * curve)
    lower = smooth_curve([gape, moved(middle, 0.0, 0.05 * depth), end])
    jaw = smooth_curve([end, moved(middle, -0.05, 0.62 * depth), moved(root, -0.04, 0.75 * depth)])
    frame.paint(frame.polygon(np.concatenate([lower, jaw])), color * 0.62)
    frame.paint(frame.polygon(upper), color * 0.95)
    ridge = smooth_curve([moved(root, 0.0, -0.62 * depth), moved(middle, 0.0, -0.42 * depth)])
    frame.paint(frame.stroke(ridge, 0.010) * 0.35, np.minimum(color + 0.35, 1.0))


def _paint_eye(frame: Frame, anatomy: Anatomy) -> None:
    radius = anatomy.head_radius
    center = anatomy.head + radius * np.array([0.36, -0.16])
    size = 0.024 + 0.10 * radius
    frame.paint(frame.dot(center, size * 2.5) * 0.45, PALE * 0.8)
    frame.paint(frame.dot(center, size * 2.15), DARK * 0.6)
    glint = center + size * np.array([0.32, -0.40])
    frame.paint(frame.dot(glint, size * 0.62), np.ones(3, np.float32))
