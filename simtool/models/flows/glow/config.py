"""The shape of a flow, as data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from simtool.models.errors import ModelError

__all__ = ["MODES", "FlowConfig", "Mode"]

#: Ways of backpropagation through the steps of a level; see :mod:`simtool.models.flows.glow.level`.
Mode = Literal["plain", "recompute", "reversible"]
#: From the fastest to the one that needs the least memory.
MODES: tuple[Mode, ...] = get_args(Mode)

#: Steps for which a batch with as many values of a channel as there are channels is large enough. Measured on untrained
#: flows of 4 levels, as the standard deviation that new images have at the deepest: with that many values 1.09 after
#: 16 steps and 1.44 after 48, with twice as many 1.2 after 48, with a quarter of them 9.
_FITTING_STEPS = 24
#: Nearest sizes to name where one does not fit the depth.
_LARGEST = 4096


@dataclass(frozen=True)
class FlowConfig:
    """What a flow is built from.

    Attributes:
        size: height and width of the images in pixels; divisible by 2 ** levels.
        levels: L, how often the image is squeezed and half of it split off.
        steps: K per level.
        width: hidden channels of the coupling networks.
        coupling: ``affine`` scales and shifts one half given the other; ``additive`` only shifts.
        arrangement: ``glow`` as the reference implementation; ``study`` as TensorFlow Probability's, which the
            original study trained: no learned prior at the deepest scale, its order of squeezed channels, its
            networks.
        bits: of a color channel after dequantisation.
        classes: at the deepest scale, one prior for each of so many classes; 0 for one prior for all.
        channels: of the images.
        compute_dtype: inside the coupling networks; everything else is in the type of the weights.
    """

    size: int
    levels: int
    steps: int
    width: int
    coupling: Literal["affine", "additive"] = "affine"
    arrangement: Literal["glow", "study"] = "glow"
    bits: int = 8
    classes: int = 0
    channels: int = 3
    compute_dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    def __post_init__(self) -> None:
        for name, least, most in (
            ("levels", 1, 12),
            ("steps", 1, 1024),
            ("width", 1, 65536),
            ("bits", 1, 8),
            ("classes", 0, 100_000),
            ("channels", 1, 64),
            ("size", 1, _LARGEST),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise ModelError(f"a flow takes {name} from {least} to {most:,}, not {value}")
        for name, known in (
            ("coupling", ("affine", "additive")),
            ("arrangement", ("glow", "study")),
            ("compute_dtype", ("float32", "bfloat16", "float16")),
        ):
            if getattr(self, name) not in known:
                raise ModelError(f"the {name} of a flow is {' or '.join(known)}, not {getattr(self, name)}")
        if self.size % (step := 2**self.levels):
            below = self.size // step * step
            fitting = " or ".join(str(size) for size in (below, below + step) if size)
            raise ModelError(
                f"images of {self.size} pixels cannot be halved {self.levels} times; choose a size of {fitting}, "
                f"or fewer levels"
            )
        if self.arrangement == "study" and self.classes:
            raise ModelError("the study's arrangement has a standard normal prior, and none for classes")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return self.size, self.size, self.channels

    @property
    def dimension(self) -> int:
        """The number of values of an image, and of its latents."""
        return math.prod(self.shape)

    def level_shape(self, level: int) -> tuple[int, int, int]:
        """What the steps of a level (from 1, the finest) see: height, width and channels after its squeeze."""
        side = self.size // 2**level
        return side, side, self.channels * 2 ** (level + 1)

    def scale_shape(self, level: int) -> tuple[int, int, int]:
        """The latents that leave the flow at a level: half of its channels, at the deepest all of them."""
        height, width, channels = self.level_shape(level)
        return height, width, channels if level == self.levels else channels // 2

    @property
    def least_initial_images(self) -> int:
        """Images that can set actnorm: fewer have too few values of each channel of the deepest level.

        Each step fits a batch a little more closely than the data that it stands for: as many values as channels
        do for up to 24 steps, 48 steps take twice as many.
        """
        height, width, channels = self.level_shape(self.levels)
        return math.ceil(channels * max(1.0, self.steps / _FITTING_STEPS) / (height * width))

    def check_initial_images(self, count: int) -> None:
        """Refuse to set actnorm from too few images.

        Raises:
            ModelError: says how many are enough.
        """
        if count < self.least_initial_images:
            height, width, channels = self.level_shape(self.levels)
            raise ModelError(
                f"{count:,} images are too few to set the {channels:,} channels of {height} x {width} pixels at the "
                f"deepest of {self.levels} levels, {self.least_initial_images:,} are enough: take more photographs or "
                "--initial-images, or fewer --levels"
            )

    def to_json(self) -> dict[str, Any]:
        """As a JSON object that :meth:`from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: object) -> FlowConfig:
        """Read a configuration that another program, or another version, may have written.

        Raises:
            ModelError: a value is missing, unknown or out of range.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(content, dict) or content.keys() - known:
            found = sorted(content.keys() - known) if isinstance(content, dict) else content
            raise ModelError(f"the configuration of a flow does not know {found}")
        try:
            return cls(**content)
        except TypeError as failure:
            raise ModelError(f"the configuration of a flow is incomplete: {failure}") from failure
