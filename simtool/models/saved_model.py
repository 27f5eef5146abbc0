"""A network in a SavedModel of TensorFlow: the outputs of one signature."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
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
from simtool.models.interface import LayerShape
from simtool.models.network import COLORS, Network, Tap, fitted, image_sides, scales_itself
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

    An array (b, tokens, channels) is a map of tokens. The channels are on the axis on which the input has its colors.

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

    @property
    def names(self) -> Collection[str]:
        """See :meth:`Network.names`."""
        return self._shapes

    def full_name(self, name: str | None) -> str:
        """See :meth:`Network.full_name`. Only a network with one output has a default layer."""
        if name is None and len(self.layers) > 1:
            raise ModelError(f"{self.name} has the layers {listed(self.layers, 20)}; choose with --layer")
        name = self.layers[0] if name is None else name
        if name not in self._shapes:
            near = difflib.get_close_matches(name, self.layers, n=6, cutoff=0.3) or self.layers
            raise ModelError(f"{self.name} has no layer {name}; it has {listed(near, 20)}")
        return name

    def map_shape(self, name: str) -> tuple[int, ...]:
        """See :meth:`Network.map_shape`."""
        return self._shapes[name]

    def all_layers(self) -> list[LayerShape]:
        """The outputs. See :meth:`Model.all_layers`."""
        return [LayerShape(name, shape, self.output(name).dimension) for name, shape in self._shapes.items()]

    def compiled(self, taps: tuple[Tap, ...], precision: str) -> Run:
        """See :meth:`Network.compiled`."""
        if self.execution.runtime == OPENVINO:
            return openvino.compiled(self._traced(taps), precision)
        return tensorflow.compiled(self._traced(taps), precision, self.execution.xla)

    def _traced(self, taps: tuple[Tap, ...]) -> Any:
        tf = load_tensorflow()

        def vectors(images: Any) -> list[Any]:
            found = self._signature(images)
            return [self._vector(tap, found[tap.name]) for tap in taps]

        images = [tf.TensorSpec((self.batch, *self.preprocessing.shape), tf.float32)]
        return tf.function(vectors, input_signature=images, autograph=False).get_concrete_function()

    def _vector(self, tap: Tap, numbers: Any) -> Any:
        tf = load_tensorflow()
        import keras

        maps = tf.cast(tf.reshape(numbers, (self.batch, *self._shapes[tap.name])), tf.float32)
        return tap.pooling.vectors(maps, keras.ops, self.channels(tap.name))

    def channels(self, name: str) -> int:
        """See :meth:`Network.channels`."""
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
