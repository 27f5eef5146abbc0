"""Glow as a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from simtool.models.flows.glow.config import GlowConfig
from simtool.models.flows.model import FlowModel

if TYPE_CHECKING:
    from simtool.models.flows.flow import Flow

__all__ = ["Glow"]


class Glow(FlowModel):
    """A trained Glow. See :class:`FlowModel`."""

    kind: ClassVar[str] = "glow"
    title: ClassVar[str] = "Glow"

    @staticmethod
    def make_flow(configuration: Mapping[str, Any], arrays: Iterator[tuple[str, NDArray[Any]]]) -> Flow:
        """See :meth:`FlowModel.make_flow`."""
        from simtool.models.flows.glow.flow import GlowFlow

        return GlowFlow.from_arrays(GlowConfig.from_json(configuration), arrays)
