"""A network in a SavedModel of TensorFlow: the outputs of one signature."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simtool import console
from simtool.errors import first_line, listed
from simtool.images.preprocessing import Preprocessing
from simtool.kinds import Expected, What, explain, kind_of
from simtool.models.errors import ModelError
from simtool.models.folder import digest_of
from simtool.models.interface import LayerShape, Output
from simtool.models.network import COLORS, FLAT, Network, fitted, image_sides, scales_itself
from simtool.models.runtimes import OPENVINO, Run, openvino, tensorflow
from simtool.models.saved_graph import check_graph
from simtool.models.saved_scaling import scaling_operation
from simtool.tables.provenance import sha256_of
from simtool.tensorflow import load_tensorflow

__all__ = ["SavedModel", "Signature", "files_of", "load_saved_model"]

#: The name that most programs give to the signature of a network.
_DEFAULT = "serving_default"


@dataclass(frozen=True)
class Signature:
    """A function of a SavedModel, from images to named arrays.

    Attributes:
        owner: the loaded SavedModel, which keeps the weights alive.
        function: a concrete function of TensorFlow.
        argument: the name of its input.
        kind: the type of the input, floating point.
        channels_first: whether the input is (b, 3, height, width).
    """

    owner: Any
    function: Any
    argument: str
    kind: Any
    channels_first: bool

    def __call__(self, images: Any) -> Mapping[str, Any]:
        """The outputs for images (b, height, width, 3)."""
        tf = load_tensorflow()
        values = tf.transpose(images, (0, 3, 1, 2)) if self.channels_first else images
        found: Mapping[str, Any] = self.function(**{self.argument: tf.cast(values, self.kind)})
        return found


class SavedModel(Network):
    """A network whose layers are the outputs of a signature.

    A map of activations is averaged over its pixels, and an array (b, tokens, channels) over its tokens;
    ``NAME:flat`` keeps the whole array. The channels are on the axis on which the input has its colors.

    Args:
        name: of the network, for reports.
        signature: the function.
        shapes: of the outputs that hold numbers for each image, for one image.
        batch: images that the function takes at once.
        preprocessing: of images, before the network.
        weights: the SHA-256 of all files.
    """

    def __init__(
        self,
        name: str,
        signature: Signature,
        shapes: Mapping[str, tuple[int, ...]],
        batch: int,
        preprocessing: Preprocessing,
        weights: str,
    ) -> None:
        self.name, self.batch, self.preprocessing, self.weights = name, batch, preprocessing, weights
        self._signature, self._shapes = signature, dict(shapes)
        self.layers = tuple(shapes)

    def full_name(self, layer: str | None) -> str:
        """See :meth:`Network.full_name`. Only a network with one output has a default layer."""
        if layer is None and len(self.layers) > 1:
            raise ModelError(f"{self.name} has the layers {listed(self.layers, 20)}; choose with --layer")
        layer = self.layers[0] if layer is None else layer
        if self._tapped(layer)[0] not in self._shapes:
            near = difflib.get_close_matches(layer, self.layers, n=6, cutoff=0.3) or self.layers
            raise ModelError(f"{self.name} has no layer {layer}; it has {listed(near, 20)}")
        return layer

    def output(self, layer: str | None = None) -> Output:
        """See :meth:`Model.output`."""
        layer = self.full_name(layer)
        name, whole = self._tapped(layer)
        shape = self._shapes[name]
        return Output(f"{self.name} {layer}", shape if whole else (shape[self._channels(name) - 1],), layer=layer)

    def all_layers(self) -> list[LayerShape]:
        """The outputs. See :meth:`Model.all_layers`."""
        return [LayerShape(name, shape, self.output(name).dimension) for name, shape in self._shapes.items()]

    def compiled(self, layers: tuple[str, ...], precision: str) -> Run:
        """See :meth:`Network.compiled`."""
        compiled = openvino.compiled if self.execution.runtime == OPENVINO else tensorflow.compiled
        return compiled(self._traced(layers), precision)

    def _traced(self, layers: tuple[str, ...]) -> Any:
        tf = load_tensorflow()

        def vectors(images: Any) -> list[Any]:
            found = self._signature(images)
            return [self._vector(layer, found) for layer in layers]

        images = [tf.TensorSpec((self.batch, *self.preprocessing.shape), tf.float32)]
        return tf.function(vectors, input_signature=images, autograph=False).get_concrete_function()

    def _vector(self, layer: str, found: Mapping[str, Any]) -> Any:
        tf = load_tensorflow()
        name, whole = self._tapped(layer)
        shape, channels = self._shapes[name], self._channels(name)
        numbers = tf.cast(tf.reshape(found[name], (self.batch, *shape)), tf.float32)
        over = [axis for axis in range(1, len(shape) + 1) if axis != channels]
        return tf.reshape(numbers, (self.batch, -1)) if whole or not over else tf.reduce_mean(numbers, over)

    def _tapped(self, layer: str) -> tuple[str, bool]:
        """The name of the output of a layer, and whether its whole map is embedded."""
        if layer in self._shapes:
            return layer, False
        return layer.removesuffix(FLAT), layer.endswith(FLAT)

    def _channels(self, name: str) -> int:
        """The axis of the channels of an output."""
        axes = len(self._shapes[name])
        return 1 if self._signature.channels_first and axes > 2 else axes


def load_saved_model(
    path: Path, preprocessing: Preprocessing, size: int | None = None, signature: str | None = None
) -> SavedModel:
    """Load the graph of a signature. No Python code runs.

    Args:
        path: the folder.
        preprocessing: of images, before the network; it is adjusted to the size that the network expects.
        size: height and width in pixels, for a network that takes any size.
        signature: its name; None for ``serving_default``, or the only one.

    Raises:
        ModelError: it cannot be loaded or is not safe, or the signature is not from images to vectors.
    """
    kind = kind_of(path)
    if kind.what is not What.SAVED_MODEL or kind.damage:
        raise ModelError(explain(path, Expected.MODEL))
    if not path.is_dir():
        raise ModelError(f"{path}: this is the graph of a SavedModel; give its folder")
    graph = check_graph(path)
    tf = load_tensorflow()
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as failure:  # whatever a folder from elsewhere makes TensorFlow raise
        raise ModelError(f"{path}: TensorFlow cannot load it: {first_line(failure)}") from failure
    chosen = _chosen(path, list(loaded.signatures), signature)
    function = loaded.signatures[chosen]
    inputs: dict[str, Any] = function.structured_input_signature[1]
    found = ", ".join(f"{name} {spec.shape} {spec.dtype.name}" for name, spec in inputs.items())
    argument, spec = next(iter(inputs.items()), ("", tf.TensorSpec(None)))
    fits = len(inputs) == 1 and spec.shape.rank is not None and spec.dtype.is_floating
    sides = spec.shape.as_list() if fits else []
    channels_first, expected = image_sides(path, sides, found)
    preprocessing = fitted(path, preprocessing, expected, size)
    if preprocessing.colors and (scaling := scaling_operation(graph, chosen)):
        console.note(f"{path}: {scales_itself(f'operation {scaling}', preprocessing)}")
    called = Signature(loaded, function, argument, spec.dtype, channels_first)
    shapes = _shapes(path, called, sides[0] or 1, preprocessing.shape[0])
    digest = digest_of({str(file.relative_to(path)): sha256_of(file) for file in files_of(path)})
    return SavedModel(path.resolve().name, called, shapes, sides[0] or Network.batch, preprocessing, digest)


def files_of(path: Path) -> list[Path]:
    """The files of a SavedModel: the graph, the weights and the assets."""
    return sorted(file for file in path.rglob("*") if file.is_file())


def _chosen(path: Path, names: list[str], wanted: str | None) -> str:
    """The name of a signature."""
    if wanted is None and len(names) == 1:
        return names[0]
    if (name := wanted or _DEFAULT) in names:
        return name
    has = f"it has {listed(names, 20)}; choose with --signature" if names else "save it with signatures="
    raise ModelError(f"{path}: there is no signature {name}; {has}")


def _shapes(path: Path, signature: Signature, batch: int, side: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the outputs for one image, measured on gray images; outputs without vectors are left out."""
    try:
        found = signature(np.zeros((batch, side, side, COLORS), np.float32))
    except Exception as failure:  # whatever a graph from elsewhere makes TensorFlow raise
        raise ModelError(
            f"{path}: the network does not take images of {side} by {side}: {first_line(failure)}"
        ) from failure
    shapes = {
        name: tuple(values.shape[1:])
        for name, values in sorted(found.items())
        if values.dtype.is_floating and len(values.shape) > 1 and values.shape[0] == batch
    }
    if not shapes:
        raise ModelError(f"{path}: no output of the signature gives vectors, only {listed(sorted(found), 20)}")
    return shapes
