"""The shape of a Glow, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from simtool.models.errors import ModelError
from simtool.models.flows.config import FlowConfig

__all__ = ["GlowConfig"]

#: Number of steps for which a batch with as many values of a channel as there are channels is large enough. Measured on
#: untrained flows of 4 levels, as the standard deviation of new images at the deepest level: with that many values 1.09
#: after 16 steps and 1.44 after 48; with twice as many 1.2 after 48; with a quarter 9 after 48.
_FITTING_STEPS = 24


@dataclass(frozen=True)
class GlowConfig(FlowConfig):
    """The shape of a Glow.

    Attributes:
        steps: K, the number of steps of each level.
        width: hidden channels of the coupling networks.
        coupling: ``affine`` scales and shifts one half given the other half; ``additive`` only shifts.
        variant: ``glow`` follows the reference implementation. ``study`` computes what TensorFlow Probability's Glow
            computes, which the original study trained: its networks, its split priors and a standard normal prior at
            the deepest scale.
        compute_dtype: of the coupling networks; all other arithmetic uses the type of the weights.
    """

    steps: int
    width: int
    coupling: Literal["affine", "additive"] = "affine"
    variant: Literal["glow", "study"] = "glow"
    compute_dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    ranges: ClassVar[Mapping[str, tuple[int, int]]] = {**FlowConfig.ranges, "steps": (1, 1024), "width": (1, 65536)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant == "study" and self.classes:
            raise ModelError("the variant study has a standard normal prior, and no prior for each class")

    @property
    def couplings(self) -> tuple[int, ...]:
        """One for each step. See :attr:`FlowConfig.couplings`."""
        return (self.steps,) * self.levels

    def hidden_shape(self, level: int) -> tuple[int, int, int]:
        """See :meth:`FlowConfig.hidden_shape`."""
        height, width, _ = self.level_shape(level)
        return height, width, self.width

    @property
    def fixed_noise(self) -> float:
        """In the variant ``study`` 0: the lower edge of a bin. See :attr:`FlowConfig.fixed_noise`."""
        return 0.0 if self.variant == "study" else super().fixed_noise

    @property
    def least_initial_images(self) -> int:
        """The least number of images for data-dependent initialisation (actnorm).

        Each step fits the batch a little more closely than it fits new images. The batch needs as many values of each
        channel of the deepest level as there are channels for up to 24 steps, and twice as many for 48 steps.
        """
        height, width, channels = self.level_shape(self.levels)
        return math.ceil(channels * max(1.0, self.steps / _FITTING_STEPS) / (height * width))

    def check_initial_images(self, count: int) -> None:
        """Refuse to initialise actnorm from too few images."""
        if count < self.least_initial_images:
            height, width, channels = self.level_shape(self.levels)
            raise ModelError(
                f"{count:,} images are too few to initialise the {channels:,} channels of {height} x {width} pixels "
                f"at the deepest of {self.levels} levels, {self.least_initial_images:,} are enough: use more images, a "
                "larger --initial-images, or fewer --levels"
            )
