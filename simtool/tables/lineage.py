"""The lineage of a model in a table of outcomes: it matches models and their untrained controls."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from simtool.tables.info import EmbeddingInfo, Metadata
from simtool.tables.parquet import TableError

__all__ = ["Lineage"]


@dataclass(frozen=True)
class Lineage:
    """The features that a model shares with its untrained controls, and the seed of a control.

    Attributes:
        origin: of the vectors, as :attr:`~simtool.tables.info.EmbeddingInfo.origin`.
        layer: the layer with its pooling; None for a model without layers.
        preprocessing: the SHA-256 of the preprocessing; None if it is not stated.
        untrained: the seed of the initial weights of a control; None for a trained model.
    """

    origin: str
    layer: str | None = None
    preprocessing: str | None = None
    untrained: int | None = None

    @classmethod
    def of(cls, info: EmbeddingInfo) -> Self | None:
        """The lineage of vectors; None if their table does not state an origin."""
        if info.origin is None:
            return None
        recipe = None if info.preprocessing is None else hashlib.sha256(info.preprocessing.encode()).hexdigest()
        return cls(info.origin, info.layer, recipe, info.untrained)

    @property
    def trained(self) -> Self:
        """The lineage of its trained models: the same without the seed."""
        return replace(self, untrained=None)

    @classmethod
    def stated(cls, part: Path, entry: object) -> Self | None:
        """The lineage in an entry of the metadata of a table; None if there is none.

        Raises:
            TableError: the entry is something else.
        """
        if entry is None:
            return None
        if not isinstance(entry, Mapping):
            raise TableError(f"{part}: the metadata's lineage must be an object, but is {entry!r:.50}")
        found = Metadata(part, entry)
        origin = found.text("origin")
        if origin is None:
            raise TableError(f"{part}: the metadata's lineage states no origin; score again")
        return cls(origin, found.text("layer"), found.text("preprocessing"), found.seed("untrained"))

    def to_json(self) -> dict[str, Any]:
        """The entry of the metadata."""
        return {name: value for name, value in asdict(self).items() if value is not None}
