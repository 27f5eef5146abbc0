"""A flow as a model: images become latents and other vectors that a flow computes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from simtool.images.given import GivenImages
from simtool.images.preprocessing import Preprocessing
from simtool.models.errors import ModelError
from simtool.models.flows.config import INITIAL_IMAGES
from simtool.models.flows.layers import find_layer, layer_names, named_layer, step_names
from simtool.models.flows.view import Passes, View
from simtool.models.folder import Manifest
from simtool.models.interface import LayerShape, Output, TrainedModel, in_whole_batches
from simtool.tables.provenance import Provenance
from simtool.tensorflow import load_tensorflow
from simtool.training.arrays import read_arrays, write_arrays

if TYPE_CHECKING:
    from simtool.models.flows.flow import Flow

__all__ = ["FlowModel"]

_WEIGHTS = "weights.npz"
#: Images per pass through the flow. The last batch is filled up, so that the last bits of a vector do not depend on the
#: number of other images.
_ROWS = 16
#: Settings in the manifest that do not belong to the configuration of the flow.
_PARAMETERS, _CLASS_NAMES = "parameters", "class_names"


class FlowModel(TrainedModel):
    """A trained flow of any kind.

    Args:
        preprocessing: of the images; its values are bytes / 255 - 0.5.
        flow: the trained flow.
        classes: the names of its classes, for a flow with classes.
        weights: the SHA-256 of the saved weights; None before they are saved.

    Attributes:
        title: the name of this kind of flow in reports.
    """

    title: ClassVar[str]

    @staticmethod
    @abstractmethod
    def make_flow(configuration: Mapping[str, Any], arrays: Iterator[tuple[str, NDArray[Any]]]) -> Flow:
        """Make the flow of a saved model from its configuration and its arrays.

        Raises:
            SimtoolError: the configuration is damaged, or the arrays do not fit it.
        """

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
        name, found, options = named_layer(layer, config)
        chosen = options.removeprefix("pool=").replace("=", " ").replace(",", ", ")
        label = f"{self.title} {name}" + (f" ({chosen})" if chosen else "")
        return Output(label, found.shape(config), found.segments(config), f"{name}:{options}" if options else name)

    def all_layers(self) -> list[LayerShape]:
        """The layers of single steps come last. See :meth:`Model.all_layers`."""
        outputs = {name: self.output(name) for name in (*self.layers, *step_names(self.flow.config))}
        return [LayerShape(name, output.shape, output.dimension) for name, output in outputs.items()]

    def embed(self, images: NDArray[np.float32], layer: str | None = None) -> NDArray[np.float32]:
        """See :meth:`Model.embed`."""
        return self.embed_layers(images, [layer])[0]

    def embed_layers(self, images: NDArray[np.float32], layers: Sequence[str | None]) -> list[NDArray[np.float32]]:
        """Vectors of several layers, which share passes through the flow. See :meth:`Model.embed_layers`."""
        wanted = [find_layer(layer, self.flow.config) for layer in layers]

        def compute(batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
            view = View(self._passes, batch)
            view.activations([maps for layer in wanted for maps in layer.hidden_maps(self.flow.config)])
            return [layer.vectors(view) for layer in wanted]

        return in_whole_batches(compute, images, _ROWS, [self.output(layer).dimension for layer in layers])

    def with_xla(self) -> Self:
        """See :meth:`Model.with_xla`."""
        other = copy(self)
        other._passes = Passes(self.flow, xla=True)
        return other

    def dequantized(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Images as the flow sees them, without random noise.

        Args:
            images: (b, height, width, 3), preprocessed.

        Returns:
            of the same shape, in [-0.5, 0.5).
        """
        found: NDArray[np.float32] = View(self._passes, images).middle.numpy()
        return found

    def save(self, folder: Path, provenance: Provenance) -> None:
        """Write the weights, then ``model.json``. See :meth:`TrainedModel.save`."""
        write_arrays(folder / _WEIGHTS, {}, self.flow.to_arrays())
        config = self.flow.config
        counts = {_PARAMETERS: self.flow.count_parameters(config), _CLASS_NAMES: list(self.classes)}
        self.describe(folder, provenance, self.title, [_WEIGHTS], {**config.to_json(), **counts})

    @property
    def architecture(self) -> Mapping[str, Any]:
        """The shape of the flow. See :attr:`TrainedModel.architecture`."""
        return self.flow.config.to_json()

    def initial(self, seed: int, images: GivenImages) -> Self:
        """The flow at the start of a training with this seed, initialised from images. See :meth:`Model.initial`.

        Raises:
            ModelError: there are too few images.
        """
        from simtool.models.flows.initialization import initialize

        config = self.flow.config
        least = config.least_initial_images
        chosen = images.chosen(max(INITIAL_IMAGES, least) if least else 0, seed)
        if len(chosen) < least:
            raise ModelError(
                f"an untrained {self.title} takes initial weights from images: {len(chosen):,} are too few for a flow "
                f"of this depth, {least:,} are enough"
            )
        flow = type(self.flow)(config, seed)
        initialize(flow, chosen.batches(self.preprocessing, _ROWS), len(chosen), seed)
        control = type(self)(self.preprocessing, flow, self.classes)
        control.state_control(self, seed, chosen.digest)
        return control

    @classmethod
    def load(cls, folder: Path, manifest: Manifest) -> Self:
        """See :meth:`TrainedModel.load`."""
        load_tensorflow()
        if list(manifest.weights) != [_WEIGHTS]:
            raise ModelError(f"{folder}: a {cls.title} has the weights {_WEIGHTS}, not {', '.join(manifest.weights)}")
        classes = manifest.settings.get(_CLASS_NAMES, [])
        if not isinstance(classes, list):
            raise ModelError(f"{folder}: {_CLASS_NAMES} should be a list")
        known = (_PARAMETERS, _CLASS_NAMES)
        configuration = {name: value for name, value in manifest.settings.items() if name not in known}
        flow = cls.make_flow(configuration, read_arrays(folder / _WEIGHTS))
        return cls(manifest.of_images, flow, [str(name) for name in classes], manifest.digest)
