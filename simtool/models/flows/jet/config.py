"""The shape of a Jet, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from simtool.models.errors import ModelError
from simtool.models.flows.config import FlowConfig, fitting_sizes

__all__ = ["JetConfig"]


@dataclass(frozen=True)
class JetConfig(FlowConfig):
    """The shape of a Jet. It has one scale: no latents leave the flow before its end.

    Attributes:
        levels: always 1.
        steps: K, the number of couplings.
        patch: height and width of the patches of an image in pixels; even.
        width: of the tokens of the networks.
        depth: number of transformer blocks of each network.
        heads: of the attention; divides the width.
        spatial_every: every so many couplings, one splits the patches in two halves; all others split the values of
            each patch. 0 for no such coupling.
        compute_dtype: of the networks; all other arithmetic uses the type of the weights.
    """

    levels: int = field(default=1, init=False)
    steps: int
    patch: int
    width: int
    depth: int
    heads: int
    spatial_every: int = 5
    compute_dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    ranges: ClassVar[Mapping[str, tuple[int, int]]] = {
        **FlowConfig.ranges,
        "steps": (1, 1024),
        "patch": (2, 512),
        "width": (1, 65536),
        "depth": (1, 256),
        "heads": (1, 1024),
        "spatial_every": (0, 1024),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes:
            raise ModelError("a Jet has a standard normal prior, and no prior for each class")
        if self.width % self.heads:
            raise ModelError(f"a width of {self.width} cannot be divided among {self.heads} heads")

    def check_size(self) -> None:
        """Refuse patches of an odd size, and images without an even number of patches in each direction."""
        if self.patch % 2:
            raise ModelError(f"the height and width of the patches of a Jet are even, not {self.patch}")
        if self.size % (step := 2 * self.patch):
            raise ModelError(
                f"images of {self.size} pixels cannot be cut into an even number of patches of {self.patch} pixels; "
                f"choose a size of {fitting_sizes(self.size, step)}, or another patch"
            )

    def level_shape(self, level: int) -> tuple[int, int, int]:
        """Patches in height and in width, and values of a patch. See :meth:`FlowConfig.level_shape`."""
        del level
        side = self.size // self.patch
        return side, side, self.channels * self.patch**2

    @property
    def couplings(self) -> tuple[int, ...]:
        """One for each step. See :attr:`FlowConfig.couplings`."""
        return (self.steps,)

    def hidden_shape(self, level: int) -> tuple[int, int, int]:
        """One token for each patch. See :meth:`FlowConfig.hidden_shape`."""
        height, width, _ = self.level_shape(level)
        return height, width, self.width

    def to_json(self) -> dict[str, Any]:
        """An object for JSON, without the number of levels."""
        return {name: value for name, value in super().to_json().items() if name != "levels"}
