"""The lineage of a model in a table of outcomes: it tells which models are related, and matches untrained controls."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from simtool.tables.info import EmbeddingInfo, Metadata
from simtool.tables.parquet import TableError

__all__ = ["Lineage"]


@dataclass(frozen=True)
class Lineage:
    """The features that a model shares with its untrained controls, and the seed of a control.

    Attributes:
        origin: of the vectors, as :attr:`~simtool.tables.info.EmbeddingInfo.origin`; None if it is not stated.
        layer: the layer with its pooling; None for a model without layers.
        preprocessing: the SHA-256 of the preprocessing; None if it is not stated.
        untrained: the seed of the initial weights of a control; None for a trained model.
        weights: the SHA-256 of the weights, which a model does not share with its controls and which is therefore not
            compared; None if it is not stated.
    """

    origin: str | None
    layer: str | None = None
    preprocessing: str | None = None
    untrained: int | None = None
    weights: str | None = field(default=None, compare=False)

    @classmethod
    def of(cls, info: EmbeddingInfo) -> Self | None:
        """The lineage of vectors; None if their table states no origin and no weights."""
        if info.origin is None and info.model is None:
            return None
        recipe = None if info.preprocessing is None else hashlib.sha256(info.preprocessing.encode()).hexdigest()
        return cls(info.origin, info.layer, recipe, info.untrained, info.model)

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
        origin, weights = found.text("origin"), found.text("weights")
        if origin is None and weights is None:
            raise TableError(f"{part}: the metadata's lineage states no origin; score again")
        return cls(origin, found.text("layer"), found.text("preprocessing"), found.seed("untrained"), weights)

    def to_json(self) -> dict[str, Any]:
        """The entry of the metadata."""
        return {name: value for name, value in asdict(self).items() if value is not None}
