"""Parquet tables as plain columns, with any spelling and any fault, and their correct content."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz import documents, values

__all__ = [
    "CLASS",
    "TEXT",
    "VECTOR",
    "Column",
    "Sheet",
    "credit",
    "embeddings",
    "images",
    "mutate",
    "outcomes",
    "respell",
    "trials",
    "write",
]

TEXT, CLASS, VECTOR = pa.string(), pa.int16(), pa.list_(pa.float32())
_STRINGS = pa.list_(pa.string())


@dataclass(frozen=True)
class Column:
    """A column: its name, its Arrow type, and its values as plain Python."""

    name: str
    type: pa.DataType
    values: list[Any]

    def array(self) -> pa.Array:
        """As Arrow writes it.

        Raises:
            pyarrow.ArrowException: the values do not fit the type.
        """
        if pa.types.is_dictionary(self.type):
            return pa.array(self.values, self.type.value_type).dictionary_encode().cast(self.type)
        return pa.array(self.values, self.type)


@dataclass(frozen=True)
class Sheet:
    """A table, or a part of one.

    Attributes:
        columns: in order; names may repeat.
        metadata: the value of the key ``simtool``; None for no value.
    """

    columns: tuple[Column, ...]
    metadata: bytes | None = None

    def __len__(self) -> int:
        return len(self.columns[0].values) if self.columns else 0

    def column(self, name: str) -> Column | None:
        """The first column of a name."""
        return next((column for column in self.columns if column.name == name), None)

    def with_column(self, at: int, **changes: Any) -> Sheet:
        """The same table with a change in one column."""
        columns = list(self.columns)
        columns[at] = replace(columns[at], **changes)
        return replace(self, columns=tuple(columns))

    def rows(self, start: int, stop: int) -> Sheet:
        """Some of the rows."""
        return replace(
            self, columns=tuple(replace(column, values=column.values[start:stop]) for column in self.columns)
        )

    def plain(self) -> list[dict[str, Any]]:
        """The rows, as plain Python."""
        return [{column.name: column.values[row] for column in self.columns} for row in range(len(self))]


def write(path: Path, sheet: Sheet, **options: Any) -> None:
    """Write a table to one file.

    Raises:
        pyarrow.ArrowException: it cannot be written.
    """
    metadata = None if sheet.metadata is None else {b"simtool": sheet.metadata}
    schema = pa.schema([pa.field(column.name, column.type) for column in sheet.columns], metadata)
    table = pa.Table.from_arrays([column.array() for column in sheet.columns], schema=schema)
    try:
        pq.write_table(table, path, **options)
    except pa.ArrowException:  # an old version of the format does not know the type
        pq.write_table(table, path)


def _metadata(table: str, **more: Any) -> bytes:
    origin = {"created_by": "simtool 0.1.0", "created_at": "2026-01-01T00:00:00+00:00", "command": ["x"], "inputs": []}
    return json.dumps({"table": table, "version": 1, **origin, **more}).encode()


def images(chance: Random) -> Sheet:
    """A table of images."""
    names = [f"Bird/species_{at % 3}/{at}.jpg" for at in range(chance.choice((1, 2, 5, 9)))]
    count = len(names)
    return Sheet(
        (
            Column("image_id", pa.string(), names),
            Column("path", pa.string(), [f"images/{name}" for name in names]),
            Column("class_id", pa.int16(), [at % 3 for at in range(count)]),
            Column("class_name", pa.string(), [f"species_{at % 3}" for at in range(count)]),
            Column("split", pa.string(), [("train", "test", None)[at % 3] for at in range(count)]),
            Column("width", pa.int32(), [40 + at for at in range(count)]),
            Column("bbox_x", pa.float32(), [None if at == 1 else at + 0.5 for at in range(count)]),
        ),
        _metadata("images"),
    )


def embeddings(chance: Random) -> Sheet:
    """A table of embeddings."""
    count, dimension = chance.choice(((1, 1), (3, 4), (7, 3), (12, 2)))
    vectors = [[chance.randrange(-40, 40) / 8 for _ in range(dimension)] for _ in range(count)]
    segments = [{"name": "a", "length": 1, "count": dimension}]
    return Sheet(
        (
            Column("image_id", pa.string(), [f"image {at}.jpg" for at in range(count)]),
            Column("embedding", pa.list_(pa.float32(), dimension), vectors),
        ),
        _metadata("embeddings", name="model", dimension=dimension, shape=[dimension], segments=segments),
    )


def trials(chance: Random) -> Sheet:
    """A table of trials of several types."""
    pool = [f"{chr(97 + at)}.jpg" for at in range(10)]
    rows = []
    for number in range(chance.choice((1, 3, 6))):
        n, k, kind = chance.choice(((2, 1, "choose"), (8, 2, "rank"), (3, 2, "choose"), (3, 1, "odd")))
        first, *shown = chance.sample(pool, n + 1)
        asked = None if kind == "odd" else first
        rows.append((number, f"{n}-{kind}-{k}", asked, shown, chance.sample(range(n), k)))
    count = len(rows)
    ids, types, query, references, selected = (list(column) for column in zip(*rows, strict=True))
    return Sheet(
        (
            Column("trial_id", pa.int64(), ids),
            Column("trial_type", pa.string(), types),
            Column("query", pa.string(), query),
            Column("references", _STRINGS, references),
            Column("selected", pa.list_(pa.int8()), selected),
            Column("participant", pa.string(), [None if at == 2 else f"p{at % 2}" for at in range(count)]),
            Column("weight", pa.float32(), [0.5 * at for at in range(count)]),
            Column("response_ms", pa.float32(), [None if at == 1 else 250.0 for at in range(count)]),
        ),
        _metadata("trials"),
    )


def outcomes(chance: Random) -> Sheet:
    """A table of outcomes of one or two models on the same trials."""
    judged = trials(chance)
    models = ["a", "b"][: chance.choice((1, 2))]
    names = [name for name in models for _ in range(len(judged))]
    columns = [replace(column, values=column.values * len(models)) for column in judged.columns]
    counts = [_comparisons(kind) for kind in columns[1].values]
    scores = [chance.choice((0.0, 0.5, 1.0)) for _ in counts]
    text = pa.dictionary(pa.int32(), pa.string())
    return Sheet(
        (
            Column("model", text, names),
            Column("distance", text, ["mse"] * len(names)),
            *(column for column in columns if column.name != "response_ms"),
            Column("credits", pa.list_(pa.float32()), [[0.5] * count for count in counts]),
            Column("relations", pa.list_(pa.int8()), [[3] * count for count in counts]),
            *(Column(name, pa.float32(), scores) for name in ("top_1", "ordered", "unordered")),
        ),
        _metadata("outcomes"),
    )


def credit(chance: Random) -> Sheet:
    """A table of outcomes of one or two models: a row for each trial, a column of credit for each model."""
    judged = trials(chance)
    counts = [_comparisons(kind) for kind in judged.columns[1].values]
    names = ["credit: a, mse", "credit: b, 2, cosine"][: chance.choice((1, 2))]
    lists = pa.list_(pa.float32())
    columns = (Column(name, lists, [[chance.choice((0.0, 0.5, 1.0))] * count for count in counts]) for name in names)
    return Sheet((*judged.columns, *columns), _metadata("outcomes"))


def _comparisons(kind: str) -> int:
    n, how, k = kind.split("-")
    references, chosen = int(n), int(k)
    if how == "odd":
        return (references - 1) * (references - 2)
    if how == "choose":
        return chosen * (references - chosen)
    return sum(references - rank for rank in range(1, chosen + 1))


#: Spellings of text that mean the same.
_TEXTS = (
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.int32(), pa.large_string()),
)
_INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
_ODD_TYPES = (
    *_INTEGERS,
    *(pa.bool_(), pa.float16(), pa.float32(), pa.float64(), pa.string(), pa.binary(), pa.large_string()),
    *(pa.date32(), pa.timestamp("us"), pa.timestamp("ns", "UTC"), pa.duration("s"), pa.time64("us"), pa.null()),
    *(pa.decimal128(10, 2), pa.decimal256(50, 3), pa.binary(4), pa.string_view(), pa.binary_view()),
    *(pa.struct([("x", pa.int64())]), pa.map_(pa.string(), pa.int64()), pa.list_(pa.list_(pa.float32()))),
    *(pa.list_(pa.int64()), pa.list_(pa.string()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 2)),
    *(pa.list_(pa.bool_()), pa.list_(pa.null()), pa.list_(pa.struct([("y", pa.float64())])), pa.list_(pa.date32())),
    *(pa.list_(pa.dictionary(pa.int32(), pa.string())), pa.dictionary(pa.int32(), pa.int64()), pa.list_(pa.binary())),
    *(pa.list_(pa.decimal128(10, 2)), pa.list_(pa.float16()), pa.list_view(pa.float32()), pa.list_(pa.uint64())),
)


def _spellings(column: Column) -> list[pa.DataType]:
    """Other types that hold the same values of a column."""
    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        return [pa.string(), *_TEXTS]
    if pa.types.is_integer(kind):
        return list(_INTEGERS)
    if pa.types.is_floating(kind):
        return [pa.float64(), pa.float32(), *([] if None in column.values else [pa.int64()])]
    if not hasattr(kind, "value_type"):
        return []
    inner = [kind.value_type, *_spellings(Column("", kind.value_type, []))]
    if pa.types.is_floating(kind.value_type):
        inner = [pa.float64(), pa.float32(), pa.float16()]
    wraps = [pa.list_, pa.large_list, pa.list_view, pa.large_list_view]
    found = [wrap(one) for wrap in wraps for one in inner if not pa.types.is_dictionary(one)]
    lengths = {len(value) for value in column.values if value is not None}
    return [*found, *(pa.list_(one, lengths.pop()) for one in inner[:2] if len(lengths) == 1)]


def respell(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    """Write some columns in an equivalent type; change parts that do not affect the content."""
    words = []
    for at, column in enumerate(sheet.columns):
        if chance.random() < 0.4 and (others := _spellings(column)):
            kind = chance.choice(others)
            if _fits(replace(column, type=kind)):
                sheet = sheet.with_column(at, type=kind)
                words.append(f"{column.name} as {kind}")
    if chance.random() < 0.3:
        sheet = replace(sheet, columns=tuple(chance.sample(sheet.columns, len(sheet.columns))))
        words.append("columns in another order")
    if chance.random() < 0.3:
        extra = chance.choice((pa.int64(), pa.float64()))
        sheet = replace(sheet, columns=(*sheet.columns, Column("__index_level_0__", extra, list(range(len(sheet))))))
        words.append("an index of pandas")
    if chance.random() < 0.3:
        sheet = replace(sheet, metadata=None)
        words.append("no metadata")
    return "; ".join(words) or "as it is", sheet


def _fits(column: Column) -> bool:
    try:
        array = column.array()
        # Not "==": a half float that rounds would be accepted as another number.
        return bool(array.to_pylist() == column.values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError):
        return False


_Mutation = Callable[[Sheet, Random], tuple[str, Sheet]]


def _pick(sheet: Sheet, chance: Random) -> tuple[int, Column]:
    at = chance.randrange(len(sheet.columns))
    return at, sheet.columns[at]


def _set_cell(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    at, column = _pick(sheet, chance)
    if not column.values:
        return "nothing", sheet
    row = chance.choice((0, len(column.values) - 1, chance.randrange(len(column.values))))
    old = column.values[row]
    new = _inside(old, chance) if isinstance(old, list) and chance.random() < 0.7 else _cell(column.type, chance)
    content = [*column.values[:row], new, *column.values[row + 1 :]]
    return f"{column.name}, row {row}: {new!r:.40}", sheet.with_column(at, values=content)


def _cell(kind: pa.DataType, chance: Random) -> Any:
    if chance.random() < 0.3:
        return None
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return values.number(chance)
    if hasattr(kind, "value_type") and not pa.types.is_dictionary(kind):
        return [_cell(kind.value_type, chance) for _ in range(chance.choice((0, 1, 2, 3, 9)))]
    return values.text(chance)


def _inside(entries: list[Any], chance: Random) -> list[Any]:
    """A list with a change."""
    changed = list(entries)
    if not changed:
        return [None]
    at = chance.randrange(len(changed))
    way = chance.choice(("null", "drop", "repeat", "value", "empty", "same"))
    if way == "null":
        changed[at] = None
    elif way == "drop":
        del changed[at]
    elif way == "repeat":
        changed.append(changed[at])
    elif way == "value":
        changed[at] = values.text(chance) if isinstance(changed[at], str) else values.number(chance)
    elif way == "same":
        changed = [changed[at]] * len(changed)
    else:
        changed = []
    return changed


def _all_null(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    at, column = _pick(sheet, chance)
    kind = chance.choice((column.type, pa.null()))
    return f"{column.name}: all null", sheet.with_column(at, type=kind, values=[None] * len(sheet))


def _retype(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    at, column = _pick(sheet, chance)
    kind = chance.choice(_ODD_TYPES)
    new = Column(column.name, kind, column.values)
    if not _writes(new):
        new = replace(new, values=_of_type(kind, len(sheet), chance))
    return f"{column.name} as {kind}", sheet.with_column(at, type=kind, values=new.values)


def _writes(column: Column) -> bool:
    try:
        column.array()
    except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError):
        return False
    return True


def _of_type(kind: pa.DataType, count: int, chance: Random) -> list[Any]:
    """Values of a type."""
    candidates: Sequence[Any] = (
        [chance.randrange(100) for _ in range(count)],
        [float(chance.randrange(9)) for _ in range(count)],
        [chance.random() < 0.5 for _ in range(count)],
        [b"abcd"] * count,
        ["x"] * count,
        [{"x": 1}] * count,
        [[("a", 1)]] * count,
        [[1, 2]] * count,
        [[1.5, 2.5]] * count,
        [["a", "b"]] * count,
        [[b"a"]] * count,
        [[True, False]] * count,
        [[[1.0]]] * count,
        [[{"y": 1.0}]] * count,
        [None] * count,
    )
    return next(one for one in candidates if _writes(Column("", kind, list(one))))  # nulls fit every type


def _drop(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    at, column = _pick(sheet, chance)
    return f"no {column.name}", replace(sheet, columns=(*sheet.columns[:at], *sheet.columns[at + 1 :]))


def _rename(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    at, column = _pick(sheet, chance)
    name = chance.choice((column.name.upper(), f" {column.name}", f"{column.name}s", values.text(chance), ""))
    return f"{column.name} is called {name!r:.40}", sheet.with_column(at, name=name)


def _repeat(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    _, column = _pick(sheet, chance)
    return f"{column.name} twice", replace(sheet, columns=(*sheet.columns, column))


def _extra(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    kind = chance.choice(_ODD_TYPES)
    name = chance.choice(("condition", "age", "model", "credits", "path", values.text(chance)))
    column = Column(name, kind, _of_type(kind, len(sheet), chance))
    return f"a column {name!r:.40} of {kind}", replace(sheet, columns=(*sheet.columns, column))


def _empty(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    return "no rows", sheet.rows(0, 0)


def _repeat_row(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    columns = tuple(replace(column, values=column.values + column.values[:1]) for column in sheet.columns)
    return "the first row twice", replace(sheet, columns=columns)


def _change_metadata(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    try:
        document = json.loads(sheet.metadata or b"{}")
    except (ValueError, RecursionError):
        document = {}
    document = document if isinstance(document, dict) else {}
    key = chance.choice((*document, "observers", "skipped", "preprocessing", "model", "inputs", "version", "table"))
    if chance.random() < 0.4:
        words, document = documents.changed(document, chance)
    else:
        document[key] = values.scalar(chance)
        words = f"{key} = {document[key]!r:.40}"
    return f"metadata: {words}", replace(sheet, metadata=documents.text_of(document, chance))


def _break_metadata(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    raw = chance.choice((b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b"{}", b"[" * 100_000, b"1e999"))
    return f"metadata: {raw[:20]!r}", replace(sheet, metadata=raw)


_MUTATIONS: tuple[_Mutation, ...] = (
    *(_set_cell, _set_cell, _set_cell, _set_cell, _set_cell, _all_null, _retype, _retype, _drop, _rename, _repeat),
    *(_extra, _empty, _repeat_row, _change_metadata, _change_metadata, _break_metadata),
)


def mutate(sheet: Sheet, chance: Random) -> tuple[str, Sheet]:
    """Change the content; the result can be written."""
    while True:
        words, changed = chance.choice(_MUTATIONS)(sheet, chance)
        if all(map(_writes, changed.columns)):
            return words, _as_written(changed)


def _as_written(sheet: Sheet) -> Sheet:
    """The values as the types hold them: half floats round."""
    columns = (replace(column, values=column.array().to_pylist()) for column in sheet.columns)
    return replace(sheet, columns=tuple(columns))
