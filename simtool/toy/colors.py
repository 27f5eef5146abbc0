"""Perceptual colors in OKLab (Ottosson 2020): conversion to sRGB, and names."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["color_name", "color_near", "srgb_of_oklab"]

# https://bottosson.github.io/posts/oklab
_LMS_OF_LAB = np.array(
    [[1.0, 0.3963377774, 0.2158037573], [1.0, -0.1055613458, -0.0638541728], [1.0, -0.0894841775, -1.2914855480]]
)
_RGB_OF_LMS = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)

_NAMED = {
    "Black": (0.20, 0.0, 0.0),
    "Slate": (0.40, -0.01, -0.03),
    "Ash": (0.62, 0.0, 0.0),
    "White": (0.95, 0.0, 0.0),
    "Cream": (0.90, 0.0, 0.06),
    "Buff": (0.77, 0.01, 0.08),
    "Umber": (0.34, 0.03, 0.04),
    "Hazel": (0.50, 0.03, 0.07),
    "Rufous": (0.50, 0.09, 0.08),
    "Scarlet": (0.55, 0.17, 0.09),
    "Maroon": (0.36, 0.10, 0.03),
    "Rose": (0.70, 0.11, 0.02),
    "Amber": (0.72, 0.06, 0.14),
    "Golden": (0.84, 0.00, 0.15),
    "Lime": (0.80, -0.09, 0.14),
    "Olive": (0.50, -0.03, 0.08),
    "Green": (0.52, -0.11, 0.08),
    "Mint": (0.78, -0.09, 0.03),
    "Teal": (0.50, -0.09, -0.02),
    "Azure": (0.62, -0.04, -0.11),
    "Indigo": (0.38, 0.00, -0.13),
    "Violet": (0.45, 0.09, -0.10),
    "Mauve": (0.68, 0.06, -0.06),
}


def srgb_of_oklab(lab: ArrayLike) -> NDArray[np.float32]:
    """Convert OKLab colors (..., 3) to gamma-encoded sRGB (..., 3), clipped to its range from 0 to 1."""
    linear = np.clip((np.asarray(lab, np.float64) @ _LMS_OF_LAB.T) ** 3 @ _RGB_OF_LMS.T, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(encoded, np.float32)


def color_name(lab: ArrayLike) -> str:
    """Return the name of the nearest of 23 colors, as in a field guide."""
    names = list(_NAMED)
    # Hue has more weight than lightness: a dark blue is called blue, not black.
    difference = (np.array([_NAMED[name] for name in names]) - np.asarray(lab, np.float64)) * (1.0, 2.0, 2.0)
    return names[int(np.argmin((difference**2).sum(axis=1)))]


def color_near(rng: np.random.Generator, lightness: float, chroma: float, hue: float) -> NDArray[np.float32]:
    """Draw a random color, (3,) sRGB from 0 to 1, around a color in OKLab's polar form.

    Args:
        rng: the random generator.
        lightness: from 0 to 1.
        chroma: from 0 (gray) to about 0.2.
        hue: in degrees: 29 red, 60 orange, 100 yellow, 140 green, 250 blue, 300 violet.
    """
    lightness = float(np.clip(lightness + 0.05 * rng.standard_normal(), 0.05, 0.97))
    chroma *= float(np.exp(0.25 * rng.standard_normal()))
    angle = np.radians(hue + 9.0 * rng.standard_normal())
    return srgb_of_oklab([lightness, chroma * np.cos(angle), chroma * np.sin(angle)])
