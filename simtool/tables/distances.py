"""The table of distances: a model without vectors, as the distances of pairs of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.ids import Matches, match_ids
from simtool.kinds import Expected
from simtool.tables.atomic import atomic_path
from simtool.tables.columns import CODES
from simtool.tables.files import (
    TableError,
    metadata_of,
    open_parquet,
    part_files,
    read_batches,
    row_groups,
    schema_of,
    schema_with_metadata,
    strings,
)
from simtool.tables.info import Metadata
from simtool.tables.parquet import writer_of_codes
from simtool.tables.provenance import Provenance
from simtool.tables.vocabulary import Vocabulary
from simtool.text import counted

__all__ = ["DistanceInfo", "DistanceTable", "Pairs", "read_distances", "read_pairs", "write_distances"]

KIND = "distances"
#: Two distances of a pair that differ by less, relative to the largest distance, differ by rounding only.
_ROUNDING = 1e-6
_COLUMNS = {"image_1": CODES, "image_2": CODES, "distance": pa.float64()}


@dataclass(frozen=True, eq=False)
class Pairs:
    """Values of pairs of images as a file lists them: in any order, unchecked.

    Attributes:
        image_id: (n,) distinct ids.
        first: (rows,) positions in ``image_id``.
        second: (rows,) the same.
        value: (rows,) float64.
    """

    image_id: NDArray[np.object_]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    value: NDArray[np.float64]

    def take(self, rows: NDArray[np.bool_]) -> Pairs:
        """The pairs where a mask is true."""
        return replace(self, first=self.first[rows], second=self.second[rows], value=self.value[rows])

    def named(self, rows: NDArray[Any], symmetric: bool = True) -> str:
        """The first few of some rows, for messages: ``a and b, c and d``; ``a to b`` if the direction counts."""
        word = "and" if symmetric else "to"
        first, second = self.image_id[self.first[rows[:4]]], self.image_id[self.second[rows[:4]]]
        names = [f"{one} {word} {other}" for one, other in zip(first, second, strict=True)]
        return listed([*names, *[""] * (len(rows) - len(names))])


@dataclass(frozen=True)
class DistanceInfo:
    """Metadata of a table of distances.

    Attributes:
        name: the label in reports.
        symmetric: whether the distance from a to b is that from b to a.
        measure: what the distances are, such as ``cosine`` or ``-similarity``; None if it is not stated.
    """

    name: str
    symmetric: bool = True
    measure: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Convert to the metadata keys of the contract."""
        return {"name": self.name, "symmetric": self.symmetric, "measure": self.measure}

    @classmethod
    def from_json(cls, content: dict[str, Any], path: Path) -> DistanceInfo:
        """Read the metadata of the table at ``path``; a name that is missing is that of the file.

        Raises:
            TableError: a value has another type than the contract's.
        """
        stated = Metadata(path, content)
        symmetric = stated.truth("symmetric", default=True)
        return cls(stated.text("name") or path.resolve().stem, symmetric, stated.text("measure"))


@dataclass(frozen=True, eq=False)
class DistanceTable:
    """Distances of distinct pairs of images, ascending by the position of the first image, then of the second.

    The ids are codes, so that millions of pairs take little memory.

    Attributes:
        path: the file or folder; of a table in memory, its name.
        info: the metadata.
        image_id: (n,) the ids.
        first: (P,) positions in ``image_id``: where the distance begins. Without a direction, the smaller position.
        second: (P,) the same: where the distance ends.
        distance: (P,) float64, finite.
        provenance: of the table; None if it is not stated.
        source: the absolute path; None for a table in memory.
    """

    path: Path
    info: DistanceInfo
    image_id: NDArray[np.object_]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    distance: NDArray[np.float64]
    provenance: Provenance | None = None
    source: Path | None = None

    @classmethod
    def of(cls, pairs: Pairs, info: DistanceInfo, path: Path | None = None) -> Self:
        """Check pairs, and keep each of them once.

        A distance of an image to itself is left out. Two distances of one pair that differ by rounding become their
        mean. Distances may be negative only if the measure is stated.

        Args:
            pairs: pairs in any order; without a direction, a pair may occur in both.
            info: of the table.
            path: of the source, for messages; None for the name of the table.

        Raises:
            TableError: a distance is NaN, infinite, negative, or that of an image to itself is not 0; a pair has two
                distances; there are no pairs.
        """
        path = path or Path(info.name)
        _check_values(path, pairs, info)
        first, second = pairs.first, pairs.second
        if info.symmetric:
            first, second = np.minimum(first, second), np.maximum(first, second)
        key = first.astype(np.int64) * len(pairs.image_id) + second
        order = np.argsort(key, kind="stable")
        order = order[first[order] != second[order]]
        if not order.size:
            raise TableError(f"{path}: there are no pairs of two different images")
        start = np.flatnonzero(np.diff(key[order], prepend=-1))
        low, high = (each.reduceat(pairs.value[order], start) for each in (np.minimum, np.maximum))
        if (odd := np.flatnonzero(high - low > _slack(pairs.value))).size:
            raise TableError(f"{path}: {_conflict(pairs, info, order[start[odd]], low[odd], high[odd])}")
        kept = order[start]
        return cls(path, info, pairs.image_id, first[kept], second[kept], low + (high - low) / 2)

    def __len__(self) -> int:
        return len(self.distance)

    def __repr__(self) -> str:
        return f"DistanceTable({self.info.name}, {counted(len(self), 'pairs')} of {len(self.image_id):,} images)"

    def match(self, image_ids: Sequence[str] | NDArray[np.object_]) -> Matches:
        """The positions of the given images in ``image_id``, matched by id or by a normalised spelling of it.

        Raises:
            TableError: images are missing or ambiguous; says how many, and names the first few.
        """
        return match_ids(image_ids, self.image_id).checked(self.path, TableError)


