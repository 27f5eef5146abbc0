"""The shape of a flow, as data."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal, Self, get_args, get_type_hints

from simtool.models.errors import ModelError
from simtool.training.settings import Record, current_names

__all__ = ["INITIAL_IMAGES", "MODES", "FlowConfig", "Mode", "fitting_sizes"]

#: Number of images for data-dependent initialisation, unless a preset says another.
INITIAL_IMAGES = 256

#: Modes of backpropagation. ``plain`` keeps every activation; ``recompute`` keeps the input of each step and computes
#: the rest a second time; ``reversible`` recovers activations by inverting the flow.
Mode = Literal["plain", "recompute", "reversible"]
#: From the fastest mode to the mode that needs the least memory.
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class FlowConfig(Record, ABC):
    """The shape of a multi-scale flow (Dinh et al., 2017, section 3.6). Each kind of flow adds its own fields.

    Each level squeezes its input to half the height and width and four times the channels. After each level but the
    last, half of the channels leave the flow as the latents of that scale.

    Attributes:
        size: height and width of the images in pixels; divisible by 2 ** levels.
        levels: L, the number of scales.
        bits: bits of a color value after dequantization.
        classes: number of classes with a prior each, at the deepest scale; 0 for one prior for all images.
        channels: color channels of the images.
    """

    size: int
    levels: int
    bits: int = field(default=8, kw_only=True)
    classes: int = field(default=0, kw_only=True)
    channels: int = field(default=3, kw_only=True)

    #: The smallest and the largest value of whole numbers.
    ranges: ClassVar[Mapping[str, tuple[int, int]]] = {
        "levels": (1, 12),
        "bits": (1, 8),
        "classes": (0, 100_000),
        "channels": (1, 64),
        "size": (1, 4096),
    }

    def __post_init__(self) -> None:
        for name, (least, most) in self.ranges.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise ModelError(f"a flow takes {name} from {least} to {most:,}, not {value}")
        hints = get_type_hints(type(self))
        for name in (one.name for one in fields(self)):
            if (known := get_args(hints[name])) and getattr(self, name) not in known:
                raise ModelError(f"the {name} of a flow is {' or '.join(known)}, not {getattr(self, name)}")
        self.check_size()

    def check_size(self) -> None:
        """Refuse a size of images that the flow cannot take.

        Raises:
            ModelError: it says which sizes fit.
        """
        if self.size % (step := 2**self.levels):
            raise ModelError(
                f"images of {self.size} pixels cannot be halved {self.levels} times; choose a size of "
                f"{fitting_sizes(self.size, step)}, or fewer levels"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return self.size, self.size, self.channels

    @property
    def dimension(self) -> int:
        """The number of values of an image, and of its latents."""
        return math.prod(self.shape)

    @property
    @abstractmethod
    def couplings(self) -> tuple[int, ...]:
        """The number of couplings of each level, the finest level first."""

    @abstractmethod
    def hidden_shape(self, level: int) -> tuple[int, int, int]:
        """Height, width and channels of the hidden activations of each coupling of a level, from 1, the finest."""

    @property
    def least_initial_images(self) -> int:
        """The least number of images for data-dependent initialisation; 0 if no weight follows from images."""
        return 0

    @property
    def fixed_noise(self) -> float:
        """The noise of dequantization where nothing is random: 0.5, the middle of a bin."""
        return 0.5

    def level_shape(self, level: int) -> tuple[int, int, int]:
        """Height, width and channels within a level (from 1, the finest), after its squeeze."""
        side = self.size // 2**level
        return side, side, self.channels * 2 ** (level + 1)

    def scale_shape(self, level: int) -> tuple[int, int, int]:
        """The shape of the latents that leave at a level: half of its channels, at the deepest level all of them."""
        height, width, channels = self.level_shape(level)
        return height, width, channels if level == self.levels else channels // 2

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Read a configuration, which another program or another version may have written.

        It may have the names of version 0.1.

        Raises:
            ModelError: a value is missing, unknown or out of range.
        """
        known = {one.name for one in fields(cls) if one.init}
        content = current_names(content)
        if not isinstance(content, dict) or content.keys() - known:
            found = sorted(content.keys() - known) if isinstance(content, dict) else content
            raise ModelError(f"the configuration of a flow does not know {found}")
        try:
            return cls(**content)
        except TypeError as failure:
            raise ModelError(f"the configuration of a flow is incomplete: {failure}") from failure


def fitting_sizes(size: int, step: int) -> str:
    """The multiples of ``step`` around a size of images, for a message."""
    below = size // step * step
    return " or ".join(str(fitting) for fitting in (below, below + step) if fitting)
