"""The heaps in which HDF5 keeps texts of any length, checked before HDF5 reads them.

A damaged heap can make HDF5 walk in a circle, clear gigabytes, or crash. A dataset of texts holds for each one a
pointer: its length, the address of a heap, its number there. A heap is ``GCOL``, a version and its size, then its
entries: a number, a size, and the bytes, padded to a multiple of 8. Number 0 is the free rest.
"""

from __future__ import annotations

import struct
from typing import Any

__all__ = ["has_sound_texts"]

_POINTER = struct.Struct("<IQI")
_ENTRY = struct.Struct("<H6xQ")
_HEAP_HEADER = 16
_NOWHERE = (0, (1 << 64) - 1)


def has_sound_texts(dataset: Any, content: bytes) -> bool:
    """Whether the pointers of a dataset of texts lead to texts; true for numbers and for texts of one length.

    Args:
        dataset: of h5py.
        content: the bytes of its file.
    """
    if not dataset.dtype.hasobject or dataset.chunks or (start := dataset.id.get_offset()) is None:
        return True
    if (dataset.dtype.metadata or {}).get("vlen") not in (str, bytes):
        return False
    pointers = content[start : start + _POINTER.size * dataset.size]
    if len(pointers) < _POINTER.size * dataset.size:
        return False
    heaps: dict[int, dict[int, int]] = {}
    for length, address, number in _POINTER.iter_unpack(pointers):
        if address in _NOWHERE:
            continue
        if address not in heaps:
            heaps[address] = _entries(content, address)
        if heaps[address].get(number, -1) < length:
            return False
    return True


def _entries(content: bytes, address: int) -> dict[int, int]:
    """The size of each entry of a heap; none where the heap is damaged."""
    if content[address : address + 5] != b"GCOL\1":
        return {}
    place, end = address + _HEAP_HEADER, address + int.from_bytes(content[address + 8 : address + 16], "little")
    entries: dict[int, int] = {}
    while place + _ENTRY.size <= end <= len(content):
        number, size = _ENTRY.unpack_from(content, place)
        place += size if number == 0 else _ENTRY.size + -(-size // 8) * 8
        if number in entries or place > end or (number == 0 and size < _ENTRY.size):
            return {}
        entries[number] = size
    return entries if end <= len(content) else {}
