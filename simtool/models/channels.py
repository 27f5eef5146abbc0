"""The axis of the channels in the maps of an ONNX network."""

from __future__ import annotations

from typing import Any

__all__ = ["AXES", "channel_axes"]

#: Axes of a batch of maps.
AXES = 4
#: Operations of ONNX whose maps are (b, channels, height, width), whatever the order of the network's input.
_CHANNELS_FIRST = frozenset(
    ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData", "MaxPool", "AvgPool")
)


def channel_axes(graph: Any, colors: int) -> dict[tuple[str, int], int]:
    """The axis of the channels of every map.

    Convolutions of ONNX compute maps (b, channels, height, width). A network with images (b, height, width, 3), for
    example from Keras, transposes them first. A transposition moves the axis; every other operation keeps the axis of
    its first input that is a map.

    Args:
        graph: an ``openvino.Model`` with one input.
        colors: the axis of the colors of its input.

    Returns:
        The axis of each output of an operation, by the name of the operation and the number of the output.
    """
    axes: dict[tuple[str, int], int] = {}
    for node in graph.get_ordered_ops():
        axis = _axis(node, axes, colors)
        for port in node.outputs():
            if len(port.partial_shape) == AXES:
                axes[node.get_name(), port.get_index()] = axis
    return axes


def _axis(node: Any, axes: dict[tuple[str, int], int], colors: int) -> int:
    kind = node.get_type_name()
    if kind in _CHANNELS_FIRST:
        return 1
    sources = [port.get_source_output() for port in node.inputs()]
    found = (axes.get((source.get_node().get_name(), source.get_index())) for source in sources)
    axis = next((one for one in found if one is not None), colors)
    order = sources[1].get_node() if kind == "Transpose" and len(sources) > 1 else None
    if order is not None and order.get_type_name() == "Constant" and axis in (places := order.get_vector().tolist()):
        return int(places.index(axis))
    return axis
