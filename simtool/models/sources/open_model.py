"""A model that a program has opened, in the place of a ``--model`` argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from simtool.models.sources.source import ModelOptions, Source

if TYPE_CHECKING:
    from simtool.models.interface import Model

__all__ = ["OpenModel"]


class OpenModel(Source):
    """A model object. It is not in the table of sources, since no argument names it."""

    usage = label = "a model"
    options: ClassVar[Mapping[str, str]] = {
        "layer": "one of its layers [the first]",
        "components": "keep only the first components [all]",
    }
    limits = "a model object has its preprocessing already"

    def __init__(self, model: Model) -> None:
        super().__init__(model.output().name)
        self._model = model

    def open(self, options: ModelOptions) -> Model:
        """See :meth:`Source.open`."""
        return self._model if options.components is None else self._model.cut(options.components)
