"""The images that the initial weights of an untrained model can follow from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simtool.images.pipeline import BadImage, check_files, stream
from simtool.images.preprocessing import Preprocessing
from simtool.tables.digest import files_digest

__all__ = ["GivenImages"]


@dataclass(frozen=True)
class GivenImages:
    """Images, of which a model chooses some for its initialisation.

    Attributes:
        image_id: (n,) for messages.
        paths: (n,) their files.
        on_bad: called with each image that cannot be decoded, which is then skipped; None makes it an error.
    """

    image_id: NDArray[np.object_]
    paths: Sequence[Path]
    on_bad: Callable[[BadImage], None] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def chosen(self, most: int, seed: int) -> GivenImages:
        """At most ``most`` of the images, in their order; the seed chooses them."""
        if len(self) <= most:
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self), most, replace=False))
        return replace(self, image_id=self.image_id[rows], paths=[self.paths[row] for row in rows])

    def batches(self, preprocessing: Preprocessing, size: int) -> Iterator[NDArray[np.float32]]:
        """The images after a preprocessing, (b, height, width, 3); only the last batch can be smaller than ``size``.

        Raises:
            ImageError: a file is missing, or an image cannot be decoded.
        """
        check_files(self.image_id, self.paths)
        for batch in stream(self.image_id, self.paths, preprocessing, size, self.on_bad):
            yield batch.pixels

    @property
    def digest(self) -> str:
        """A digest of all bytes of the files."""
        return files_digest(self.paths)
