"""A network in an ``.onnx`` file, computed by OpenVINO."""

from __future__ import annotations

import difflib
import json
import mmap
import re
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from simtool import console
from simtool.errors import UsageError, listed
from simtool.images.preprocessing import Preprocessing, PreprocessingError, named_preprocessing
from simtool.kinds import Expected, What, explain, kind_of
from simtool.models.channels import AXES, channel_axes
from simtool.models.errors import ModelError
from simtool.models.folder import digest_of
from simtool.models.interface import LayerShape
from simtool.models.network import COLORS, Network, Tap, divides_bytes, fitted, image_sides, scales_itself
from simtool.models.runtimes import OPENVINO, Execution, Run, graph_arrays
from simtool.models.runtimes.openvino import compiled_graph, core, load_openvino, told
from simtool.tables.provenance import sha256_of

__all__ = ["ORIGIN", "PREPROCESSING", "UNTRAINED", "OnnxFile", "files_of", "load_onnx_file", "stated_preprocessing"]

#: Keys of the metadata: the preprocessing; what a network and its untrained controls share; the seed of a control.
PREPROCESSING, ORIGIN, UNTRAINED = "simtool.preprocessing", "simtool.origin", "simtool.untrained"
#: Where OpenVINO keeps the metadata of a file.
_METADATA = "framework"
#: The largest number of characters of an origin, as in the metadata of tables.
_LONGEST_ORIGIN = 1_000
#: Operations before the first convolution that change colors or their order.
_BEFORE = frozenset(("Add", "Convert", "Divide", "Multiply", "Pad", "Subtract", "Transpose"))
#: The place of weights in another file, as an entry of TensorProto.external_data: its key, then its value.
_EXTERNAL = re.compile(rb"\x0a\x08location\x12([\x01-\x7f])")


