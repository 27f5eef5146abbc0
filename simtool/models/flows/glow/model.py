"""Glow as a model: photographs become latents, and what else a flow finds in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from simtool.images.preprocessing import Preprocessing
from simtool.models.batches import whole_batches
from simtool.models.errors import ModelError
from simtool.models.flows.glow.config import FlowConfig
from simtool.models.flows.layers import find_layer, layer_names
from simtool.models.flows.view import Passes, View
from simtool.models.folder import Manifest, write_manifest
from simtool.models.interface import Output, TrainedModel
from simtool.tables.provenance import Provenance
from simtool.tensorflow import load_tensorflow
from simtool.training.arrays import read_arrays, write_arrays

if TYPE_CHECKING:
    from simtool.models.flows.glow.flow import Flow

__all__ = ["Glow"]

_WEIGHTS = "weights.npz"
#: Images that pass through the flow together. Fewer are filled up, so that an image's vector does not depend, in its
#: last bits, on how many others it came with.
_ROWS = 16


class Glow(TrainedModel):
    """A trained flow.

    Args:
        preprocessing: what an image goes through first; its values are bytes / 255 - 0.5.
        flow: that was trained.
        classes: the names of its classes, for a flow that has them.
        weights: the SHA-256 of the saved weights; None before they are saved.
    """

    kind: ClassVar[str] = "glow"

    def __init__(
        self, preprocessing: Preprocessing, flow: Flow, classes: Sequence[str] = (), weights: str | None = None
    ) -> None:
        if preprocessing.shape != flow.config.shape:
            raise ModelError(
                f"the preprocessing gives images of {preprocessing.shape}, the flow takes {flow.config.shape}"
            )
        if len(classes) != flow.config.classes:
            raise ModelError(f"{len(classes):,} names for a flow of {flow.config.classes:,} classes")
        self.preprocessing, self.flow, self.classes, self.weights = preprocessing, flow, tuple(classes), weights
        self.layers = layer_names(flow.config)
        self._passes = Passes(flow)

    def output(self, layer: str | None = None) -> Output:
        """See :meth:`Model.output`."""
        config = self.flow.config
        found = find_layer(layer, config)
        name, _, options = (layer or self.layers[0]).partition(":")
        label = f"Glow {name}" + (f" ({options.replace('=', ' ').replace(',', ', ')})" if options else "")
        return Output(label, found.shape(config), found.segments(config))

    def embed(self, images: NDArray[np.float32], layer: str | None = None) -> NDArray[np.float32]:
        """See :meth:`Model.embed`."""
        return self.embed_layers(images, [layer])[0]

    def embed_layers(self, images: NDArray[np.float32], layers: Sequence[str | None]) -> list[NDArray[np.float32]]:
        """Vectors of several layers, which share the passes through the flow. See :meth:`Model.embed_layers`."""
        wanted = [find_layer(layer, self.flow.config) for layer in layers]
        found = [np.empty((len(images), self.output(layer).dimension), np.float32) for layer in layers]
        for where, batch in whole_batches(images, _ROWS):
            view = View(self._passes, batch)
            for layer, vectors in zip(wanted, found, strict=True):
                vectors[where] = layer.vectors(view)[: where.stop - where.start]
        return found

    def dequantized(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Images as the flow sees them where nothing is random.

        Args:
            images: (b, height, width, 3), as the preprocessing makes them.

        Returns:
            of the same shape, in [-0.5, 0.5).
        """
        found: NDArray[np.float32] = View(self._passes, images).middle.numpy()
        return found

    def save(self, folder: Path, provenance: Provenance) -> None:
        """Write the weights, then ``model.json``; other files may lie in the folder. See :meth:`TrainedModel.save`."""
        from simtool.models.flows.glow.flow import count_parameters

        write_arrays(folder / _WEIGHTS, {}, self.flow.to_arrays())
        config = self.flow.config
        manifest = write_manifest(
            folder,
            kind=self.kind,
            name="Glow",
            preprocessing=self.preprocessing,
            weights=(_WEIGHTS,),
            provenance=provenance,
            layers=self.layers,
            settings={**config.to_json(), "parameters": count_parameters(config), "class_names": list(self.classes)},
        )
        self.weights = manifest.digest

    @classmethod
    def load(cls, folder: Path, manifest: Manifest) -> Self:
        """See :meth:`TrainedModel.load`."""
        load_tensorflow()
        from simtool.models.flows.glow.flow import Flow

        known = {field.name for field in fields(FlowConfig)}
        config = FlowConfig.from_json({name: value for name, value in manifest.settings.items() if name in known})
        if list(manifest.weights) != [_WEIGHTS]:
            raise ModelError(f"{folder}: the weights of a Glow are {_WEIGHTS}, not {', '.join(manifest.weights)}")
        classes = manifest.settings.get("class_names", [])
        if not isinstance(classes, list):
            raise ModelError(f"{folder}: class_names should be a list")
        flow = Flow.from_arrays(config, read_arrays(folder / _WEIGHTS))
        return cls(manifest.preprocessing, flow, [str(name) for name in classes], manifest.digest)
