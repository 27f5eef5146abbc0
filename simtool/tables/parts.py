"""The files of a table: one file, or a folder of parts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from urllib.parse import unquote

from simtool.errors import listed
from simtool.kinds import Expected, explain
from simtool.tables.parquet import TableError

__all__ = ["hive_keys", "is_numbered", "part_files", "part_name", "require_set_of"]

_SUFFIXES = (".parquet", ".pq", ".parq")
_PART = re.compile(r"part-([0-9]{1,6})-of-([0-9]{1,6})\.parquet")
#: The null partition in Hive, Spark, pandas, polars and DuckDB, and in older versions of DuckDB.
_NULL_KEYS = ("__HIVE_DEFAULT_PARTITION__", "NULL")


def part_name(index: int, count: int) -> str:
    """Return the file name of a part of a sharded table, counted from 0: ``part-00003-of-00016.parquet``."""
    return f"part-{index:05d}-of-{count:05d}.parquet"


def is_numbered(part: Path) -> bool:
    """Return whether a file has the name of a part of a numbered set."""
    return bool(_numbers(part))


def _numbers(file: Path) -> tuple[int, ...]:
    """Return the index of a numbered part, and the number of parts; empty for other files."""
    match = _PART.fullmatch(file.name)
    return (int(match[1]), int(match[2])) if match else ()


def hive_keys(part: Path, table: Path) -> dict[str, str | None]:
    """Return the columns in the names of folders ``key=value`` between a table and one of its parts.

    Values stay text: ``001`` is not 1. The null partition is None.
    """
    if part == table:
        return {}
    pairs = (name.partition("=") for name in part.relative_to(table).parts[:-1] if "=" in name)
    return {unquote(key): None if value in _NULL_KEYS else unquote(value) for key, _, value in pairs}


def part_files(path: Path, expected: Expected = Expected.TABLE) -> list[Path]:
    """Return the Parquet files of a table: the file itself, or all files in and below a folder, in order.

    Raises:
        TableError: the path does not exist, the folder has no Parquet file, or its numbered set is incomplete.
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
        raise TableError(f"{path}: {listed(others)} does not belong to the numbered parts in this folder")
    if len({file.name for file in numbered}) == len(numbered):
        return _complete_set(path, numbered)
    folders = dict.fromkeys(file.parent for file in numbered)
    return [
        part for folder in folders for part in _complete_set(folder, [file for file in files if file.parent == folder])
    ]


def _parquet_files(folder: Path) -> Iterator[Path]:
    """Yield the Parquet files in and below a folder, without hidden files and logs of other programs."""
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
            raise TableError(f"{place}: a folder with the name of a part and without Parquet files; delete it")
        yield from here


def _raise(failure: OSError) -> None:
    raise failure


def _is_read(folder: str) -> bool:
    return not folder.startswith(".") and (not folder.startswith("_") or "=" in folder)


def _is_parquet(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES) and not name.startswith(".")


def _what_is_there(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return f"a link to {path.readlink()}, which does not exist"
    return "not a file and not a folder" if path.exists() else "no such file or folder"


def _complete_set(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Check that numbered parts form one complete set, counted from 0 (other programs count from 1)."""
    counts = {_numbers(file)[1] for file in files}
    if len(counts) > 1:
        raise TableError(f"{folder}: it has parts of different sets (of {listed(sorted(counts))} parts)")
    (count,) = counts
    by_index: dict[int, Path] = {}
    for file in files:
        other = by_index.setdefault(_numbers(file)[0], file)
        if other is not file:  # such as part-0-of-2 and part-00000-of-00002
            raise TableError(f"{folder}: {other.name} and {file.name} are the same part; delete the outdated file")
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


def _ranges(numbers: Sequence[int]) -> str:
    """Format ascending numbers like the tasks of a SLURM array: ``3,7-9``."""
    grouped = groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    runs = ([number for _, number in run] for _, run in grouped)
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def require_set_of(folder: Path, count: int) -> None:
    """Refuse to write a part of a set of ``count`` to a folder with parts of another set.

    Raises:
        TableError: the folder has a part of another set.
    """
    for file in sorted(folder.glob("*.parquet")):
        for other in _numbers(file)[1:]:
            if other != count:
                raise TableError(
                    f"{folder}: it has {file.name}, a part of a set of {other} parts, not of {count}; "
                    "give the right --shard I/N, delete the file, or give another folder"
                )
