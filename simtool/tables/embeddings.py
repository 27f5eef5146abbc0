"""The table of embeddings: one vector per image, read and written in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import DTypeLike, NDArray

from simtool.errors import listed
from simtool.ids import Matches, match_ids
from simtool.kinds import Door
from simtool.tables.atomic import atomic_path
from simtool.tables.files import (
    TableError,
    check_kind,
    check_unique,
    metadata_of,
    open_parquet,
    part_files,
    schema_with_metadata,
    strings,
)
from simtool.tables.provenance import Provenance

__all__ = ["EmbeddingInfo", "EmbeddingTable", "EmbeddingWriter", "Segment", "open_embeddings", "write_embeddings"]

KIND = "embeddings"
#: Bytes of a row group: small enough to fetch a random row in milliseconds, large enough to stream.
ROW_GROUP_BYTES = 8 << 20
#: Bytes of a block that a streaming reader holds.
_BLOCK_BYTES = 32 << 20


@dataclass(frozen=True)
class Segment:
    """``count`` pieces of ``length`` values each within a vector: a flow's scale, or the pixels of an image."""

    name: str
    length: int
    count: int = 1


@dataclass(frozen=True)
class EmbeddingInfo:
    """What a table of embeddings says about itself.

    Attributes:
        name: the label in reports.
        dimension: D, the length of every vector.
        shape: the shape of a vector before it was flattened, for example (128, 128, 3).
        segments: in order; their length x count sums to D. Empty where the table names none.
        preprocessing: the recipe that the images went through, as JSON text.
        model: SHA-256 of the weights.
        skipped: image ids that were left out because their files are corrupt.
    """

    name: str
    dimension: int
    shape: tuple[int, ...] = ()
    segments: tuple[Segment, ...] = ()
    preprocessing: str | None = None
    model: str | None = None
    skipped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        total = sum(segment.length * segment.count for segment in self.segments)
        if self.segments and total != self.dimension:
            raise TableError(f"{self.name}: the segments sum to {total}, the vectors have {self.dimension} values")
        if self.segments and min(min(segment.length, segment.count) for segment in self.segments) < 1:
            raise TableError(f"{self.name}: every segment needs a length and a count of at least 1")
        if self.shape and math.prod(self.shape) != self.dimension:
            raise TableError(f"{self.name}: shape {list(self.shape)} does not hold {self.dimension} values")

    def to_json(self) -> dict[str, Any]:
        """As the keys that the contract pins for a table of embeddings."""
        return {
            "name": self.name,
            "dimension": self.dimension,
            "shape": list(self.shape or (self.dimension,)),
            "segments": [
                {"name": segment.name, "length": segment.length, "count": segment.count} for segment in self.segments
            ],
            "preprocessing": self.preprocessing,
            "model": self.model,
            **({"skipped": list(self.skipped)} if self.skipped else {}),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any], path: Path, dimension: int) -> EmbeddingInfo:
        """Read the metadata of the table at ``path``, whose vectors have ``dimension`` values.

        Raises:
            TableError: the metadata contradicts itself or the vectors.
        """
        if content.get("dimension", dimension) != dimension:
            raise TableError(
                f"{path}: the metadata says {content['dimension']} dimensions, the vectors have {dimension}"
            )
        try:
            return cls(
                name=str(content.get("name") or path.stem),
                dimension=dimension,
                shape=tuple(int(side) for side in content.get("shape") or ()),
                segments=tuple(
                    Segment(str(entry["name"]), int(entry["length"]), int(entry.get("count", 1)))
                    for entry in content.get("segments") or ()
                ),
                preprocessing=content.get("preprocessing"),
                model=content.get("model"),
                skipped=tuple(str(name) for name in content.get("skipped") or ()),
            )
        except (KeyError, TypeError, ValueError) as failure:
            raise TableError(f"{path}: the metadata's shape or segments cannot be read: {failure!r}") from failure


