"""The operation that scales colors at the beginning of a SavedModel's graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from simtool.models.network import divides_bytes
from simtool.tensorflow import load_tensorflow

__all__ = ["scaling_operation"]

#: Operations before the first convolution that change colors or their order.
_BEFORE = frozenset(("AddV2", "Sub", "Mul", "RealDiv", "Cast", "Identity", "Transpose", "Pad", "PadV2"))


def scaling_operation(graph: Any, signature: str) -> str:
    """The name of an operation that scales bytes before the first convolution; empty if none is found.

    Args:
        graph: a ``MetaGraphDef``.
        signature: the name of a signature with one input.
    """
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    (image,) = graph.signature_def[signature].inputs.values()
    nodes, value = graph.graph_def.node, _node(image.name)
    while len(users := [node for node in nodes if value in map(_node, node.input)]) == 1:
        (user,) = users
        inputs = list(map(_node, user.input))
        called = functions.get(user.attr["f"].func.name) if "f" in user.attr else None
        if called is not None:
            nodes, value = called.node_def, called.signature.input_arg[inputs.index(value)].name
            continue
        if user.op not in _BEFORE:
            break
        numbers = _numbers(nodes, [name for name in inputs if name != value])
        if user.op in ("Mul", "RealDiv") and divides_bytes(numbers, multiplied=user.op == "Mul"):
            return str(user.name)
        value = user.name
    return ""


def _node(name: str) -> str:
    """The name of the node of an input, which may name an output of it, too."""
    return name.removeprefix("^").split(":")[0]


def _numbers(nodes: Iterable[Any], names: Sequence[str]) -> list[float]:
    """The values of constants, also of converted ones."""
    tf = load_tensorflow()
    known = {node.name: node for node in nodes}
    found: list[float] = []
    for name in names:
        node = known.get(name)
        while node is not None and node.op in ("Cast", "Identity"):
            node = known.get(_node(node.input[0]))
        if node is not None and node.op == "Const":
            found.extend(tf.make_ndarray(node.attr["value"].tensor).ravel().tolist())
    return found
