"""Photographs of toy birds: pose, place, light and camera, all independent of the bird."""

from __future__ import annotations

import numpy as np
from PIL import Image

from simtool.toy.anatomy import Anatomy, Pose
from simtool.toy.backdrop import paint_backdrop, paint_foreground
from simtool.toy.bird import paint_bird
from simtool.toy.canvas import Array, blurred, cloud
from simtool.toy.frame import Light
from simtool.toy.perch import Perch, paint_perch
from simtool.toy.traits import Bird

__all__ = ["photograph"]

#: Width and height in pixels; most photographs are in landscape format.
_FORMATS = ((320, 240), (320, 240), (320, 240), (320, 214), (300, 240), (280, 280), (240, 320))


def photograph(bird: Bird, rng: np.random.Generator) -> Image.Image:
    """Draw a photograph of a bird with a random pose, place and light; at most 320 pixels on each side.

    If the random generator is independent of the bird, only the bird itself shows its species.
    """
    width, height = _FORMATS[rng.integers(len(_FORMATS))]
    pose, light = _draw_pose(rng), _draw_light(rng)
    anatomy = Anatomy(bird, pose)
    perch = _find_perch(rng, anatomy, width, height)
    image = paint_backdrop(rng, (height, width))
    paint_perch(rng, image, perch)
    paint_bird(image, bird, anatomy, light, perch, rng)
    paint_foreground(rng, image)
    return Image.fromarray(np.uint8(_expose(rng, image) * 255.0 + 0.5))


def _draw_pose(rng: np.random.Generator) -> Pose:
    return Pose(
        tilt=float(np.clip(0.12 + 0.16 * rng.standard_normal(), -0.2, 0.5)),
        faces_left=bool(rng.random() < 0.5),
        tail=float(np.clip(0.15 * rng.standard_normal(), -0.3, 0.45)),
        head=float(rng.uniform(-1.0, 1.0)),
        wing=float(rng.uniform(0.6, 1.0)) if rng.random() < 0.12 else float(rng.uniform(0.0, 0.3)),
    )


def _draw_light(rng: np.random.Generator) -> Light:
    direction = np.array([rng.uniform(-0.9, 0.9), rng.uniform(-1.0, -0.2), rng.uniform(0.4, 1.0)])
    x, y, z = direction / np.linalg.norm(direction)
    return Light((float(x), float(y), float(z)), ambient=float(rng.uniform(0.4, 0.75)))


def _find_perch(rng: np.random.Generator, anatomy: Anatomy, width: int, height: int) -> Perch:
    """Choose the position and size of the bird: large, and nearly always complete."""
    (left, top), (right, bottom) = anatomy.bounds()
    fill = rng.uniform(0.80, 1.08)
    scale = fill * min(width / (right - left), height / (bottom - top))
    free_x, free_y = width - scale * (right - left), height - scale * (bottom - top)
    x = -scale * left + free_x * rng.beta(5.0, 5.0)
    y = -scale * top + free_y * rng.beta(5.0, 5.0)
    return Perch((float(x), float(y)), float(scale))


def _expose(rng: np.random.Generator, image: Array) -> Array:
    """Apply the effects of light, lens and sensor to an image."""
    height, width = image.shape[:2]
    warmth = 0.05 * rng.standard_normal()
    gain = np.exp(0.13 * rng.standard_normal()) * np.array([1.0 + warmth, 1.0, 1.0 - warmth])
    image = image * np.float32(gain)
    # Uneven light: leaves, clouds, and vignetting.
    image *= (1.0 + np.float32(rng.uniform(0.02, 0.10)) * cloud(rng, (height, width), 0.6 * width, 1))[..., None]
    y, x = np.ogrid[-1.0 : 1.0 : height * 1j, -1.0 : 1.0 : width * 1j]
    image *= (1.0 - np.float32(rng.uniform(0.0, 0.14)) * (x * x + y * y).astype(np.float32))[..., None]
    contrast = np.float32(np.exp(0.12 * rng.standard_normal()))
    image = np.clip((image - 0.45) * contrast + 0.45, 0.0, 1.0)
    image = blurred(image, float(rng.uniform(0.25, 0.9)))
    noise = rng.standard_normal((height, width, 3)).astype(np.float32)
    noise += rng.standard_normal((height, width, 1)).astype(np.float32)
    # Photon noise grows with the square root of the light.
    image = image + np.float32(rng.uniform(0.003, 0.013)) * np.sqrt(image + 0.05) * noise
    return np.clip(image, 0.0, 1.0)
