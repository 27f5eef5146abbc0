"""The files that make up one table: a file, or a folder of parts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from simtool.errors import listed
from simtool.kinds import Expected, explain
from simtool.tables.parquet import TableError

__all__ = ["hive_keys", "is_numbered", "part_files", "part_name", "require_set_of"]

_SUFFIXES = (".parquet", ".pq", ".parq")
_PART = re.compile(r"part-([0-9]{1,6})-of-([0-9]{1,6})\.parquet")
#: The value of a partition whose key is null, as Hive, Spark, pandas, polars and DuckDB write it, and older DuckDBs.
_NULL_KEYS = ("__HIVE_DEFAULT_PARTITION__", "NULL")


def part_name(index: int, count: int) -> str:
    """The file name of one part of a sharded table: ``part-00003-of-00016.parquet``, counted from 0."""
    return f"part-{index:05d}-of-{count:05d}.parquet"


def is_numbered(part: Path) -> bool:
    """Whether a file is named as one part of a numbered set."""
    return _PART.fullmatch(part.name) is not None


def hive_keys(part: Path, table: Path) -> dict[str, str | None]:
    """The columns that folders named ``key=value`` between a table and one of its parts stand for.

    Values keep their text: ``001`` is not 1. The null partition is None.
    """
    if part == table:
        return {}
    pairs = (name.partition("=") for name in part.relative_to(table).parts[:-1] if "=" in name)
    return {unquote(key): None if value in _NULL_KEYS else unquote(value) for key, _, value in pairs}


def part_files(path: Path, expected: Expected = Expected.TABLE) -> list[Path]:
    """The Parquet files that make up a table: the file itself, or those in a folder and below it, in order.

    Args:
        path: a Parquet file, or a folder of part files.
        expected: which table is asked for, for complaints.

    Raises:
        TableError: nothing is there, the folder holds no Parquet file, or its numbered set is incomplete.
        OSError: a folder cannot be read.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise TableError(explain(path, expected))
    files = sorted(_parquet_files(path), key=lambda file: file.relative_to(path).parts)
    if not files:
        raise TableError(explain(path, expected))
    numbered = [file for file in files if is_numbered(file)]
    if not numbered:
        return files
    if others := [str(file.relative_to(path)) for file in files if not is_numbered(file)]:
        raise TableError(f"{path}: {listed(others)} does not belong to the numbered parts beside it")
    if len({file.name for file in numbered}) == len(numbered):
        return _complete_set(path, numbered)
    folders = dict.fromkeys(file.parent for file in numbered)
    return [
        part for folder in folders for part in _complete_set(folder, [file for file in files if file.parent == folder])
    ]


def _parquet_files(folder: Path) -> Iterator[Path]:
    """The Parquet files in a folder and the folders below it, without hidden ones and other programs' logs.

    Raises:
        TableError: an entry with a Parquet file's name is neither a file nor a folder of some.
    """
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else [name for name in folders if _is_read(name)]
        here = [] if real in seen else [Path(place, name) for name in names if _is_parquet(name)]
        seen.add(real)
        for file in here:
            if not file.is_file():
                raise TableError(f"{file}: {_what_is_there(file)}; delete it")
        if not here and not folders and _is_parquet(Path(place).name) and Path(place) != folder:
            raise TableError(f"{place}: a folder with a part's name that holds no Parquet files; delete it")
        yield from here


def _raise(failure: OSError) -> None:
    raise failure


def _is_read(folder: str) -> bool:
    return not folder.startswith(".") and (not folder.startswith("_") or "=" in folder)


def _is_parquet(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES) and not name.startswith(".")


def _what_is_there(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return f"a link to {path.readlink()}, which is not there"
    return "neither a file nor a folder" if path.exists() else "no such file or folder"


def _complete_set(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Check that numbered parts form one complete set, counted from 0 (or, from elsewhere, from 1)."""
    numbers = {file: _number(file) for file in files}
    counts = {count for _, count in numbers.values()}
    if len(counts) > 1:
        raise TableError(f"{folder}: parts of different sets lie together (of {listed(sorted(counts))})")
    (count,) = counts
    by_index = _by_index(folder, {file: index for file, (index, _) in numbers.items()})
    expected = range(1, count + 1) if set(by_index) == set(range(1, count + 1)) else range(count)
    if surplus := sorted(set(by_index) - set(expected)):
        raise TableError(f"{folder}: {by_index[surplus[0]].name} is outside a set of {count} parts counted from 0")
    if missing := [index for index in expected if index not in by_index]:
        parts = _ranges(missing)
        raise TableError(
            f"{folder}: the set of {count} parts is incomplete, {len(missing)} missing: "
            f"{listed(part_name(index, count) for index in missing)}; "
            f"run embed --shard I/{count} for I = {parts} (as a SLURM array: --array={parts})"
        )
    return [by_index[index] for index in expected]


def _number(file: Path) -> tuple[int, int]:
    """The index of a part, and how many there are."""
    match = _PART.fullmatch(file.name)
    assert match is not None  # noqa: S101
    return int(match[1]), int(match[2])


def _by_index(folder: Path, indices: Mapping[Path, int]) -> dict[int, Path]:
    """Parts by their index; refuses two spellings of one, ``part-0-of-2`` beside ``part-00000-of-00002``."""
    by_index: dict[int, Path] = {}
    for file, index in indices.items():
        if (other := by_index.setdefault(index, file)) is not file:
            raise TableError(
                f"{folder}: {other.name} and {file.name} are the same part; delete the one that is out of date"
            )
    return by_index


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as SLURM writes the tasks of an array: ``3,7-9``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def require_set_of(folder: Path, count: int) -> None:
    """Refuse to put a part of a set of ``count`` into a folder that holds parts of another set.

    Raises:
        TableError: naming what is there.
    """
    for file in sorted(folder.glob("*.parquet")):
        if is_numbered(file) and _number(file)[1] != count:
            raise TableError(
                f"{folder}: holds {file.name}, which is of a set of {_number(file)[1]} parts and not of {count}; "
                "say --shard I/N if this is to be one of them, else delete it or name another folder"
            )
