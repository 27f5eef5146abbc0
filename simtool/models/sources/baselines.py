"""``--model colour``, ``histogram`` and ``gabor``: simple descriptions of an image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from simtool.models.sources.source import Formula, ModelOptions

if TYPE_CHECKING:
    from simtool.models.baselines.baseline import Baseline

__all__ = ["ColorSource", "GaborSource", "HistogramSource"]


class BaselineSource(Formula):
    """A simple description of an image."""

    options: ClassVar[Mapping[str, str]] = {
        "preprocessing": "a preprocessing, of which the crop and the resize are used [antialiased, without its crop]",
        "size": "height and width [the preprocessing's: 128]",
        "crop": "central part of each side that is kept [all]",
        "window": "the central part of each side of the image that is described [1, the whole image]",
    }
    limits = "a baseline has no layers, components or weights"

    def open(self, options: ModelOptions) -> Baseline:
        """See :meth:`Source.open`."""
        from simtool.images.preprocessing import chosen_preprocessing, named_preprocessing

        whole = named_preprocessing("antialiased").adjusted(crop=1.0)
        preprocessing = chosen_preprocessing(options.preprocessing or whole, options.size, options.crop)
        return self.baseline()(preprocessing, 1.0 if options.window is None else options.window)

    @staticmethod
    @abstractmethod
    def baseline() -> type[Baseline]:
        """The class of the model, whose module imports large libraries."""


class ColorSource(BaselineSource):
    """Mean and standard deviation of the color. Both spellings name it."""

    usage = label = "colour"

    @classmethod
    def is_named(cls, argument: str) -> bool:
        """See :meth:`Source.is_named`."""
        return argument in (cls.usage, "color")

    @staticmethod
    def baseline() -> type[Baseline]:
        """See :meth:`BaselineSource.baseline`."""
        from simtool.models.baselines.color import Color

        return Color


class HistogramSource(BaselineSource):
    """A histogram of the colors."""

    usage = label = "histogram"

    @staticmethod
    def baseline() -> type[Baseline]:
        """See :meth:`BaselineSource.baseline`."""
        from simtool.models.baselines.histogram import Histogram

        return Histogram


class GaborSource(BaselineSource):
    """Energies of Gabor filters."""

    usage = label = "gabor"

    @staticmethod
    def baseline() -> type[Baseline]:
        """See :meth:`BaselineSource.baseline`."""
        from simtool.models.baselines.gabor import Gabor

        return Gabor
