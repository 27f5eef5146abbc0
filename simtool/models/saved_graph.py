"""The operations that a SavedModel of TensorFlow can run, looked at before TensorFlow loads it.

A SavedModel holds no Python code, but operations of its graph can read and write files. Such a SavedModel is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simtool.errors import first_line, listed
from simtool.kinds import Expected, explain
from simtool.models.errors import ModelError
from simtool.tensorflow import load_tensorflow

__all__ = ["GRAPH", "check_graph", "reaches_outside"]

GRAPH = "saved_model.pb"
#: Operations that reach outside of the graph: files, the terminal, the network, functions of Python.
_OUTSIDE = re.compile(
    r"PyFunc|File|Reader|Writer|Save|Restore|Checkpoint|Dataset|Iterator|Print|Summary|Rpc|Socket|Dump|Debug"
    r"|CustomCall|RemoteCall|RecordInput|Remap|CandidateSampler|Skipgram"
)


def reaches_outside(operation: str) -> bool:
    """Whether an operation of TensorFlow can do more than compute."""
    return _OUTSIDE.search(operation) is not None


def check_graph(path: Path) -> Any:
    """Refuse a SavedModel that could do more than compute.

    Returns:
        Its graph, a ``MetaGraphDef``.

    Raises:
        ModelError: it is damaged, or of TensorFlow 1; or an operation reaches outside of the graph.
    """
    load_tensorflow()
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel()
    try:
        content.ParseFromString((path / GRAPH).read_bytes())
    except FileNotFoundError as failure:
        raise ModelError(f"{path}: it has no {GRAPH}; save it again with tf.saved_model.save") from failure
    except DecodeError as failure:
        raise ModelError(explain(path, Expected.MODEL, first_line(failure))) from failure
    graphs = [graph for graph in content.meta_graphs if "serve" in graph.meta_info_def.tags]
    if not graphs or not graphs[0].object_graph_def.concrete_functions:
        raise ModelError(
            f"{path}: it holds no functions of TensorFlow 2; load it with tf.saved_model.load, and save that with "
            "tf.saved_model.save and its signatures"
        )
    if found := sorted({name for name in _operations(graphs[0]) if reaches_outside(name)}):
        raise ModelError(
            f"{path}: its functions read or write files, or call Python (operations {listed(found)}), which is not "
            "safe; save the network alone, with a signature from images to vectors"
        )
    return graphs[0]


def _operations(graph: Any) -> Iterator[str]:
    """The operations of all functions that can be called, and of the functions that they call."""
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    waiting = list(graph.object_graph_def.concrete_functions)
    seen = set(waiting)
    while waiting:
        function = functions.get(waiting.pop())
        for node in () if function is None else function.node_def:
            yield node.op
            called = {node.op, *_called(node)} & functions.keys() - seen
            seen |= called
            waiting.extend(called)


def _called(node: Any) -> Iterator[str]:
    """The names of the functions in the attributes of an operation."""
    for attribute in node.attr.values():
        yield attribute.func.name
        yield from (function.name for function in attribute.list.func)
