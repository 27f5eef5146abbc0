"""Catalogs of stimuli, which map stimulus numbers to images."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simtool.errors import SimtoolError, first_line, listed
from simtool.kinds import Expected, KindError, What, explain, kind_of
from simtool.tables.files import objects
from simtool.text import counted

__all__ = ["Catalog", "CatalogError", "catalogs_in", "image_id_of", "is_catalog", "parse_catalog", "read_catalog"]

#: psiz-datasets writes stimulus numbers with the digits 0-9 and A-Z.
LOCAL_ID_BASE = 36

_EITHER_BASE = ("stimulus_id", "id")
_PATH_COLUMNS = ("filepath", "stimulus_filepath", "path")
#: Columns of stimulus numbers, the most specific first, with the base of their digits and the number of the first
#: stimulus; ``stimulus_id`` and ``id`` count from 0 in old catalogs.
_NUMBERINGS = {
    "id_1based": (10, 1),
    "id_0based": (10, 0),
    **dict.fromkeys(("local_id", "local_id_base36"), (LOCAL_ID_BASE, 1)),
    **dict.fromkeys(_EITHER_BASE, (10, 1)),
}
_SUFFIXES = frozenset((".csv", ".tsv", ".txt", ".hdf5", ".h5"))
_HDF5_KEYS = ("stimulus_id", "stimulus_filepath")
#: Upper limit for the number of stimuli; a larger number is a sign of damage.
MOST_STIMULI = 10_000_000
#: Exceptions of h5py for damaged files.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, MemoryError)


class CatalogError(SimtoolError):
    """A catalog is malformed, or lacks a stimulus."""


@dataclass(frozen=True)
class Catalog:
    """The images of a set of stimuli.

    Attributes:
        name: the file, for messages.
        number: (n,) the numbers of the stimuli, from 1, ascending.
        image_id: (n,) their images.
    """

    name: str
    number: NDArray[np.int64]
    image_id: NDArray[np.object_]

    def rows_of(self, numbers: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """Find the rows of stimuli by number (from 1); -1 for stimuli that the catalog does not have."""
        turned = numbers.T  # a matrix in Fortran order is flattened, and restored, without a copy
        rows = pc.index_in(pa.array(turned.ravel(), pa.int64()), pa.array(self.number))
        return np.asarray(pc.fill_null(rows, -1).to_numpy().reshape(turned.shape).T)

    @property
    def extent(self) -> str:
        """The range of numbers: ``208 stimuli, 1 to 208``."""
        return f"{counted(self.number.size, 'stimuli', 'stimulus')}, {self.number[0]} to {self.number[-1]}"


def image_id_of(path: str) -> str:
    """Return the image id of a catalog's path: the path below ``images/`` or below the root of the stimuli.

    The catalogs of birds-16 have three spellings. ``Bird/Cardinalidae/Blue_Grosbeak/X.jpg`` is an id.
    ``/birds_16/Cardinalidae/Blue_Grosbeak/X.jpg`` begins with the name of the stimulus set, which is removed. The id
    of ``/anywhere/images/Bird/Cardinalidae/Blue_Grosbeak/X.jpg`` is the path below ``images``.

    Raises:
        ValueError: the path does not name a file.
    """
    posix = PurePosixPath(path.strip().replace("\\", "/"))
    parts = [part for part in posix.parts if part not in (posix.anchor, ".")]
    if "images" in parts[:-1]:
        parts = parts[parts.index("images") + 1 :]
    elif posix.is_absolute() and len(parts) > 1:
        parts = parts[1:]
    if not parts or ".." in parts or "\0" in path:
        raise ValueError(f"{path!r} does not name a file")
    return "/".join(parts)


def is_catalog(path: Path) -> bool:
    """Return whether a file begins like a catalog of stimuli; its rows are not checked."""
    import h5py

    try:
        if h5py.is_hdf5(path):
            return kind_of(path).what is What.PSIZ_CATALOG
        with path.open("rb") as opened:
            start = opened.read(1 << 16)
        text = codecs.getincrementaldecoder(_encoding(start))("replace").decode(start)
        _, cells = next(_records(text, _separator(text), str(path)), (0, []))
        _columns(cells, str(path))
    except (CatalogError, KindError, *_DAMAGE):
        return False
    return True


def catalogs_in(folder: Path) -> list[Path]:
    """Return the catalogs of stimuli in a folder, by their first line or keys, sorted by name."""
    named = sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES and file.is_file())
    return [file for file in named if not file.name.startswith(".") and is_catalog(file)]


def read_catalog(path: Path) -> Catalog:
    """Read a catalog of any layout, detected by content.

    Layouts: psiz's HDF5 (``stimulus_id``, ``stimulus_filepath``); psiz-datasets' ``stimuli.txt`` (separated by
    ``|``, with a ``local_id`` in base 36); a table separated by commas, tabs or semicolons with a column of
    paths (``filepath``) and a column of numbers (``id_1based``, ``id_0based``, ``local_id``, ``stimulus_id`` or
    ``id``).

    Raises:
        CatalogError: the file has another layout, a row is malformed, or a number or a path occurs twice.
        OSError: the file cannot be read.
    """
    kind = kind_of(path)
    if kind.damage or kind.what not in Expected.CATALOG.kinds:
        raise CatalogError(explain(path, Expected.CATALOG))
    return parse_catalog(path.read_bytes(), str(path)) if kind.text else _from_hdf5(path)


def parse_catalog(content: bytes, name: str) -> Catalog:
    """Read a catalog from the bytes of a text file; the name is for messages. Errors are as in :func:`read_catalog`."""
    try:
        text = content.decode(_encoding(content))
    except UnicodeDecodeError as failure:
        raise CatalogError(f"{name}: not a catalog of stimuli: no HDF5 file of psiz, and no text in UTF-8") from failure
    records = _records(text, _separator(text), name)
    _, names = next(records, (0, []))
    numbering, number, path = _columns(names, name)
    base, first = _NUMBERINGS[numbering]
    numbers: list[int] = []
    paths: list[str] = []
    for line, cells in records:
        padded = [*cells, *[""] * len(names)]
        try:
            numbers.append(_number(padded[number].strip(), base) + 1 - first)
            paths.append(image_id_of(padded[path]))
        except ValueError as failure:
            raise CatalogError(f"{name}: line {line}: {failure}") from failure
    return _catalog(name, numbers, paths, either_base=numbering in _EITHER_BASE)


def _encoding(content: bytes) -> str:
    return "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _separator(text: str) -> str:
    """Return the separator of the cells in the first line."""
    first = next(iter(text.lstrip().splitlines()), "")
    if match := re.fullmatch(r"sep=([|,\t;])\s*", first, re.IGNORECASE):
        return match[1]
    return max("|,\t;", key=first.count)


def _records(text: str, separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not empty, the header first, each with its first line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    begins = 1
    try:
        for cells in reader:
            declares = begins == 1 and cells and cells[0].casefold() == "sep="
            if not declares and any(cell.strip() for cell in cells):
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as failure:
        raise CatalogError(f"{name}: line {begins}: {failure}") from failure


def _columns(names: Sequence[str], name: str) -> tuple[str, int, int]:
    """Return the column of numbers, its position, and the position of the paths."""
    columns = [column.strip().casefold() for column in names]
    number = next((column for column in _NUMBERINGS if column in columns), None)
    path = next((column for column in _PATH_COLUMNS if column in columns), None)
    if number is None or path is None:
        sought = listed(_NUMBERINGS if number is None else _PATH_COLUMNS, 9)
        found = listed(columns, 9)
        raise CatalogError(f"{name}: not a catalog of stimuli: none of the columns {sought}; found {found}")
    if columns.count(number) > 1 or columns.count(path) > 1:
        raise CatalogError(f"{name}: the header has {number} or {path} twice")
    return number, columns.index(number), columns.index(path)


def _number(text: str, base: int) -> int:
    if not re.fullmatch(r"-?\d{1,12}" if base == 10 else r"[0-9A-Za-z]{1,12}", text, re.ASCII):
        raise ValueError(f"{text[:40]!r} is not the number of a stimulus{'' if base == 10 else f' in base {base}'}")
    return int(text, base)


def _from_hdf5(path: Path) -> Catalog:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if missing := [key for key in _HDF5_KEYS if not isinstance(file.get(key), h5py.Dataset)]:
                raise CatalogError(
                    f"{path}: not a catalog of stimuli: no values {listed(missing)}; found {listed(file, 9)}"
                )
            number, paths = (file[key] for key in _HDF5_KEYS)
            if number.dtype.kind not in "iu" or number.ndim != 1 or number.shape != paths.shape:
                raise CatalogError(f"{path}: stimulus_id should be n integers and stimulus_filepath n paths")
            if paths.dtype.kind not in "SO":
                raise CatalogError(f"{path}: stimulus_filepath should be n paths; it holds {paths.dtype}")
            if number.size > MOST_STIMULI:
                raise CatalogError(f"{path}: the file is damaged: it states {number.size:,} stimuli")
            numbers, paths = number[()], paths[()]
    except _DAMAGE as failure:
        reason = first_line(failure)
        raise CatalogError(f"{path}: damaged, or not a catalog of psiz ({reason}); get it again") from failure
    try:
        ids = [image_id_of(entry.decode() if isinstance(entry, bytes) else str(entry)) for entry in paths]
    except ValueError as failure:
        raise CatalogError(f"{path}: stimulus_filepath: {failure}") from failure
    return _catalog(str(path), numbers.tolist(), ids, either_base=True)


def _catalog(name: str, numbers: Sequence[int], ids: Sequence[str], either_base: bool) -> Catalog:
    """Sort a catalog. If the numbers can count from 0 or from 1, a 0 decides."""
    if not numbers:
        raise CatalogError(f"{name}: the catalog lists no stimuli")
    if not -1 < min(numbers) <= max(numbers) < 2**31:
        raise CatalogError(f"{name}: stimulus numbers out of range: {min(numbers)} to {max(numbers)}")
    number = np.array(numbers, np.int64) + (1 if either_base and min(numbers) == 0 else 0)
    for what, values in (("number", number.tolist()), ("path", ids)):
        if repeated := [value for value, count in Counter(values).items() if count > 1]:
            raise CatalogError(f"{name}: several stimuli have the same {what}: {listed(repeated)}")
    order = np.argsort(number)
    return Catalog(name, number[order], objects(ids)[order])
