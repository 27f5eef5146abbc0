"""Arrays of judgments in ``.npy`` and ``.npz`` files; no Python object is loaded."""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import first_line
from simtool.judgments.assembly import MOST_TRIALS, JudgmentsError, Places
from simtool.kinds import Expected, What, advice, kind_of
from simtool.system.npy import npy_header

__all__ = ["Archive", "StoredArray", "are_whole", "open_archive", "open_array", "whole_numbers"]

#: Maximum bytes of an array that is read at once.
MOST_BYTES = 1 << 31
#: Bytes of a block of rows.
_BLOCK = 1 << 24
#: Exceptions of zipfile for damaged and unsupported files.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, NotImplementedError),
    *(IndexError, ValueError, OverflowError),
)


@dataclass(frozen=True)
class StoredArray:
    """An array whose header was read and checked, and whose values were not read yet.

    Attributes:
        label: names it in messages: ``judgments.npz: indices``.
        file: the open file, at the first value.
        shape: its shape.
        dtype: numbers or text of fixed width.
        fortran: whether the order of the values is Fortran's.
    """

    label: str
    file: IO[bytes]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @classmethod
    def opened(cls, label: str, file: IO[bytes], size: int) -> StoredArray:
        """Read the header of an array at the beginning of a file.

        Raises:
            JudgmentsError: the header is malformed, or states Python objects.
        """
        try:
            shape, fortran, dtype = npy_header(file, size, "biufU")
        except ValueError as failure:
            advice = "save numbers or text of a fixed width, and no Python objects (numpy.asarray(values).dtype)"
            raise JudgmentsError(f"{label}: no array that simtool reads ({first_line(failure)}); {advice}") from failure
        return cls(label, file, shape, dtype, fortran)

    def require(self, kinds: str, sides: tuple[int | None, ...], what: str) -> StoredArray:
        """Return the array if its type has one of the kinds and its shape the sides; None fits every length.

        Raises:
            JudgmentsError: the array has another type or shape, no rows, or too many.
        """
        fits = len(self.shape) == len(sides) and all(
            side in (None, length) for side, length in zip(sides, self.shape, strict=True)
        )
        if self.dtype.kind not in kinds or not fits:
            raise JudgmentsError(f"{self.label}: should be {what}; it is {self.dtype} of shape {self.shape}")
        if not prod(self.shape):
            raise JudgmentsError(f"{self.label}: an array without rows")
        if max(self.shape) > MOST_TRIALS:
            raise JudgmentsError(f"{self.label}: {max(self.shape):,} rows; at most {MOST_TRIALS:,} are read")
        return self

    def values(self) -> NDArray[Any]:
        """Read all values.

        Raises:
            JudgmentsError: the array is too large.
        """
        size = prod(self.shape) * self.dtype.itemsize
        if size > MOST_BYTES:
            raise JudgmentsError(f"{self.label}: {size:,} bytes of values; at most {MOST_BYTES:,} are read")
        flat = np.frombuffer(self._read(size), self.dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield the rows in blocks of bounded size."""
        if self.fortran:
            yield self.values()
            return
        width = prod(self.shape[1:]) * self.dtype.itemsize
        step = max(1, _BLOCK // max(1, width))
        for start in range(0, self.shape[0], step):
            count = min(step, self.shape[0] - start)
            yield np.frombuffer(self._read(count * width), self.dtype).reshape(count, *self.shape[1:])

    def _read(self, size: int) -> bytes:
        with _reading(self.label):
            content = self.file.read(size)
        if len(content) < size:
            raise JudgmentsError(f"{self.label}: truncated: it ends before its last value; get it again")
        return content


@dataclass(frozen=True)
class Archive:
    """The arrays of an open ``.npz`` file.

    Attributes:
        path: the file.
        zip: the open zip.
        opened: closes the arrays that were opened.
    """

    path: Path
    zip: zipfile.ZipFile
    opened: ExitStack

    def array(self, name: str) -> StoredArray:
        """Open an array by its name.

        Raises:
            JudgmentsError: there is no such array, or it is damaged.
        """
        label = f"{self.path}: {name}"
        with _reading(label):
            try:
                info = self.zip.getinfo(f"{name}.npy")
            except KeyError as failure:
                raise JudgmentsError(f"{label}: no such array in the file") from failure
            file = self.opened.enter_context(self.zip.open(info))
            return StoredArray.opened(label, file, info.file_size)


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a ``.npz`` file.

    Raises:
        JudgmentsError: it is damaged.
    """
    _require(path, What.NPZ)
    with _reading(str(path)):
        archive = zipfile.ZipFile(path)
    with archive, ExitStack() as opened:
        yield Archive(path, archive, opened)


@contextmanager
def open_array(path: Path) -> Iterator[StoredArray]:
    """Open a ``.npy`` file.

    Raises:
        JudgmentsError: it is no array of numbers or text.
    """
    _require(path, What.NPY)
    with path.open("rb") as file:
        yield StoredArray.opened(str(path), file, os.fstat(file.fileno()).st_size)


def _require(path: Path, what: What) -> None:
    kind = kind_of(path)
    if kind.what is not what:
        raise JudgmentsError(f"{path}: this is {kind.description}, not {what}; {advice(kind, Expected.JUDGMENTS)}")


@contextmanager
def _reading(label: str) -> Iterator[None]:
    """Turn a failure of unpacking into one line."""
    try:
        yield
    except (*_DAMAGE, OSError) as failure:
        if isinstance(failure, OSError) and failure.filename is not None:
            raise
        raise JudgmentsError(f"{label}: damaged ({first_line(failure)}); get it again") from failure


def are_whole(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which numbers are whole and fit into 64 bits."""
    if values.dtype.kind in "bi":
        return np.ones(values.shape, bool)
    if values.dtype.kind == "u":
        return np.asarray(values <= np.iinfo(np.int64).max)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray((np.abs(values) < 2.0**53) & (values == np.floor(values)))


def whole_numbers(values: NDArray[Any], places: Places) -> NDArray[np.int64]:
    """Convert numbers, (T, N), to integers.

    Raises:
        JudgmentsError: a number is not whole; the message names its row.
    """
    wrong = ~are_whole(values)
    if wrong.any():
        places.refuse(np.asarray(wrong.any(axis=1)), f"has {values[wrong][0]}, which is not a whole number")
    return values.astype(np.int64, order="F")
