"""A joint histogram of the colors of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from simtool.models.baselines.baseline import Baseline
from simtool.tables.embeddings import Segment

__all__ = ["BINS", "Histogram"]

#: Bins of each of red, green and blue, each 32 of the 256 values wide.
BINS = 8


class Histogram(Baseline):
    """The square roots of the shares of the pixels of the window in 8 x 8 x 8 bins of red, green and blue.

    Joint color histograms are those of Swain and Ballard (1991), "Color indexing". A vector has the length 1. The
    Euclidean distance of two vectors is the Hellinger distance of the shares times the root of 2, and the product of
    two vectors is the Bhattacharyya coefficient; so ``mse`` and ``cosine`` judge alike.
    """

    name = "histogram"
    segments: ClassVar[Sequence[Segment]] = (Segment("bins", BINS**3),)

    def described(self, image: NDArray[np.float32]) -> NDArray[np.float64]:
        """See :meth:`Baseline.described`. Blue varies fastest."""
        colors = self.windowed(image).reshape(-1, 3)
        counts, _ = np.histogramdd(colors, BINS, range=[(0, 256)] * 3)
        return np.sqrt(counts.ravel() / len(colors))
