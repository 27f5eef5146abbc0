"""The table of embeddings: one vector per image, read and written in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import DTypeLike, NDArray

from simtool.errors import listed
from simtool.ids import Matches, match_ids
from simtool.kinds import Expected
from simtool.tables.atomic import atomic_path
from simtool.tables.columns import as_type
from simtool.tables.files import (
    check_columns,
    check_kind,
    check_unchanged,
    check_unique,
    file_state,
    lacking,
    metadata_of,
    objects,
    open_parquet,
    schema_with_metadata,
    strings,
)
from simtool.tables.info import EmbeddingInfo, Segment, skipped_of
from simtool.tables.parquet import READING, WRITING, TableError, reading
from simtool.tables.parts import hive_keys, is_numbered, part_files
from simtool.tables.provenance import Provenance
from simtool.tables.vectors import are_ragged, as_matrix, common_shape, value_dtype
from simtool.text import counted, plural

__all__ = [
    "EmbeddingCollector",
    "EmbeddingInfo",
    "EmbeddingTable",
    "EmbeddingWriter",
    "Segment",
    "open_embeddings",
    "write_embeddings",
]

KIND = "embeddings"
#: Vectors whose largest value is smaller have lost digits as float32.
_SMALLEST = 1e-30
#: Bytes of a row group: small enough to fetch a random row in milliseconds, large enough to stream.
ROW_GROUP_BYTES = 8 << 20
#: Bytes of a block that a streaming reader holds.
_BLOCK_BYTES = 4 << 20
#: Rows that tell the shape of the vectors.
_FIRST_ROWS = 64


Ids = Sequence[str] | NDArray[np.object_]


class EmbeddingTable:
    """An open table of embeddings: its ids are checked, its vectors are read on demand.

    Attributes:
        path: the file or folder.
        source: the same, from the root; None for a table in memory.
        info: the metadata.
        image_id: (n,) the ids in the order of the table.
        dtype: the floating type of the file.
        provenance: of the table; None if it is not stated.
    """

    def __init__(
        self,
        path: Path,
        info: EmbeddingInfo,
        image_id: NDArray[np.object_],
        parts: Sequence[_Part | _HeldPart],
        provenance: Provenance | None,
    ) -> None:
        self.path, self.info, self.image_id, self.provenance = path, info, image_id, provenance
        self.source = path.absolute() if isinstance(parts[0], _Part) else None
        self.dtype = np.result_type(*(part.dtype for part in parts))
        self._parts = parts
        self._ahead: _Ahead | None = None

    @classmethod
    def of(cls, image_id: Ids, vectors: NDArray[np.floating[Any]], info: EmbeddingInfo) -> Self:
        """A table in memory; its ``path`` is its name.

        Args:
            image_id: (n,) ids, each once.
            vectors: (n, D), which are not copied.
            info: of the table; ``info.dimension`` is D.

        Raises:
            TableError: the shapes do not fit, or an id is repeated.
        """
        path = Path(info.name)
        if vectors.shape != (len(image_id), info.dimension):
            expected = f"{counted(len(image_id), 'vectors')} of {info.dimension} values"
            raise TableError(f"{path}: expected {expected}, got {vectors.shape}")
        check_unique(path, "image_id", image_id)
        info = replace(info, shape=info.shape or (info.dimension,))
        return cls(path, info, objects(image_id), [_HeldPart(vectors)], None)

    def __len__(self) -> int:
        return len(self.image_id)

    def __repr__(self) -> str:
        return f"EmbeddingTable({self.info.name}, {counted(len(self), 'images')}, {self.info.dimension:,} values)"

    def match(self, image_ids: Ids) -> Matches:
        """The rows of the given images, matched by id or by a normalised spelling of it.

        Raises:
            TableError: images are missing or ambiguous; says how many, and names the first few.
        """
        return match_ids(image_ids, self.image_id).checked(self.path, TableError)

    def rows_of(self, image_ids: Ids) -> NDArray[np.intp]:
        """The rows of the given images; see :meth:`match`."""
        return np.array(self.match(image_ids).rows, np.intp)

    def check_distance(self, name: str) -> None:
        """Refuse a distance that the vectors are not made for.

        Raises:
            TableError: the metadata state other distances.
        """
        if self.info.distances and name not in self.info.distances:
            raise TableError(
                f"{self.path}: its vectors are made for {listed(self.info.distances)}, not for {name}: "
                f"choose --distance {self.info.distances[0]}, or make a table for {name}"
            )

    def check_euclidean(self, use: str) -> None:
        """Refuse vectors whose Euclidean distances mean nothing, because they are made for other distances.

        Args:
            use: who needs them, and the verb: ``compress keeps``.

        Raises:
            TableError: the metadata state other distances than ``mse``.
        """
        if self.info.distances and "mse" not in self.info.distances:
            raise TableError(
                f"{self.path}: its vectors are made for {listed(self.info.distances)}, but {use} Euclidean distances: "
                "make a table for mse"
            )

    def read(self, rows: NDArray[np.integer[Any]] | None = None, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Read vectors into one array, without a second copy of the whole.

        Args:
            rows: positions in the table, in any order, possibly repeated; None for all.
            dtype: of the result.

        Returns:
            (len(rows), D), C-contiguous.

        Raises:
            TableError: a vector holds a missing value, NaN or infinity, has another length, or does not fit ``dtype``.
        """
        wanted = np.arange(len(self)) if rows is None else np.asarray(rows)
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.dtype == dtype and np.array_equal(ahead.rows, wanted):
            return ahead.found.result()
        return self._read(wanted, np.dtype(dtype))

    def read_ahead(self, rows: NDArray[np.integer[Any]], dtype: DTypeLike = np.float32) -> None:
        """Begin to read vectors in a thread; the next :meth:`read` of the same vectors waits for them.

        The thread does not delay the end of the program.
        """
        self._ahead = ahead = _Ahead(np.asarray(rows), np.dtype(dtype))
        Thread(target=ahead.run, args=(self._read,), daemon=True).start()

    def _read(self, wanted: NDArray[np.integer[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
        result = np.empty((wanted.size, self.info.dimension), dtype)
        order = np.argsort(wanted, kind="stable")
        ranked = wanted[order]
        for start, block in self._blocks(ranked):
            low, high = np.searchsorted(ranked, [start, start + len(block)])
            result[order[low:high]] = self._fitted(block, dtype)[ranked[low:high] - start]
        return result

    def batches(self, dtype: DTypeLike = np.float32) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Stream the table in order, in bounded memory.

        Yields:
            The rows, and their vectors (rows, D).

        Raises:
            TableError: as for :meth:`read`.
        """
        for start, block in self._blocks(None):
            yield slice(start, start + len(block)), self._fitted(block, np.dtype(dtype))

    def _blocks(self, ranked: NDArray[np.integer[Any]] | None) -> Iterator[tuple[int, NDArray[Any]]]:
        """Checked blocks of consecutive rows, with their first row; only those that hold a wanted row."""
        offset = 0
        for part in self._parts:
            for start, block in part.blocks(offset, ranked, self._row):
                self._check_finite(start, block)
                yield start, block
            offset += part.rows

    def _fitted(self, block: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Vectors as another type."""
        if block.dtype == np.float64 and dtype == np.float32:
            largest = np.abs(block).max(initial=0)
            if largest > np.finfo(dtype).max or 0 < largest < _SMALLEST:
                raise TableError(
                    f"{self.path}: vectors with values up to {largest:.2g} do not fit 32 bits: "
                    "multiply all of them by one number that brings them near 1"
                )
        return np.asarray(block, dtype)

    def _row(self, row: int) -> str:
        """The name of a row in messages."""
        return f"row {row} ({self.image_id[row]})"

    def _check_finite(self, start: int, block: NDArray[Any]) -> None:
        with np.errstate(all="ignore"):
            # NaN and infinity make the sum NaN or infinite. So can an overflow, which the lines below tell apart.
            if np.isfinite(block.sum(dtype=np.float64)):
                return
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if bad.size:
            names = [self._row(start + int(row)) for row in bad]
            raise TableError(f"{self.path}: NaN or infinity in {counted(len(names), 'vectors')}: {listed(names)}")


@dataclass(frozen=True)
class _Ahead:
    """Vectors that a thread reads.

    Attributes:
        rows: as in :meth:`EmbeddingTable.read`.
        dtype: the same.
        found: the vectors.
    """

    rows: NDArray[np.integer[Any]]
    dtype: np.dtype[Any]
    found: Future[NDArray[Any]] = field(default_factory=Future)

    def run(self, read: Callable[[NDArray[np.integer[Any]], np.dtype[Any]], NDArray[Any]]) -> None:
        """Read the vectors, or keep the failure."""
        try:
            self.found.set_result(read(self.rows, self.dtype))
        except Exception as failure:
            self.found.set_exception(failure)


class _Part:
    """One Parquet file of a table of embeddings, open only while it is read.

    Attributes:
        name: its path in the table.
        keys: the values that the names of its folders state.
        shape: of its vectors; empty without vectors that hold values.
    """

    def __init__(self, path: Path, table: Path) -> None:
        self.path, self._place = path, path.absolute()
        self.name = path.relative_to(table) if path != table else Path(path.name)
        self.keys = hive_keys(path, table)
        file = open_parquet(path, Expected.EMBEDDINGS)
        self._footer, self._state = file.metadata, file_state(self._place)
        self._schema = file.schema_arrow
        self.metadata = metadata_of(self._footer)
        check_kind(path, self.metadata, KIND)
        self.rows: int = self._footer.num_rows
        if not self.rows:
            return
        check_columns(path, self._schema.names, ("image_id", "embedding"))
        for name in ("image_id", "embedding"):
            if name not in self._schema.names and (name == "embedding" or name not in self.keys):
                raise TableError(lacking(path, KIND, [name], self._schema.names))
        self.dtype = value_dtype(path, self._schema.field("embedding").type)
        shapes = (common_shape(batch.column(0)) for batch in self._batches(_FIRST_ROWS, None))
        self.shape: tuple[int, ...] = next((shape for shape in shapes if shape), ())

    @property
    def dimension(self) -> int:
        """D, the length of a vector."""
        return math.prod(self.shape) if self.shape else 0

    def is_ragged(self) -> bool:
        """Whether the first vectors have rows of unequal length."""
        return any(are_ragged(batch.column(0)) for batch in islice(self._batches(_FIRST_ROWS, None), 1))

    def image_ids(self) -> NDArray[np.object_]:
        """(rows,) the ids.

        Raises:
            TableError: they are not text, or cannot be read.
        """
        if "image_id" not in self._schema.names:
            return objects([self.keys["image_id"]] * self.rows)
        with self._open() as file, reading(self.path):
            column = file.read(columns=["image_id"]).column("image_id")
        if len(column) != self.rows:
            raise TableError(f"{self.path}: damaged: {self.rows:,} rows but {len(column):,} ids; write it again")
        return strings(as_type(self.path, "image_id", column, pa.string()))

    def blocks(
        self, offset: int, ranked: NDArray[np.integer[Any]] | None, name: Callable[[int], str]
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Blocks of the row groups that hold a wanted row; the part begins at row ``offset`` of the table."""
        start = offset
        size = max(1, _BLOCK_BYTES // max(1, self.dimension * self.dtype.itemsize))
        for group in range(self._footer.num_row_groups):
            rows = self._footer.row_group(group).num_rows
            if ranked is None or np.diff(np.searchsorted(ranked, [start, start + rows]))[0]:
                at = start
                for batch in self._batches(size, [group]):
                    with reading(self.path):
                        block = as_matrix(self.path, batch.column(0), self.shape, self.dtype, _from(at, name))
                    yield at, block
                    at += batch.num_rows
            start += rows

    def _batches(self, rows: int, groups: list[int] | None) -> Iterator[pa.RecordBatch]:
        with self._open() as file:
            with reading(self.path):
                batches = file.iter_batches(rows, row_groups=groups, columns=["embedding"], use_threads=False)
            while True:
                with reading(self.path):
                    batch = next(batches, None)
                if batch is None:
                    return
                yield batch

    def _open(self) -> pq.ParquetFile:
        with reading(self.path):
            check_unchanged(self._place, self._state)
            return pq.ParquetFile(self._place, metadata=self._footer, **READING)


class _HeldPart:
    """Vectors in memory, with the part of :class:`_Part` that reading needs."""

    def __init__(self, vectors: NDArray[np.floating[Any]]) -> None:
        self._vectors = vectors.view()
        self._vectors.flags.writeable = False
        self.rows, self.dtype = len(vectors), vectors.dtype

    def blocks(
        self,
        offset: int,
        ranked: NDArray[np.integer[Any]] | None,  # noqa: ARG002 - the signature of _Part
        name: Callable[[int], str],  # noqa: ARG002
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """All vectors as one block."""
        yield offset, self._vectors


def _from(start: int, name: Callable[[int], str]) -> Callable[[int], str]:
    """The names of the rows of a block that begins at row ``start``."""
    return lambda row: name(start + row)


def open_embeddings(path: Path) -> EmbeddingTable:
    """Open a table of embeddings, and check everything but the values.

    Args:
        path: a Parquet file, or a folder of parts.

    Raises:
        TableError: it is not such a table, ids are missing or repeated, or parts disagree or are missing.
    """
    parts = [_Part(file, path) for file in part_files(path, Expected.EMBEDDINGS)]
    filled = [part for part in parts if part.rows]
    if not filled:
        raise TableError(f"{path}: the table has no rows")
    ids = [part.image_ids() for part in filled]
    image_id = np.concatenate(ids)
    if (missing := np.flatnonzero([name is None for name in image_id])).size:
        rows = f"{plural(missing.size, 'rows')} {listed(missing)}"
        raise TableError(f"{path}: column image_id has {counted(missing.size, 'missing values')}, at {rows}")
    _refuse_several_tables(path, filled, ids)
    first = next((part for part in filled if part.shape), None)
    if first is None:
        ragged = any(part.is_ragged() for part in filled)
        raise TableError(f"{path}: the vectors have {'rows of unequal length' if ragged else 'no values'}")
    info = _info_of(path, first)
    for part in filled:
        part.shape = part.shape or first.shape
        _check_agreement(info, first, part, path)
    check_unique(path, "image_id", image_id)
    skipped = tuple(name for part in parts for name in skipped_of(part.path, part.metadata))
    info = replace(info, skipped=skipped, files_digest=info.files_digest if path.is_file() else None)
    return EmbeddingTable(path, info, image_id, filled, Provenance.from_json(first.metadata))


def _refuse_several_tables(path: Path, parts: Sequence[_Part], ids: Sequence[NDArray[np.object_]]) -> None:
    """Refuse a folder that holds the embeddings of several models, each of the same images."""
    models = [part for part in parts if len({other.keys.get("model") for other in parts}) > 1]
    if not models and (twin := _twin(ids)) is not None:
        models = [parts[at] for at in twin]
    if not models or (is_numbered(models[0].path) and models[0].path.parent == models[-1].path.parent):
        return
    level = next(at for at in range(9) if len({part.name.parts[: at + 1] for part in (models[0], models[-1])}) > 1)
    names = dict.fromkeys(Path(*part.name.parts[: level + 1]) for part in parts)
    raise TableError(f"{path}: holds several models, not one: {listed(names, 8)}; give each of them by itself")


def _twin(ids: Sequence[NDArray[np.object_]]) -> tuple[int, int] | None:
    """The first part, and the next part that shares most images with it; None without such a part."""
    known = set(ids[0])
    for at, names in enumerate(ids[1:], 1):
        if 2 * len(known.intersection(names)) > min(len(known), len(names)):
            return 0, at
    return None


def _info_of(path: Path, part: _Part) -> EmbeddingInfo:
    """The metadata of a part. The name of the file, or of the folder of parts, replaces a missing name."""
    info = EmbeddingInfo.from_json(part.metadata, part.path, part.dimension)
    if len(part.shape) > 1 and not info.shape:
        info = replace(info, shape=part.shape)
    return info if part.metadata.get("name") else replace(info, name=path.resolve().stem)


def _check_agreement(info: EmbeddingInfo, first: _Part, part: _Part, path: Path) -> None:
    if part.dimension != first.dimension:
        raise TableError(
            f"{path}: parts disagree: {first.name} has {first.dimension} dimensions, {part.name} has {part.dimension}"
        )
    other = _info_of(path, part)
    for what in ("name", "shape", "segments", "preprocessing", "model", "layer", "untrained", "precision", "distances"):
        if getattr(other, what) != getattr(info, what):
            raise TableError(f"{path}: parts disagree: {first.name} and {part.name} differ in {what}")
    if None not in (info.origin, other.origin) and info.origin != other.origin:  # older versions state none
        raise TableError(f"{path}: parts disagree: {first.name} and {part.name} differ in origin")
    if not info.is_of_images_of(other):
        raise TableError(
            f"{path}: parts disagree: {first.name} and {part.name} were made from different images; "
            "make all parts from one table of images"
        )


class _Writing:
    """The part that writers to a file and to memory share."""

    def __init__(self, info: EmbeddingInfo, float16: bool) -> None:
        self._info, self._dtype = info, np.dtype(np.float16 if float16 else np.float32)
        self._ids: list[str] = []

    def __enter__(self) -> Self:
        return self

    def skip(self, image_id: Iterable[str]) -> None:
        """Record images that are left out in the metadata."""
        self._info = replace(self._info, skipped=(*self._info.skipped, *image_id))


class EmbeddingWriter(_Writing):
    """Writes a table of embeddings block by block; it appears complete when the ``with`` block ends, or not at all.

    Example:
        >>> with EmbeddingWriter(path, info, provenance) as writer:  # doctest: +SKIP
        ...     writer.write(ids, vectors)
    """

    def __init__(self, path: Path, info: EmbeddingInfo, provenance: Provenance, float16: bool = False) -> None:
        super().__init__(info, float16)
        self._path, self._provenance, self._atomic = path, provenance, atomic_path(path)
        self._pending: list[tuple[NDArray[np.object_], NDArray[Any]]] = []
        self._group_rows = max(1, ROW_GROUP_BYTES // (self._dtype.itemsize * info.dimension))
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        self._temporary = self._atomic.__enter__()
        return self

    def write(self, image_id: Ids, embedding: NDArray[np.floating[Any]]) -> None:
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
                f"{self._path}: expected {counted(len(image_id), 'vectors')} of {self._info.dimension} values, "
                f"got {embedding.shape}"
            )
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(embedding, self._dtype)
        if (bad := np.flatnonzero(~np.isfinite(values).all(axis=1))).size:
            vectors, names = counted(bad.size, "vectors"), listed(np.asarray(image_id, object)[bad])
            raise TableError(f"{self._path}: NaN or infinity in {vectors}: {names}")
        self._ids.extend(image_id)
        self._pending.append((np.asarray(image_id, object), values))
        if sum(len(ids) for ids, _ in self._pending) >= self._group_rows:
            self._write_groups(flush=False)

    @property
    def table(self) -> EmbeddingTable:
        """The table that was written, opened."""
        return open_embeddings(self._path)

    def _write_groups(self, flush: bool) -> None:
        """Write full row groups, and the rest if ``flush``."""
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
            # DuckDB cannot read half floats whose bytes are split.
            encoding = {"embedding.list.element": "PLAIN" if self._dtype == np.float16 else "BYTE_STREAM_SPLIT"}
            options = {**WRITING, "use_dictionary": False, "column_encoding": encoding, "write_statistics": False}
            self._writer = pq.ParquetWriter(self._temporary, self._schema(), **options)
        return self._writer

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if kind is not None:
            self._close_quietly()
            return self._atomic.__exit__(kind, value, trace)
        with ExitStack() as stack:
            stack.push(self._atomic.__exit__)
            stack.callback(self._close_quietly)
            check_unique(self._path, "image_id", self._ids)
            self._write_groups(flush=True)
            writer = self._parquet()
            if self._info.skipped:
                # The schema was written without the skipped images. Readers prefer the metadata in the footer.
                writer.add_key_value_metadata(self._schema().metadata)
            writer.close()
        return None

    def _close_quietly(self) -> None:
        """Close a file that is about to be deleted; the cause of the failure is known already."""
        if self._writer is not None:
            with suppress(OSError, pa.ArrowException):
                self._writer.close()


class EmbeddingCollector(_Writing):
    """Collects in memory what :class:`EmbeddingWriter` writes to a file.

    Attributes:
        table: the table, after the ``with`` block has ended.
    """

    table: EmbeddingTable

    def __init__(self, info: EmbeddingInfo, float16: bool = False) -> None:
        super().__init__(info, float16)
        self._blocks: list[NDArray[Any]] = []

    def write(self, image_id: Ids, embedding: NDArray[np.floating[Any]]) -> None:
        """Append vectors; arguments as in :meth:`EmbeddingWriter.write`."""
        self._ids.extend(image_id)
        self._blocks.append(np.array(embedding, self._dtype))

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            empty = np.empty((0, self._info.dimension), self._dtype)
            self.table = EmbeddingTable.of(self._ids, np.concatenate([empty, *self._blocks]), self._info)


def write_embeddings(
    path: Path,
    image_id: Ids,
    embedding: NDArray[np.floating[Any]],
    provenance: Provenance,
    name: str,
    segments: tuple[Segment, ...] = (),
    shape: tuple[int, ...] = (),
) -> None:
    """Write a table of embeddings from one array (n, D); see :class:`EmbeddingInfo` for the other arguments.

    Raises:
        TableError: as for :class:`EmbeddingWriter`.
    """
    info = EmbeddingInfo(name=name, dimension=embedding.shape[1], shape=shape, segments=segments)
    with EmbeddingWriter(path, info, provenance) as writer:
        writer.write(image_id, embedding)
