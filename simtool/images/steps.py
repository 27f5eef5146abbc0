"""The steps of a preprocessing, carried out on an image in numpy.

Each step gives the bits of the function of TensorFlow (a bicubic resize: of Pillow) that it is named after, so that
vectors do not depend on the program that makes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.images.preprocessing import (
    CentralCrop,
    ColorStep,
    Divide,
    Preprocessing,
    Resize,
    ReverseChannels,
    Subtract,
)
from simtool.images.resizing import Side, bicubic, resized
from simtool.pillow import MOST_PIXELS, ImageError

__all__ = ["numbers_of", "prepared", "recolored"]


def prepared(image: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Carry out a preprocessing.

    Args:
        image: (height, width, 3) red, green and blue.
        preprocessing: the steps.

    Returns:
        ``preprocessing.shape``.

    Raises:
        ImageError: the image is too long and narrow to fill the target at its aspect ratio.
    """
    values: NDArray[Any] = image
    for step in preprocessing.steps:
        if isinstance(step, CentralCrop):
            values = _cropped(values, step)
        elif isinstance(step, Resize):
            sides = _sides(values, step)
            values = bicubic(values, *sides) if step.filter == "bicubic" else resized(values, *sides, step.antialias)
        else:
            values = recolored(values, step, numbers_of(step))
    return values.astype(np.float32, copy=False)


def numbers_of(step: ColorStep) -> NDArray[np.float32]:
    """The number of a step for all channels, or its three numbers; none for a step without numbers."""
    if isinstance(step, ReverseChannels):
        return np.empty(0, np.float32)
    numbers = (step.by,) if isinstance(step, Divide) else step.values
    # numpy is slow along an axis of 3.
    return np.array(numbers[0] if len(set(numbers)) == 1 else numbers, np.float32)


def recolored(values: Any, step: ColorStep, numbers: Any) -> Any:
    """Carry out a step that does the same to each pixel.

    Args:
        values: (..., 3), an array; or a float32 tensor.
        step: what to do.
        numbers: :func:`numbers_of` the step, as an array or a tensor.

    Returns:
        An array or a tensor of the same shape.
    """
    if isinstance(step, ReverseChannels):
        return values[..., ::-1]
    return values - numbers if isinstance(step, Subtract) else values / numbers


def _cropped(image: NDArray[Any], step: CentralCrop) -> NDArray[Any]:
    height, width = image.shape[:2]
    top, left = (int((side - side * step.fraction) / 2) for side in (height, width))
    return image[top : height - top, left : width - left]


def _sides(image: NDArray[Any], step: Resize) -> tuple[Side, Side]:
    """Both sides of an image before and after a resize, and the part that is kept."""
    sources, targets = image.shape[:2], (step.height, step.width)
    if step.aspect == "stretch":
        larger = list(targets)
    else:
        scale = max(covered / source for source, covered in zip(sources, step.covered, strict=True))
        if sources[0] * scale * (sources[1] * scale) > MOST_PIXELS:
            raise ImageError("too long and narrow for the size of the preprocessing, which keeps the aspect ratio")
        larger = [max(covered, round(source * scale)) for source, covered in zip(sources, step.covered, strict=True)]
    down, across = (
        Side(source, whole, (whole - target) // 2, target)
        for source, whole, target in zip(sources, larger, targets, strict=True)
    )
    return down, across
