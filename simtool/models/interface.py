"""What every model offers: which layers it has, what a layer's vectors look like, and the vectors."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from simtool.images.preprocessing import Preprocessing
from simtool.models.errors import ModelError
from simtool.models.folder import Manifest
from simtool.tables.embeddings import Segment
from simtool.tables.provenance import Provenance

__all__ = ["Model", "Output", "TrainedModel"]


@dataclass(frozen=True)
class Output:
    """The vectors that one layer of a model gives.

    Attributes:
        name: the label in reports.
        shape: of one vector before it is flattened.
        segments: its pieces, in order; empty where it has none.
    """

    name: str
    shape: tuple[int, ...]
    segments: tuple[Segment, ...] = ()

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return math.prod(self.shape)


class Model(ABC):
    """What turns images into vectors.

    Attributes:
        preprocessing: what an image goes through first.
        weights: the SHA-256 of the weights, as :attr:`simtool.models.folder.Manifest.digest` defines it; None for
            a model without any.
        layers: the names to choose from, the default first; empty where there is nothing to choose.
    """

    preprocessing: Preprocessing
    weights: str | None = None
    layers: tuple[str, ...] = ()

    @abstractmethod
    def output(self, layer: str | None = None) -> Output:
        """What the vectors of a layer look like, without computing any.

        Args:
            layer: one of ``layers``; None for the default.

        Raises:
            ModelError: there is no such layer.
        """

    @abstractmethod
    def embed(self, images: NDArray[np.float32], layer: str | None = None) -> NDArray[np.float32]:
        """The vectors of a batch of images.

        Args:
            images: (b, height, width, 3), as the preprocessing makes them.
            layer: one of ``layers``; None for the default.

        Returns:
            (b, D), with D the dimension of :meth:`output`.

        Raises:
            ModelError: there is no such layer.
        """

    def embed_layers(self, images: NDArray[np.float32], layers: Sequence[str | None]) -> list[NDArray[np.float32]]:
        """The vectors of several layers of a batch of images; a network computes what they share once.

        Args:
            images: (b, height, width, 3), as the preprocessing makes them.
            layers: as of :meth:`embed`.

        Returns:
            As :meth:`embed`, one for each layer.

        Raises:
            ModelError: there is no such layer.
        """
        return [self.embed(images, layer) for layer in layers]

    def cut(self, count: int) -> Model:
        """The same model with the first ``count`` of its components, where it has components.

        Raises:
            ModelError: there are not so many, or none at all.
        """
        raise ModelError(f"{self.output().name}: it has no components to take the first {count:,} of")


class TrainedModel(Model):
    """A model with weights, which lives in a folder (see :mod:`simtool.models.folder`).

    Each kind offers besides a function that fits or trains it.

    Attributes:
        kind: what ``model.json`` calls it.
    """

    kind: ClassVar[str]

    @abstractmethod
    def save(self, folder: Path, provenance: Provenance) -> None:
        """Write the weights, ``model.json`` and the training log into an empty folder.

        Raises:
            OSError: the folder cannot be written.
        """

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, manifest: Manifest) -> Self:
        """Read a model whose manifest and weights are checked already.

        Raises:
            ModelError: the weights do not fit the manifest.
        """