class EmbeddingTable:
    """An opened table of embeddings: its ids are checked, its vectors are read on demand.

    Attributes:
        path: the file or folder.
        info: what the metadata says.
        image_id: (n,) the ids in the table's order.
        dtype: the floating type of the file.
        provenance: where the table comes from, None where it does not say.
    """

    def __init__(
        self,
        path: Path,
        info: EmbeddingInfo,
        image_id: NDArray[np.object_],
        parts: Sequence[_Part],
        provenance: Provenance | None,
    ) -> None:
        self.path, self.info, self.image_id, self.provenance = path, info, image_id, provenance
        self.dtype = np.result_type(*(part.dtype for part in parts))
        self._parts = parts

    def __len__(self) -> int:
        return len(self.image_id)

    def match(self, image_ids: Sequence[str] | NDArray[np.object_]) -> Matches:
        """Where the given images stand in the table, by id or by a folded spelling of it.

        Raises:
            TableError: some are missing, or not told apart; says how many, and names the first few.
        """
        matches = match_ids(image_ids, self.image_id)
        if matches.complaint:
            raise TableError(f"{self.path}: {matches.complaint}")
        return matches

    def rows_of(self, image_ids: Sequence[str] | NDArray[np.object_]) -> NDArray[np.intp]:
        """The rows of the given images.

        Raises:
            TableError: as for :meth:`match`.
        """
        return np.array(self.match(image_ids).rows, np.intp)

    def read(self, rows: NDArray[np.integer[Any]] | None = None, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Read vectors into one array, without a second copy of the whole.

        Args:
            rows: positions in the table, in any order and with repeats; None for all.
            dtype: of the result.

        Returns:
            (len(rows), D), C-contiguous.

        Raises:
            TableError: a vector holds a missing value, NaN or infinity, or has another length.
        """
        wanted = np.arange(len(self)) if rows is None else np.asarray(rows)
        result = np.empty((wanted.size, self.info.dimension), dtype)
        order = np.argsort(wanted, kind="stable")
        ranked = wanted[order]
        for start, block in self._blocks(ranked):
            low, high = np.searchsorted(ranked, [start, start + len(block)])
            result[order[low:high]] = block[ranked[low:high] - start]
        return result

    def batches(self, dtype: DTypeLike = np.float32) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Stream the table in order, in bounded memory.

        Yields:
            The rows, and their vectors (rows, D).

        Raises:
            TableError: as for :meth:`read`.
        """
        for start, block in self._blocks(None):
            yield slice(start, start + len(block)), np.asarray(block, dtype)

    def _blocks(self, ranked: NDArray[np.integer[Any]] | None) -> Iterator[tuple[int, NDArray[Any]]]:
        """Checked blocks of consecutive rows, with their first row; only those that hold a wanted row."""
        offset = 0
        for part in self._parts:
            for start, block in part.blocks(offset, ranked):
                self._check_finite(start, block)
                yield start, block
            offset += part.rows

    def _check_finite(self, start: int, block: NDArray[Any]) -> None:
        with np.errstate(all="ignore"):
            # Any NaN or infinity makes the sum one; a sum that merely overflows is looked at closely.
            if np.isfinite(block.sum(dtype=np.float64)):
                return
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if bad.size:
            names = [f"row {start + row} ({self.image_id[start + row]})" for row in bad]
            raise TableError(f"{self.path}: NaN or infinity in {len(names):,} vectors: {listed(names)}")


class _Part:
    """One Parquet file of a table of embeddings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = open_parquet(path, Door.EMBEDDINGS)
        schema = self.file.schema_arrow
        self.metadata = metadata_of(self.file.metadata)
        check_kind(path, self.metadata, KIND)
        for name in ("image_id", "embedding"):
            if name not in schema.names:
                raise TableError(f"{path}: a table of embeddings needs column {name}; found {listed(schema.names, 12)}")
        self.rows: int = self.file.metadata.num_rows
        self.type = schema.field("embedding").type
        if isinstance(self.type, pa.BaseExtensionType):
            self.type = self.type.storage_type
        self.dtype = self._value_dtype()
        self.dimension = self._dimension()

    def _value_dtype(self) -> np.dtype[Any]:
        kind = self.type
        nested = (pa.types.is_fixed_size_list, pa.types.is_list, pa.types.is_large_list)
        if not any(test(kind) for test in nested) or not (
            pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)
        ):
            raise TableError(f"{self.path}: column embedding should hold lists of floating numbers but is {kind}")
        dtype: np.dtype[Any] = np.dtype(kind.value_type.to_pandas_dtype())
        return dtype

    def _dimension(self) -> int:
        """The length of the vectors: the type's, else the first row's."""
        if pa.types.is_fixed_size_list(self.type):
            return int(self.type.list_size)
        for batch in self._batches(1, None):
            return int(pc.list_value_length(batch.column(0))[0].as_py() or 0)
        return 0

    def image_ids(self) -> NDArray[np.object_]:
        column = self._guarded(lambda: self.file.read(columns=["image_id"])).column("image_id")
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            try:
                column = column.cast(pa.string()) if not pa.types.is_integer(column.type) else None
            except pa.ArrowException:
                column = None
        if column is None:
            found = self.file.schema_arrow.field("image_id").type
            raise TableError(f"{self.path}: column image_id should be text but is {found}")
        return strings(column)

    def blocks(self, offset: int, ranked: NDArray[np.integer[Any]] | None) -> Iterator[tuple[int, NDArray[Any]]]:
        """Blocks of the row groups that hold a wanted row; the part begins at row ``offset`` of the table."""
        start = offset
        for group in range(self.file.num_row_groups):
            rows = self.file.metadata.row_group(group).num_rows
            if ranked is None or np.diff(np.searchsorted(ranked, [start, start + rows]))[0]:
                at = start
                for batch in self._batches(
                    max(1, _BLOCK_BYTES // max(1, self.dimension * self.dtype.itemsize)), [group]
                ):
                    yield at, self._matrix(batch.column(0), at)
                    at += batch.num_rows
            start += rows

    def _batches(self, rows: int, groups: list[int] | None) -> Iterator[pa.RecordBatch]:
        batches = self.file.iter_batches(rows, row_groups=groups, columns=["embedding"], use_threads=False)
        while (batch := self._guarded(lambda: next(batches, None))) is not None:
            yield batch

    def _guarded(self, step: Any) -> Any:
        try:
            return step()
        except (pa.ArrowException, OSError) as failure:
            raise TableError(f"{self.path}: damaged, or truncated; write it again ({str(failure)[:80]})") from failure

    def _matrix(self, column: pa.Array, start: int) -> NDArray[Any]:
        """A batch of lists as a matrix (rows, D), without a copy where Arrow allows it."""
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        lengths = pc.fill_null(pc.list_value_length(column), -1).to_numpy()
        if (wrong := np.flatnonzero(lengths != self.dimension)).size:
            rows = [
                f"row {start + row}" + (" (missing)" if lengths[row] < 0 else f" ({lengths[row]})") for row in wrong
            ]
            raise TableError(
                f"{self.path}: the first vector has {self.dimension} values, "
                f"but {wrong.size:,} others do not: {listed(rows)}"
            )
        values = column.flatten()
        if values.null_count:
            nulls = np.flatnonzero(pc.is_null(values).to_numpy(zero_copy_only=False))
            faulty = np.unique(nulls // self.dimension) + start
            raise TableError(f"{self.path}: missing values in {faulty.size:,} vectors: rows {listed(faulty)}")
        matrix: NDArray[Any] = values.to_numpy(zero_copy_only=False).reshape(len(column), self.dimension)
        return matrix


def open_embeddings(path: Path) -> EmbeddingTable:
    """Open a table of embeddings, and check everything but the values.

    Args:
        path: a Parquet file, or a folder of parts.

    Raises:
        TableError: not such a table; ids missing or repeated; parts that disagree, or are missing.
    """
    parts = [_Part(file) for file in part_files(path, Door.EMBEDDINGS)]
    filled = [part for part in parts if part.rows]
    if not filled:
        raise TableError(f"{path}: the table has no rows")
    first = filled[0]
    if not first.dimension:
        raise TableError(f"{path}: the vectors have no values")
    info = _named_after(path, EmbeddingInfo.from_json(first.metadata, first.path, first.dimension), first.metadata)
    for part in filled[1:]:
        _check_agreement(info, first, part, path)
    image_id = np.concatenate([part.image_ids() for part in filled])
    if (missing := np.flatnonzero([name is None for name in image_id])).size:
        raise TableError(f"{path}: column image_id has {missing.size:,} missing values, at rows {listed(missing)}")
    check_unique(path, "image_id", image_id)
    skipped = tuple(name for part in parts for name in part.metadata.get("skipped") or ())
    return EmbeddingTable(path, replace(info, skipped=skipped), image_id, filled, Provenance.from_json(first.metadata))


def _named_after(path: Path, info: EmbeddingInfo, metadata: dict[str, Any]) -> EmbeddingInfo:
    """A table without a name is called as its file, a folder of parts as the folder."""
    return info if metadata.get("name") else replace(info, name=path.resolve().stem)


def _check_agreement(info: EmbeddingInfo, first: _Part, part: _Part, path: Path) -> None:
    if part.dimension != first.dimension:
        raise TableError(
            f"{path}: parts disagree: {first.path.name} has {first.dimension} dimensions, "
            f"{part.path.name} has {part.dimension}"
        )
    other = _named_after(path, EmbeddingInfo.from_json(part.metadata, part.path, part.dimension), part.metadata)
    for what in ("name", "shape", "segments", "preprocessing", "model"):
        if getattr(other, what) != getattr(info, what):
            raise TableError(f"{path}: parts disagree: {first.path.name} and {part.path.name} differ in {what}")


class EmbeddingWriter:
    """Writes a table of embeddings block by block; it appears whole when the ``with`` block ends, or not at all.

    Example:
        >>> with EmbeddingWriter(path, info, provenance) as writer:  # doctest: +SKIP
        ...     writer.write(ids, vectors)
    """

    def __init__(self, path: Path, info: EmbeddingInfo, provenance: Provenance, float16: bool = False) -> None:
        self._path, self._info, self._provenance = path, info, provenance
        self._dtype = np.dtype(np.float16 if float16 else np.float32)
        self._atomic = atomic_path(path)
        self._ids: list[str] = []
        self._pending: list[tuple[NDArray[np.object_], NDArray[Any]]] = []
        self._group_rows = max(1, ROW_GROUP_BYTES // (self._dtype.itemsize * info.dimension))
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        self._temporary = self._atomic.__enter__()
        return self

    def write(self, image_id: Sequence[str] | NDArray[np.object_], embedding: NDArray[np.floating[Any]]) -> None:
        """Append vectors.

        Args:
            image_id: (rows,) ids, not written before.
            embedding: (rows, D).

        Raises:
            TableError: another dimension, NaN or infinity (also by overflow of float16).
            OSError: the disk is full.
        """
        if embedding.shape != (len(image_id), self._info.dimension):
            raise TableError(
                f"{self._path}: expected {len(image_id)} vectors of {self._info.dimension} values, "
                f"got {embedding.shape}"
            )
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(embedding, self._dtype)
        if (bad := np.flatnonzero(~np.isfinite(values).all(axis=1))).size:
            names = listed(np.asarray(image_id, object)[bad])
            raise TableError(f"{self._path}: NaN or infinity in the embedding of {bad.size:,} images: {names}")
        self._ids.extend(image_id)
        self._pending.append((np.asarray(image_id, object), values))
        if sum(len(ids) for ids, _ in self._pending) >= self._group_rows:
            self._write_groups(flush=False)

    def skip(self, image_id: Iterable[str]) -> None:
        """Record images that are left out; the metadata name them."""
        self._info = replace(self._info, skipped=(*self._info.skipped, *image_id))

    def _write_groups(self, flush: bool) -> None:
        """Write full row groups; keep the rest pending, unless this is the end."""
        if not self._pending:
            return
        ids = np.concatenate([ids for ids, _ in self._pending])
        values = np.concatenate([values for _, values in self._pending])
        stop = len(ids) if flush else len(ids) // self._group_rows * self._group_rows
        for start in range(0, stop, self._group_rows):
            rows = slice(start, min(start + self._group_rows, stop))
            self._parquet().write_table(self._as_table(ids[rows], values[rows]))
        self._pending = [(ids[stop:], values[stop:])] if stop < len(ids) else []

    def _as_table(self, ids: NDArray[np.object_], values: NDArray[Any]) -> pa.Table:
        schema = self._schema()
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), type=schema.field("embedding").type)
        return pa.table([pa.array(ids, pa.string()), vectors], schema=schema)

    def _schema(self) -> pa.Schema:
        element = pa.field("element", pa.from_numpy_dtype(self._dtype), nullable=False)
        schema = pa.schema(
            [
                pa.field("image_id", pa.string(), nullable=False),
                pa.field("embedding", pa.list_(element, self._info.dimension), nullable=False),
            ]
        )
        return schema_with_metadata(schema, KIND, self._provenance, self._info.to_json())

    def _parquet(self) -> pq.ParquetWriter:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._temporary,
                self._schema(),
                compression="zstd",
                use_dictionary=False,
                column_encoding={"embedding.list.element": "BYTE_STREAM_SPLIT"},
                write_statistics=False,
            )
        return self._writer

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if kind is not None:
            self._close_quietly()
            return self._atomic.__exit__(kind, value, trace)
        try:
            check_unique(self._path, "image_id", self._ids)
            self._write_groups(flush=True)
            writer = self._parquet()
            if self._info.skipped:
                # Known only now, while the schema was written first; what stands in the footer is read before it.
                writer.add_key_value_metadata(self._schema().metadata)
            writer.close()
        except BaseException as failure:
            self._close_quietly()
            if not self._atomic.__exit__(type(failure), failure, failure.__traceback__):
                raise
        return self._atomic.__exit__(None, None, None)

    def _close_quietly(self) -> None:
        """Let go of the file that is about to be thrown away; why it fails was said already."""
        if self._writer is not None:
            try:
                self._writer.close()
            except (OSError, pa.ArrowException):
                return


def write_embeddings(
    path: Path,
    image_id: Sequence[str] | NDArray[np.object_],
    embedding: NDArray[np.floating[Any]],
    provenance: Provenance,
    name: str,
    segments: tuple[Segment, ...] = (),
    shape: tuple[int, ...] = (),
) -> None:
    """Write a table of embeddings that is at hand in one array.

    Args:
        path: the file.
        image_id: (n,) ids.
        embedding: (n, D).
        provenance: where it comes from.
        name: the label in reports.
        segments: of the vectors.
        shape: of one vector before it was flattened.

    Raises:
        TableError: as for :class:`EmbeddingWriter`.
    """
    info = EmbeddingInfo(name=name, dimension=embedding.shape[1], shape=shape, segments=segments)
    with EmbeddingWriter(path, info, provenance) as writer:
        writer.write(image_id, embedding)
