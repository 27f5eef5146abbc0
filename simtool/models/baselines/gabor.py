"""Energies of a bank of Gabor filters: the texture of an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from skimage.color import rgb2gray
from skimage.filters import gabor_kernel

from simtool.images.preprocessing import Preprocessing
from simtool.models.baselines.baseline import Baseline
from simtool.tables.embeddings import Segment

__all__ = ["FREQUENCIES", "ORIENTATIONS", "Gabor", "filters"]

#: The centers of the filters in cycles per pixel.
FREQUENCIES = (0.05, 0.1, 0.2, 0.4)
#: The number of orientations. The wave of the first runs along the rows.
ORIENTATIONS = 6
_FILTERS = len(FREQUENCIES) * ORIENTATIONS


class Gabor(Baseline):
    """The mean magnitude of the response of each filter over the pixels of the window, then the standard deviations.

    These are the features of Manjunath and Ma (1996), "Texture features for browsing and retrieval of image data",
    IEEE Transactions on Pattern Analysis and Machine Intelligence 18 (8), with 4 frequencies and 6 orientations. The
    filters are in order of the frequency, then of the orientation. The image is gray, from 0 to 1, without its mean,
    and mirrored at its borders. At the border of a window, filters see pixels outside of it.
    """

    name = "gabor"
    segments: ClassVar[Sequence[Segment]] = (Segment("mean", _FILTERS), Segment("std", _FILTERS))

    def __init__(self, preprocessing: Preprocessing, window: float = 1.0) -> None:
        super().__init__(preprocessing, window)
        height, width, _ = self.preprocessing.shape
        self._banks = [_Bank.of(filters(frequency), height, width) for frequency in FREQUENCIES]

    def described(self, image: NDArray[np.float32]) -> NDArray[np.float64]:
        """See :meth:`Baseline.described`."""
        gray = rgb2gray(image / np.float32(255))
        gray -= gray.mean()
        maps = np.concatenate([np.abs(bank.responses(gray)) for bank in self._banks])
        seen = self.windowed(np.moveaxis(maps, 0, -1)).astype(np.float64)
        return np.concatenate([seen.mean(axis=(0, 1)), seen.std(axis=(0, 1))])


def filters(frequency: float) -> list[NDArray[np.complex64]]:
    """The filters of all orientations at a frequency.

    In the Fourier domain, neighboring filters touch where they have half of their peak (Manjunath & Ma, 1996, section
    2.2), for frequencies that double. All filters have the same energy: the sum of squares is 1.

    Args:
        frequency: cycles per pixel.

    Returns:
        An array (height, width) for each orientation, with odd sides.
    """
    along = frequency / 3
    across = math.tan(math.pi / (2 * ORIENTATIONS)) * math.sqrt(frequency**2 - along**2)
    # A Gaussian that falls to half of its peak at a distance of 1 from its center has this inverse width.
    half = math.sqrt(2 * math.log(2)) / (2 * math.pi)
    angles = [math.pi * index / ORIENTATIONS for index in range(ORIENTATIONS)]
    kernels = [gabor_kernel(frequency, angle, sigma_x=half / along, sigma_y=half / across) for angle in angles]
    return [(kernel / np.linalg.norm(kernel)).astype(np.complex64) for kernel in kernels]


@dataclass(frozen=True)
class _Bank:
    """Filters, ready for images of one size.

    Attributes:
        reach: how many pixels the widest filter sees on each side.
        spectra: (k, h, w) Fourier transforms of the filters, of at least the height and width of a padded image.
    """

    reach: int
    spectra: NDArray[np.complex64]

    @classmethod
    def of(cls, kernels: Sequence[NDArray[np.complex64]], height: int, width: int) -> Self:
        """Prepare filters for images of a height and width."""
        reach = max(side // 2 for kernel in kernels for side in kernel.shape)
        padded = [np.pad(kernel, [(reach - side // 2,) * 2 for side in kernel.shape]) for kernel in kernels]
        size = [fft.next_fast_len(side + 2 * reach) for side in (height, width)]
        return cls(reach, fft.fft2(padded, s=size))

    def responses(self, gray: NDArray[np.float32]) -> NDArray[np.complex64]:
        """The responses (k, height, width) to an image (height, width), which is mirrored at its borders."""
        padded = np.pad(gray, self.reach, mode="symmetric")
        _, *size = self.spectra.shape
        responses = fft.ifft2(fft.fft2(padded, s=size) * self.spectra, overwrite_x=True)
        first = 2 * self.reach
        found: NDArray[np.complex64] = responses[:, first : first + gray.shape[0], first : first + gray.shape[1]]
        return found
