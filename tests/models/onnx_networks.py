"""Small networks in .onnx files, made with the package onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["KERNEL", "activations", "embedded", "write_network"]

_RANDOM = np.random.default_rng(7)
#: Of the convolution, (channels, 3, 1, 1), and of the last layer.
KERNEL = _RANDOM.normal(size=(5, 3, 1, 1)).astype(np.float32)
_HEAD = _RANDOM.normal(size=(5, 4)).astype(np.float32)


def activations(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The map of the network, (b, height, width, 5), after the rectifier."""
    return np.asarray(np.maximum(images @ KERNEL[:, :, 0, 0].T, 0))


def embedded(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The output of the network, (b, 4)."""
    return np.asarray(activations(images).mean(axis=(1, 2)) @ _HEAD)


def write_network(
    path: Path,
    shape: tuple[Any, ...] = ("batch", 3, 6, 6),
    channels_first: bool = True,
    kind: int = TensorProto.FLOAT,
    external: str = "",
) -> Path:
    """Write a network: a convolution, a rectifier, the mean over pixels, a dense layer; outputs embedding and pooled.

    Args:
        path: of the file.
        shape: of the input ``image``; text for a side of any length.
        channels_first: whether the input is (b, 3, height, width).
        kind: the type of the input.
        external: the place of the weights; empty for the file itself.
    """
    tensors = [numpy_helper.from_array(KERNEL, "kernel"), numpy_helper.from_array(_HEAD, "head")]
    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["numbers"], ["turned"], perm=[0, 1, 2, 3] if channels_first else [0, 3, 1, 2]),
        helper.make_node("Conv", ["turned", "kernel"], ["seen"]),
        helper.make_node("Relu", ["seen"], ["rectified"]),
        helper.make_node("GlobalAveragePool", ["rectified"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["pooled"]),
        helper.make_node("MatMul", ["pooled", "head"], ["embedding"]),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [shape[0], length])
        for name, length in (("embedding", 4), ("pooled", 5))
    ]
    image = helper.make_tensor_value_info("image", kind, list(shape))
    graph = helper.make_graph(nodes, "small", [image], outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if external:
        onnx.external_data_helper.convert_model_to_external_data(model, location="weights.data", size_threshold=0)
        onnx.save_model(model, path)
        content = onnx.load(path, load_external_data=False)
        for tensor in content.graph.initializer:
            for entry in tensor.external_data:
                entry.value = external if entry.key == "location" else entry.value
        path.write_bytes(content.SerializeToString())
    else:
        onnx.save_model(model, path)
    return path
