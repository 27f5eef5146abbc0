"""The interface of every model: its layers, and the shape and values of their vectors."""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from simtool.errors import UsageError
from simtool.images.given import GivenImages
from simtool.images.preprocessing import Preprocessing
from simtool.models.errors import ModelError
from simtool.models.folder import Manifest, write_manifest
from simtool.models.runtimes import Execution
from simtool.tables.embeddings import Segment
from simtool.tables.provenance import Provenance, sha256_of

__all__ = ["LayerShape", "Model", "Output", "TrainedModel", "in_whole_batches"]


@dataclass(frozen=True)
class Output:
    """A description of the vectors of one layer.

    Attributes:
        name: the label in reports.
        shape: of one vector before it is flattened.
        segments: the parts of a vector, in order; empty for vectors without parts.
        layer: the full name of the layer, with its pooling (:func:`simtool.models.pooling.with_pooling`); None for a
            model without layers.
    """

    name: str
    shape: tuple[int, ...]
    segments: tuple[Segment, ...] = ()
    layer: str | None = None

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class LayerShape:
    """A layer that can be embedded.

    Attributes:
        name: as :meth:`Model.output` takes it; empty for a model without a choice of layers.
        shape: of its activations for one image.
        dimension: the length of its vector, which is shorter than the activations where a map is averaged.
    """

    name: str
    shape: tuple[int, ...]
    dimension: int


class Model(ABC):
    """A function from images to vectors.

    Attributes:
        preprocessing: of images, before the model.
        weights: the SHA-256 of the weights (:attr:`simtool.models.folder.Manifest.digest`); None for a model without
            weights. For an untrained model, the SHA-256 of everything that its initial weights follow from.
        untrained: the seed of the initial weights of an untrained model; None for a trained model.
        origin: what a model and its untrained controls share: the SHA-256 of kind, preprocessing and
            :attr:`TrainedModel.architecture`, or the name of a published network. Models that differ in their training
            only have the same. None for a model without controls.
        layers: the names to choose from, the default first; empty if there is no choice.
        execution: how it is computed; None without a choice.
    """

    preprocessing: Preprocessing
    weights: str | None = None
    untrained: int | None = None
    origin: str | None = None
    layers: tuple[str, ...] = ()
    execution: Execution | None = None

    @abstractmethod
    def output(self, layer: str | None = None) -> Output:
        """Describe the vectors of a layer, without computing them; None for the default layer.

        Raises:
            ModelError: the model has no such layer.
        """

    @abstractmethod
    def embed(self, images: NDArray[np.float32], layer: str | None = None) -> NDArray[np.float32]:
        """The vectors of a batch of images.

        Args:
            images: (b, height, width, 3), after the preprocessing.
            layer: one of ``layers``, or another name that :meth:`output` takes; None for the default.

        Returns:
            (b, D); D is the dimension of :meth:`output`.

        Raises:
            ModelError: the model has no such layer.
        """

    def embed_layers(self, images: NDArray[np.float32], layers: Sequence[str | None]) -> list[NDArray[np.float32]]:
        """The vectors of several layers of a batch of images, in one pass of a network.

        Returns:
            The result of :meth:`embed` for each layer.
        """
        return [self.embed(images, layer) for layer in layers]

    def all_layers(self) -> list[LayerShape]:
        """Every layer that can be embedded, those of ``layers`` first."""
        outputs = {name or "": self.output(name) for name in self.layers or (None,)}
        return [LayerShape(name, output.shape, output.dimension) for name, output in outputs.items()]

    def cut(self, count: int) -> Model:
        """The same model with its first ``count`` components only.

        Raises:
            ModelError: the model has fewer components, or none.
        """
        raise ModelError(f"{self.output().name}: it has no components to keep {count:,} of")

    def initial(self, seed: int, images: GivenImages) -> Model:  # noqa: ARG002
        """An untrained control: the same architecture and preprocessing, with the weights before a training.

        Args:
            seed: of the initial weights.
            images: for weights that follow from data.

        Raises:
            UsageError: the model has no weights, or its initial weights are not known.
            ModelError: there are too few images.
        """
        raise UsageError(
            f"--untrained is for model folders and networks of keras.applications; the initial weights of "
            f"{self.output().name} are not known"
        )

    def state_control(self, model: Model, seed: int, *following: Any) -> None:
        """State in an untrained model of which model it is a control.

        Its ``weights`` become the SHA-256 of everything that its initial weights follow from. This is no hash of the
        arrays: two kinds of processors, which write parts of one table, can compute arrays that differ in the last
        bits.

        Args:
            model: of the same architecture.
            seed: of the initial weights.
            following: other values for JSON that the initial weights follow from.
        """
        self.weights = hashlib.sha256(json.dumps([model.origin, seed, *following]).encode()).hexdigest()
        self.origin, self.untrained, self.execution = model.origin, seed, model.execution

    def executed(self, execution: Execution) -> Model:  # noqa: ARG002
        """The same model, computed in another way.

        Raises:
            UsageError: the model has no choice.
        """
        raise UsageError(
            f"--precision and --runtime are for classifiers and files of networks; {self.output().name} has no such "
            "choice"
        )

    def with_xla(self) -> Model:
        """The same model, compiled by XLA.

        Raises:
            UsageError: the model is no network that TensorFlow computes.
        """
        raise UsageError(f"--xla is for networks that TensorFlow computes; {self.output().name} is none")


