"""Places: the inputs and outputs of a stage, and the check that no output replaces an input or another output.

Two paths are the same place if they lead to the same file, also through links or another spelling.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

from simtool.errors import SimtoolError
from simtool.kinds import special

__all__ = ["Folder", "Place", "PlaceError", "check_images", "check_places", "table_file"]

_TABLE = ".parquet"
#: Suffixes of files that are not Parquet tables.
_PROMISES = frozenset((".csv", ".tsv", ".txt", ".json", ".npy", ".npz", ".h5", ".hdf5", ".xlsx", ".feather", ".arrow"))


class PlaceError(SimtoolError):
    """An output would replace an input or another output, or is no place to write to."""


@dataclass(frozen=True)
class Folder:
    """An output that is a folder, or an input whose folder is more than the parts of a table."""

    path: Path


#: A place that is written or read. A path is a file; as an input it may also be the folder of a table in parts.
Place = Path | Folder


def table_file(out: str | Path | None) -> Path | None:
    """The output of a stage that writes a table, a Parquet file; None where it writes nothing."""
    path = None if out is None else Path(out)
    if path is not None and path.suffix.lower() in _PROMISES:
        raise PlaceError(f"{path}: a table is a Parquet file, not {path.suffix}; name it {path.stem}{_TABLE}")
    return path


def check_places(reads: Iterable[Place | None], writes: Iterable[Place | None]) -> None:
    """Refuse outputs that are inputs or other outputs, or that are no place to write to.

    Args:
        reads: inputs. A path is a file, or the folder of a table in parts, to which no output may be added. A
            ``Folder`` is a folder of images, judgments or a model, to which new files may be added. None is no input.
        writes: outputs. A path is a file, a ``Folder`` a folder that the stage makes or fills. None is no output.

    Raises:
        PlaceError: names the output, and the reason.
    """
    inputs = [each for each in reads if each is not None]
    outputs = [each for each in writes if each is not None]
    for output in outputs:
        _check_kind(output)
    for first, second in combinations(outputs, 2):
        if _same(_path(first), _path(second)):
            raise PlaceError(f"{_path(second)}: two outputs cannot be one {_noun(second)}; give each its own name")
    for source, output in product(inputs, outputs):
        _check_apart(output, source)


def check_images(table: Path, files: Sequence[Path], writes: Iterable[Place | None]) -> None:
    """Refuse outputs that are image files of a table.

    Raises:
        PlaceError: names the output.
    """
    paths = (path for path in writes if isinstance(path, Path))
    existing = {_identity(path): path for path in paths if path.exists()}
    for file in files if existing else ():
        if file.exists() and (output := existing.get(_identity(file))):
            raise PlaceError(f"{output}: this is an image of {table}; give the output another name")


def _identity(file: Path) -> tuple[int, int]:
    """The numbers of device and file, which links and other spellings of a path share."""
    status = file.stat()
    return status.st_dev, status.st_ino


def _path(place: Place) -> Path:
    return place if isinstance(place, Path) else place.path


def _noun(place: Place) -> str:
    return "folder" if isinstance(place, Folder) else "file"


def _check_kind(output: Place) -> None:
    path = _path(output)
    if path == Path("-"):
        raise PlaceError("-: this command does not write to standard output; name a file to write")
    try:
        mode = path.stat().st_mode
    except OSError:  # it does not exist yet, or the stage itself reports why it cannot be written
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise PlaceError(f"{path}: this is {special(mode)}, not a file; name a file to write")
    if stat.S_ISREG(mode) and _is_standard_output(path):
        raise PlaceError(f"{path}: standard output goes to this file too; give the output another name")
    if stat.S_ISDIR(mode) and not isinstance(output, Folder):
        raise PlaceError(f"{path}: this is a folder; name a file to write, for example {path / 'NAME'}")
    if stat.S_ISREG(mode) and isinstance(output, Folder):
        raise PlaceError(f"{path}: this is a file; name a folder to write to")


def _is_standard_output(path: Path) -> bool:
    """Whether a shell redirects standard output to this file: ``simtool ... > FILE``."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:  # standard output is closed
        return False


def _check_apart(output: Place, source: Place) -> None:
    path, origin = _path(output), _path(source)
    if _same(path, origin):
        raise PlaceError(f"{path}: this is an input, which the output would replace; give the output another name")
    if isinstance(output, Folder):
        if _real(origin).parent == _real(path):
            raise PlaceError(f"{path}: this folder holds {origin}, which is read; name a folder for the output alone")
        return
    within = _real(origin) in _real(path).parents
    if within and not isinstance(source, Folder) and origin.is_dir():
        raise PlaceError(
            f"{path}: this is inside {origin}, whose files are read as one table; write the output elsewhere"
        )
    if within and path.exists() and path.suffix != _TABLE:
        raise PlaceError(f"{path}: this is a file of {origin}, which is read; give the output another name")


def _same(first: Path, second: Path) -> bool:
    """Whether two paths lead to the same file, which need not exist."""
    if _real(first) == _real(second):
        return True
    try:
        return first.samefile(second)
    except OSError:
        return False


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
