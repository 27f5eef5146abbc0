"""Mean and standard deviation of the color of an image: six numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2lab

from simtool.models.baselines.baseline import Baseline
from simtool.tables.embeddings import Segment

__all__ = ["Color"]


class Color(Baseline):
    """The means of L*, a* and b* over the pixels of the window, then their standard deviations.

    The color space is CIELAB (CIE 15:2004) with the white of daylight (D65). L* is the lightness from 0 to 100, a* goes
    from green to red, b* from blue to yellow. A distance of about 2.3 is just noticeable (Mahy et al., 1994). The
    numbers stay in these units, so that they can be read.
    """

    name = "colour"
    segments: ClassVar[Sequence[Segment]] = (Segment("mean", 3), Segment("std", 3))

    def described(self, image: NDArray[np.float32]) -> NDArray[np.float64]:
        """See :meth:`Baseline.described`."""
        lab = rgb2lab(self.windowed(image).astype(np.float64) / 255).reshape(-1, 3)
        return np.concatenate([lab.mean(axis=0), lab.std(axis=0)])