class OnnxFile(Network):
    """A network from a file. Its layers are its outputs; any other tensor can be embedded by its name or its node's.

    See :func:`channel_axes` for the axis of the channels of a map.

    Args:
        name: of the network, for reports.
        graph: an ``openvino.Model`` with one input of fixed shape.
        channels_first: whether the input is (b, 3, height, width).
        preprocessing: of images, before the network.
        weights: the SHA-256 of the file, or of all its files.
    """

    execution = Execution(OPENVINO)

    def __init__(self, name: str, graph: Any, channels_first: bool, preprocessing: Preprocessing, weights: str) -> None:
        self.name, self.preprocessing, self.weights = name, preprocessing, weights
        self._graph, self._channels_first = graph, channels_first
        self.batch = graph.input(0).shape[0]
        self.layers = tuple(_name_of(output) for output in graph.outputs)

    def executed(self, execution: Execution) -> Self:
        """See :meth:`Network.executed`.

        Raises:
            UsageError: another runtime than OpenVINO.
        """
        if execution.runtime != OPENVINO:
            raise UsageError(f"--runtime {execution.runtime} does not read .onnx files; {OPENVINO} does")
        return super().executed(execution)

    @property
    def names(self) -> Collection[str]:
        """See :meth:`Network.names`."""
        return self._tensors

    def full_name(self, name: str | None) -> str:
        """See :meth:`Network.full_name`."""
        if name is None:
            return self.layers[0]
        if name not in self._tensors:
            others = [tensor for tensor in self._tensors if tensor not in self.layers]
            near = difflib.get_close_matches(name, others, n=6, cutoff=0.3) or others[-6:]
            tensors = f", and tensors such as {listed(near, 6)}" if near else ""
            raise ModelError(f"{self.name} has no layer {name}; it has {listed(self.layers, 6)}{tensors}")
        return name

    def compiled(self, taps: tuple[Tap, ...], precision: str) -> Run:
        """See :meth:`Network.compiled`."""
        openvino = load_openvino()
        vectors = openvino.Model([self._vector(tap) for tap in taps], self._graph.get_parameters(), self.name)
        run = compiled_graph(vectors, precision, vectors.outputs)
        dtype = self._graph.input(0).element_type.to_dtype()

        def from_images(images: Any) -> Any:
            return run((images.transpose(0, 3, 1, 2) if self._channels_first else images).astype(dtype, order="C"))

        return from_images

    def all_layers(self) -> list[LayerShape]:
        """The outputs, then the other tensors that hold vectors or maps. See :meth:`Model.all_layers`."""
        others = dict.fromkeys(min(port.names) for port in self._tensors.values() if not port.names & {*self.layers})
        return [
            LayerShape(name, self.map_shape(name), self.output(name).dimension)
            for name in (*self.layers, *others)
            if self._holds_vectors(name)
        ]

    @cached_property
    def _tensors(self) -> dict[str, Any]:
        """The outputs of operations by the names of tensors, and of their nodes, without weights."""
        nodes = [
            node
            for node in self._graph.get_ordered_ops()
            if node.get_type_name() not in ("Parameter", "Constant", "Result")
        ]
        ports = [port for node in nodes for port in node.outputs()]
        of_nodes = {node.get_friendly_name(): node.output(0) for node in nodes if len(node.outputs()) == 1}
        outputs = [_source(one) for one in self._graph.outputs]
        named = {name: port for port in [*ports, *outputs] for name in port.names}
        return {name: port for name, port in of_nodes.items() if port.names} | named

    @cached_property
    def _channel_axes(self) -> dict[tuple[str, int], int]:
        return channel_axes(self._graph, 1 if self._channels_first else 3)

    def map_shape(self, name: str) -> tuple[int, ...]:
        """See :meth:`Network.map_shape`."""
        if not self._holds_vectors(name):
            raise ModelError(f"layer {name} of {self.name} gives no vector of fixed length for each image")
        return tuple(side.get_length() for side in self._tensors[name].partial_shape)[1:]

    def _holds_vectors(self, name: str) -> bool:
        """Whether a tensor has numbers for each image of a batch."""
        shape = self._tensors[name].partial_shape
        return shape.is_static and len(shape) > 1 and bool(shape[0].get_length() == self.batch)

    def channels(self, name: str) -> int:
        """See :meth:`Network.channels`."""
        port = self._tensors[name]
        axes = len(port.partial_shape)
        return self._channel_axes[port.get_node().get_name(), port.get_index()] if axes == AXES else axes - 1

    def _vector(self, tap: Tap) -> Any:
        """The output of an operation that computes vectors (b, D) in float32."""
        from openvino import opset13

        maps = graph_arrays.GraphArray(opset13.convert(self._tensors[tap.name], "f32").output(0))
        return tap.pooling.vectors(maps, graph_arrays, self.channels(tap.name)).output


def _source(output: Any) -> Any:
    """The output of the operation that an output of a model shows."""
    return output.node.input(0).get_source_output()


def _name_of(output: Any) -> str:
    return min(output.names) if output.names else str(output.node.get_friendly_name())