def _slack(value: NDArray[np.float64]) -> float:
    """The largest difference that is due to rounding."""
    return _ROUNDING * max(float(value.max(initial=0)), -float(value.min(initial=0)))


def _check_values(path: Path, pairs: Pairs, info: DistanceInfo) -> None:
    def refuse(fault: NDArray[np.bool_], complaint: str, advice: str = "") -> None:
        rows = np.flatnonzero(fault)
        if rows.size:
            some = counted(rows.size, "pairs")
            raise TableError(f"{path}: {complaint} {some}: {pairs.named(rows, info.symmetric)}{advice}")

    refuse(np.isnan(pairs.value), "NaN instead of a distance in", "; leave these pairs out of a table of pairs")
    refuse(np.isinf(pairs.value), "an infinite distance in")
    own = pairs.first == pairs.second
    similar = "; if larger numbers mean more similar, import them with --similarity"
    if (odd := np.flatnonzero(own & (abs(pairs.value) > _slack(pairs.value)))).size:
        images = listed(pairs.image_id[pairs.first[odd]])
        raise TableError(
            f"{path}: the distance of {counted(odd.size, 'images')} to itself is not 0: {images} "
            f"({pairs.value[odd[0]]:.6g}){similar}"
        )
    if info.measure is None:
        refuse(~own & (pairs.value < 0), "a negative distance in", similar)


def _conflict(
    pairs: Pairs, info: DistanceInfo, rows: NDArray[np.intp], low: NDArray[np.float64], high: NDArray[np.float64]
) -> str:
    """A message about pairs with two distances."""
    names = pairs.named(rows[:1], info.symmetric)
    some = f"{counted(rows.size, 'pairs')} {'has' if rows.size == 1 else 'have'} two distances"
    advice = "; if the distance depends on the direction, import the table with --asymmetric" if info.symmetric else ""
    return f"{some}: {names} {low[0]:.6g} and {high[0]:.6g}{advice}"


def read_pairs(path: Path) -> tuple[Pairs, DistanceInfo]:
    """Read the pairs of a table of distances as they are, and its metadata.

    Args:
        path: a Parquet file, or a folder of parts.

    Raises:
        TableError: a column is missing, has another type, or has nulls; the parts disagree.
    """
    return _pairs(path), _info_of(path, _stated(path))


def read_distances(path: Path) -> DistanceTable:
    """Read a table of distances into memory.

    Args:
        path: a Parquet file, or a folder of parts.

    Raises:
        TableError: as for :func:`read_pairs`, or a pair is not valid: see :meth:`DistanceTable.of`.
    """
    stated = _stated(path)
    table = DistanceTable.of(_pairs(path), _info_of(path, stated), path)
    return replace(table, provenance=Provenance.from_json(stated[0]) if stated else None, source=path.absolute())


def _pairs(path: Path) -> Pairs:
    """The columns."""
    texts = Vocabulary()
    firsts, seconds, values = [], [], []
    for batch in read_batches(path, KIND, _COLUMNS, {}):
        firsts.append(texts.encode(batch.column("image_1")))
        seconds.append(texts.encode(batch.column("image_2")))
        values.append(batch.column("distance").to_numpy(zero_copy_only=False))
    none = np.empty(0, np.int32)
    first, second = (np.concatenate([none, *each]) for each in (firsts, seconds))
    return Pairs(strings(texts.names), first, second, np.concatenate([np.empty(0), *values]))


def _stated(path: Path) -> list[dict[str, Any]]:
    """The metadata of the parts that have rows."""
    files = [open_parquet(part, Expected.DISTANCES) for part in part_files(path, Expected.DISTANCES)]
    return [metadata_of(file.schema_arrow) for file in files if file.metadata.num_rows]


def _info_of(path: Path, stated: Sequence[dict[str, Any]]) -> DistanceInfo:
    infos = [DistanceInfo.from_json(content, path) for content in stated or [{}]]
    if odd := [info for info in infos if info != infos[0]]:
        raise TableError(f"{path}: parts disagree: {infos[0].to_json()} and {odd[0].to_json()}")
    return infos[0]


def write_distances(path: Path, table: DistanceTable, provenance: Provenance) -> None:
    """Write a table of distances atomically.

    Raises:
        OSError: the file cannot be written.
    """
    names = pa.array(table.image_id, pa.string())
    types = schema_of(_group(table, names, slice(0, 0)), _COLUMNS)
    schema = schema_with_metadata(types, KIND, provenance, table.info.to_json())
    with atomic_path(path) as temporary, writer_of_codes(temporary, schema) as writer:
        for rows in row_groups(len(table)):
            writer.write_table(pa.table(_group(table, names, rows), schema=schema))


def _group(table: DistanceTable, names: pa.StringArray, rows: slice) -> dict[str, pa.Array]:
    """Some rows as columns."""
    codes = (pa.DictionaryArray.from_arrays(pa.array(each[rows]), names) for each in (table.first, table.second))
    return dict(zip(_COLUMNS, (*codes, pa.array(table.distance[rows])), strict=True))
