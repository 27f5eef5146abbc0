"""Detection of ONNX files and TensorFlow's ``saved_model.pb`` by the fields of their protocol buffers."""

from __future__ import annotations

from simtool.kinds.kind import TRUNCATED, Kind, What

__all__ = ["message_kind"]

_VARINT, _LENGTH = 0, 2
#: The fields of ONNX's ModelProto and their wire types.
_ONNX = {1: _VARINT, 2: _LENGTH, 3: _LENGTH, 4: _LENGTH, 5: _VARINT, 6: _LENGTH, 7: _LENGTH, 8: _LENGTH, 14: _LENGTH}
_ONNX |= {20: _LENGTH, 25: _LENGTH, 26: _LENGTH}
_GRAPH = 7


def message_kind(start: bytes, size: int) -> Kind | None:
    """Return the kind of a protocol buffer of ``size`` bytes that begins with a version; None for other files."""
    if len(start) < 4 or start[0] != 0x08 or start[1] > 0x20:
        return None
    place = 0
    try:
        if start[1] == 1 and start[2] == 0x12:
            return _meta_graph(start, size)
        while place < min(size, len(start)):
            tag, place = _varint(start, place)
            field, wire = tag >> 3, tag & 7
            if _ONNX.get(field) != wire:
                return None
            value, place = _varint(start, place)
            if wire == _LENGTH:
                place += value
            if field == _GRAPH:
                return Kind(What.ONNX, f"{TRUNCATED}: it ends within its graph" if place > size else "")
    except IndexError:
        return None
    return None


def _meta_graph(start: bytes, size: int) -> Kind | None:
    """Detect ``saved_model.pb``: version 1, then a graph that begins with its description."""
    length, place = _varint(start, 3)
    if start[place : place + 1] != b"\x0a":
        return None
    return Kind(What.SAVED_MODEL, f"{TRUNCATED}: it ends within its graph" if place + length > size else "")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Return a number and the position of the next field; an IndexError if the data end before the number."""
    value = shift = 0
    while shift < 64:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise IndexError