class TrainedModel(Model):
    """A model with weights, which is saved in a folder (see :mod:`simtool.models.folder`).

    Attributes:
        kind: the name of this kind of model in ``model.json``.
    """

    kind: ClassVar[str]

    @abstractmethod
    def save(self, folder: Path, provenance: Provenance) -> None:
        """Write the weights, ``model.json`` and the training log into an empty folder.

        Raises:
            OSError: the folder cannot be written.
        """

    def describe(
        self, folder: Path, provenance: Provenance, name: str, weights: Sequence[str], settings: Mapping[str, Any]
    ) -> None:
        """Hash the files of weights, and write ``model.json``; see :class:`Manifest` for the arguments."""
        if self.untrained is not None:
            raise ModelError("an untrained control is not saved; embed makes it again from its model and its seed")
        hashes = {file: sha256_of(folder / file) for file in weights}
        manifest = Manifest(self.kind, name, self.preprocessing, hashes, self.layers, settings, provenance)
        write_manifest(folder, manifest)
        self.weights = manifest.digest
        self.state_origin()

    @property
    @abstractmethod
    def architecture(self) -> Mapping[str, Any]:
        """The shape of a model, which its initial weights follow from, as values for JSON."""

    def state_origin(self) -> None:
        """Derive :attr:`origin` from the kind, the preprocessing and the architecture."""
        stated = [self.kind, self.preprocessing.to_json(), dict(self.architecture)]
        self.origin = hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, manifest: Manifest) -> Self:
        """Read a model after its manifest and weights have been checked.

        Raises:
            ModelError: the weights do not fit the manifest.
        """


def in_whole_batches(
    compute: Callable[[NDArray[np.float32]], Sequence[NDArray[Any]]],
    rows: NDArray[np.float32],
    size: int,
    dimensions: Sequence[int],
) -> list[NDArray[np.float32]]:
    """Compute vectors of rows in batches of one size; zeros fill the last batch.

    All batches use one graph, and the last bits of a row's result do not depend on the number of rows.

    Args:
        compute: from (size, ...) rows to one array (size, D) for each dimension D.
        rows: (n, ...).
        size: of a batch.
        dimensions: the length D of the vectors of each array.

    Returns:
        One array (n, D) for each dimension.
    """
    results = [np.empty((len(rows), dimension), np.float32) for dimension in dimensions]
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        if missing := size - len(batch):
            batch = np.concatenate([batch, np.zeros((missing, *rows.shape[1:]), rows.dtype)])
        for result, vectors in zip(results, compute(batch), strict=True):
            result[start : start + size] = vectors[: size - missing]
    return results