def load_onnx_file(path: Path, preprocessing: Preprocessing, size: int | None = None) -> OnnxFile:
    """Load a network.

    Args:
        path: an ``.onnx`` file; its weights can be in other files in the same folder or below.
        preprocessing: of images, before the network; it is adjusted to the size that the network expects.
        size: height and width in pixels, for a network that takes any size.

    Raises:
        ModelError: OpenVINO is not installed or cannot read the file, or it is not a network from images to vectors.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    kind = kind_of(path)
    if kind.what is not What.ONNX or kind.damage:
        raise ModelError(explain(path, Expected.MODEL))
    places = {str(file.relative_to(path.parent)): file for file in files_of(path)}
    if missing := [place for place, file in places.items() if not file.is_file()]:
        raise ModelError(f"{path}: its weights are in {listed(missing)}, which is not in its folder; copy it there")
    graph = _graph(path)
    channels_first, expected = _images(path, graph)
    preprocessing = fitted(path, preprocessing, expected, size)
    side, batch = preprocessing.shape[0], graph.input(0).partial_shape[0]
    shape = (COLORS, side, side) if channels_first else (side, side, COLORS)
    try:
        graph.reshape([batch.get_min_length() or Network.batch, *shape])
    except Exception as failure:
        raise ModelError(f"{path}: the network does not take images of {side} by {side}: {told(failure)}") from failure
    if preprocessing.colors and (scaling := _scaling(graph)):
        console.note(f"{path}: {scales_itself(f'operation {scaling}', preprocessing)}")
    digest = digest_of({place: sha256_of(file) for place, file in places.items()})
    network = OnnxFile(path.stem, graph, channels_first, preprocessing, digest)
    network.origin, network.untrained = _origin(path, graph), _seed(path, graph)
    return network


def stated_preprocessing(path: Path) -> Preprocessing | None:
    """The preprocessing that an ``.onnx`` file states in its metadata; None if it states none.

    The key of ``metadata_props`` is ``simtool.preprocessing``. The value is the name of a preprocessing, or its steps
    as :meth:`Preprocessing.to_json` writes them. No other key is read: the keys of other programs have no agreed
    meaning.

    Raises:
        ModelError: OpenVINO is not installed or cannot read the file, or the value is no preprocessing.
    """
    graph = _graph(path)
    text = _stated(graph, PREPROCESSING)
    if text is None:
        return None
    try:
        return Preprocessing.from_json(json.loads(text)) if text.lstrip().startswith("{") else named_preprocessing(text)
    except (PreprocessingError, ValueError, RecursionError) as failure:
        raise ModelError(f"{path}: {PREPROCESSING} in its metadata: {failure}; give --recipe") from failure


def _origin(path: Path, graph: Any) -> str | None:
    """The part of the metadata that a network and its untrained controls share."""
    origin = _stated(graph, ORIGIN)
    if origin is not None and not 0 < len(origin) <= _LONGEST_ORIGIN:
        raise ModelError(
            f"{path}: {ORIGIN} in its metadata has {len(origin):,} characters, not 1 to {_LONGEST_ORIGIN:,}"
        )
    return origin


def _seed(path: Path, graph: Any) -> int | None:
    """The seed that the metadata of an untrained network state."""
    text = _stated(graph, UNTRAINED)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ModelError(f"{path}: {UNTRAINED} in its metadata is the seed of the initial weights, not {text:.40}")
    return int(text)


def _stated(graph: Any, key: str) -> str | None:
    """The text of a key in the metadata of a file."""
    found = graph.has_rt_info([_METADATA, key])
    return str(graph.get_rt_info([_METADATA, key]).astype(str)) if found else None


def _graph(path: Path) -> Any:
    openvino = core()
    try:
        return openvino.read_model(path)
    except Exception as failure:  # whatever a file from elsewhere makes OpenVINO raise
        raise ModelError(f"{path}: OpenVINO cannot read it: {told(failure)}") from failure


def _scaling(graph: Any) -> str:
    """The name of an operation that scales bytes before the first convolution; empty if there is none."""
    node = graph.get_parameters()[0]
    while len(targets := node.output(0).get_target_inputs()) == 1:
        node = next(iter(targets)).get_node()
        kind = node.get_type_name()
        if kind not in _BEFORE:
            break
        sources = [port.get_source_output().get_node() for port in node.inputs()]
        constants = [one.get_data() for one in sources if one.get_type_name() == "Constant"]
        numbers = [float(number) for values in constants for number in values.ravel()]
        if kind in ("Multiply", "Divide") and divides_bytes(numbers, multiplied=kind == "Multiply"):
            return str(node.get_friendly_name())
    return ""


def files_of(path: Path) -> list[Path]:
    """The file, and the files of its weights in its folder and below.

    OpenVINO refuses weights outside the folder of the network.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = (content[match.end() : match.end() + match[1][0]] for match in _EXTERNAL.finditer(content))
        names = sorted({Path(name.decode("utf-8", "replace")) for name in found})
    return [path, *(path.parent / name for name in names if not name.is_absolute() and ".." not in name.parts)]


def _images(path: Path, graph: Any) -> tuple[bool, tuple[int | None, int | None]]:
    """Whether channels come first, and the height and width that a network expects; None for any."""
    inputs = graph.inputs
    found = ", ".join(f"{_name_of(one)} {one.partial_shape} {one.element_type.to_string()}" for one in inputs)
    fits = len(inputs) == 1 and inputs[0].partial_shape.rank.is_static and inputs[0].element_type.is_real()
    # Some programs write 0 for any length.
    return image_sides(path, [side.get_min_length() or None for side in inputs[0].partial_shape] if fits else [], found)
