"""Guards against damaged HDF5 files, which can crash, hang or exhaust a process that reads them.

:func:`survives` tries a step in a child process first. :func:`has_sound_texts` checks the heaps of variable-length
texts before HDF5 reads them: a damaged heap can make HDF5 loop forever, allocate gigabytes, or crash. A dataset of
such texts holds pointers (length, address of a heap, number in the heap). A heap is ``GCOL``, a version and its size,
then its entries: a number, a size and the bytes, padded to a multiple of 8. Number 0 is the free rest.
"""

from __future__ import annotations

import faulthandler
import mmap
import os
import resource
import signal
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

__all__ = ["has_sound_texts", "survives"]

_POINTER = struct.Struct("<IQI")
_ENTRY = struct.Struct("<H6xQ")
_HEAP_HEADER = 16
_NOWHERE = (0, (1 << 64) - 1)


def survives(step: Callable[[], object], seconds: int = 5) -> bool:
    """Run a step in a copy of this process, and return whether the copy survived.

    Exceptions do not count as a crash: this process meets them when it runs the step itself. A step that takes more
    than the given seconds counts as a crash.
    """
    child = os.fork()
    if not child:
        _run(step, seconds)
    _, status = os.waitpid(child, 0)
    return not os.WIFSIGNALED(status)


def _run(step: Callable[[], object], seconds: int) -> None:
    """Run the step and end this process, without output."""
    try:
        faulthandler.disable()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        with suppress(BaseException):
            step()
    finally:
        os._exit(0)


def has_sound_texts(dataset: Any, content: bytes | mmap.mmap) -> bool:
    """Return whether all pointers of an h5py dataset of texts are valid in the bytes of its file.

    Numbers and fixed-length texts have no pointers, and are valid.
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


def _entries(content: bytes | mmap.mmap, address: int) -> dict[int, int]:
    """Return the size of each entry of a heap by its number; empty for a damaged heap."""
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
