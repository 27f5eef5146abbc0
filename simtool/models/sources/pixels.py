"""``--model pixels``: the image itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from simtool.models.sources.source import Formula, ModelOptions

if TYPE_CHECKING:
    from simtool.models.pixels import Pixels

__all__ = ["PixelsSource"]


class PixelsSource(Formula):
    """The values of the image."""

    usage = "pixels"
    label = "pixels"
    options: ClassVar[Mapping[str, str]] = {
        "preprocessing": "study, antialiased, or square (keeps the aspect ratio) [study]",
        "size": "height and width [the preprocessing's: 128]",
        "crop": "central part of each side that is kept [the preprocessing's: 0.8]",
    }
    limits = "pixels have no layers, components or weights"

    def open(self, options: ModelOptions) -> Pixels:
        """See :meth:`Source.open`."""
        from simtool.images.preprocessing import chosen_preprocessing
        from simtool.models.pixels import Pixels

        return Pixels(chosen_preprocessing(options.preprocessing or "study", options.size, options.crop))
