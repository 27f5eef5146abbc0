"""Jet as a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from simtool.models.flows.jet.config import JetConfig
from simtool.models.flows.model import FlowModel

if TYPE_CHECKING:
    from simtool.models.flows.flow import Flow

__all__ = ["Jet"]


class Jet(FlowModel):
    """A trained Jet. See :class:`FlowModel`."""

    kind: ClassVar[str] = "jet"
    title: ClassVar[str] = "Jet"

    @staticmethod
    def make_flow(configuration: Mapping[str, Any], arrays: Iterator[tuple[str, NDArray[Any]]]) -> Flow:
        """See :meth:`FlowModel.make_flow`."""
        from simtool.models.flows.jet.flow import JetFlow

        return JetFlow.from_arrays(JetConfig.from_json(configuration), arrays)
