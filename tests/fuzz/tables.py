"""The readers of tables, with tables for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from simtool.tables.description import Description, describe_table
from simtool.tables.embeddings import EmbeddingTable, open_embeddings, write_embeddings
from simtool.tables.images import Images, read_images, write_images
from simtool.tables.outcomes import Outcomes, read_outcomes
from simtool.tables.outcomes_writing import write_outcomes
from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials, read_trials, write_trials
from tests.fuzz import parts, sheets
from tests.fuzz.case import Door, Judge, Made
from tests.fuzz.oracles import difference, repeated, sound_trial
from tests.fuzz.parts import Table
from tests.fuzz.sheets import Sheet

__all__ = ["DOORS", "rows_of_trials"]

_Rows = list[dict[str, Any]]
_ORIGIN = Provenance(("simtool", "fuzz"), (), "simtool", "2026-01-01T00:00:00+00:00")
#: The column of each kind of table in which values must not repeat.
_KNOWN: Mapping[str, frozenset[str]] = {
    "images": frozenset(("image_id", "path", "class_id", "class_name", "split", "width", "bbox_x")),
    "embeddings": frozenset(("image_id", "embedding")),
    "trials": frozenset(
        ("trial_id", "trial_type", "query", "references", "selected", "participant", "weight", "response_ms")
    ),
    "credit": frozenset(("trial_id", "trial_type", "query", "references", "selected", "credit: a, mse")),
    "outcomes": frozenset(("model", "distance", "trial_type", "query", "references", "selected", "credits")),
}


#: Kinds whose rows are found in any order.
_UNORDERED = ("credit", "outcomes")


def _rows_of_images(images: Images) -> _Rows:
    names = ("image_id", "path", "class_id", "class_name", "split", "width")
    columns = {name: getattr(images, name).tolist() for name in names} | {"bbox_x": images.bbox[:, 0].tolist()}
    return _transposed(columns)


def _rows_of_embeddings(table: EmbeddingTable) -> _Rows:
    vectors = table.read(dtype=np.float64)
    streamed = [block for _, block in table.batches(np.float64)]
    assert np.array_equal(np.concatenate(streamed), vectors)
    return _transposed({"image_id": table.image_id.tolist(), "embedding": vectors.tolist()})


def rows_of_trials(trials: Trials) -> _Rows:
    """Trials as plain rows, their images by name."""
    names = [*trials.images.tolist(), None]
    return _transposed(
        {
            "trial_id": trials.trial_id.tolist(),
            "trial_type": [str(trials.types[at]) for at in trials.type_index],
            "query": [names[at] for at in trials.query],
            "references": [[names[at] for at in row if at >= 0] for row in trials.references],
            "selected": [[int(at) for at in row if at >= 0] for row in trials.selected],
            "participant": trials.participant.tolist(),
            "weight": trials.weight.tolist(),
            "response_ms": trials.response_ms.tolist(),
        }
    )


def _rows_of_outcomes(outcomes: Sequence[Outcomes]) -> _Rows:
    rows: _Rows = []
    for entry in outcomes:
        for at, trial in enumerate(rows_of_trials(entry.trials)):
            del trial["response_ms"], trial["trial_id"]  # judgments that differ in the number only are the same
            credit = entry.credit[entry.start[at] : entry.start[at + 1]].tolist()
            rows.append({"model": entry.model, "distance": entry.distance, **trial, "credits": credit})
    return rows


def _rows_of_credit(outcomes: Sequence[Outcomes]) -> _Rows:
    """A row for each trial that a model was scored on, with a column of credit for each model."""
    rows: dict[int, dict[str, Any]] = {}
    for entry in outcomes:
        for at, trial in enumerate(rows_of_trials(entry.trials)):
            credit = entry.credit[entry.start[at] : entry.start[at + 1]].tolist()
            rows.setdefault(trial.pop("trial_id"), trial)[f"credit: {entry.model}, {entry.distance}"] = credit
    return list(rows.values())


def _transposed(columns: Mapping[str, Sequence[Any]]) -> _Rows:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _judge(kind: str, table: Table, ordered: bool = True) -> Judge:
    """Whether rows equal the content of the parts of a table, and are possible."""

    def judge(found: _Rows) -> str | None:
        if table.faulty:
            return f"read although {table.faulty}"
        names = [[column.name for column in part.columns] for part in table.parts if len(part)]
        if any(own.count(name) > 1 for own in names for name in _KNOWN[kind]):
            return "read although a column is there twice"
        plain = [row for part in table.parts for row in part.plain() if kind != "credit" or _scored(row)]
        if not ordered:
            known = found[0] if found else ()
            found, plain = _sorted(found, known), _sorted(plain, known)
        return difference(found, plain) or _impossible(kind, found)

    return judge


def _scored(row: Mapping[str, Any]) -> bool:
    """Whether a table has credit for a trial."""
    return any(value is not None for name, value in row.items() if name.startswith("credit: "))


def _sorted(rows: _Rows, known: Collection[str]) -> _Rows:
    """Rows in an order that known columns decide."""
    judgment = ("model", "distance", "query", "references", "selected", "participant", "weight", "response_ms")
    names = [name for name in (*judgment, *sorted(known)) if name in known and (name in judgment or ":" in name)]
    return sorted(rows, key=lambda row: repr([str(row.get(name)) for name in names]))


def _impossible(kind: str, rows: _Rows) -> str | None:
    """The reason why accepted rows are impossible; None if they are possible."""
    if kind in ("images", "embeddings") and repeated([row["image_id"] for row in rows]):
        return "an id twice"
    if kind == "embeddings" and not np.isfinite([row["embedding"] for row in rows]).all():
        return "a vector that is not finite"
    if kind == "trials" and repeated([row["trial_id"] for row in rows]):
        return "a trial id twice"
    if kind in ("trials", "credit", "outcomes"):
        return next((f"impossible trial: {why}" for row in rows if (why := sound_trial(row))), None)
    return None


def _structured(kind: str, make: Callable[[Random], Sheet]) -> Callable[[Random, Path], Made]:
    def structured(chance: Random, folder: Path) -> Made:
        neutral = chance.random() < 0.3
        table = (parts.faithful if neutral else parts.faulty)(make(chance), chance, folder)
        return Made(table.path, table.words, _judge(kind, table, kind not in _UNORDERED), neutral)

    return structured


def _valid(kind: str, make: Callable[[Random], Sheet]) -> Callable[[Random, Path], Made]:
    """A table written by simtool: damage is detected, or has no effect."""

    def valid(chance: Random, folder: Path) -> Made:
        path = folder / "table.parquet"
        sheet = make(chance)
        sheets.write(folder / "plain.parquet", sheet)
        _rewrite(kind, folder / "plain.parquet", path)
        return Made(path, judge=_judge(kind, Table(path, [sheet], ""), kind not in _UNORDERED), files=(path,))

    return valid


def _rewrite(kind: str, source: Path, target: Path) -> None:
    """Write a table with simtool's writer."""
    if kind == "images":
        write_images(target, read_images(source), _ORIGIN)
    elif kind == "trials":
        write_trials(target, read_trials(source), _ORIGIN)
    elif kind == "embeddings":
        table = open_embeddings(source)
        write_embeddings(target, table.image_id, table.read(), _ORIGIN, table.info.name, table.info.segments)
    else:
        outcomes = read_outcomes([source])
        write_outcomes(target, outcomes[0].trials, outcomes, _ORIGIN)


def _described(description: Description) -> str | None:
    lines = [text for _, text in description.facts]
    return next((f"a fact of {len(line):,} characters" for line in lines if len(line) > 20_000), None)


def _any_table(chance: Random, folder: Path) -> Made:
    kind = chance.choice(sorted(_MAKERS))
    made = _structured(kind, _MAKERS[kind])(chance, folder)
    made.judge = _described
    return made


_MAKERS: Mapping[str, Callable[[Random], Sheet]] = {
    "images": sheets.images,
    "embeddings": sheets.embeddings,
    "trials": sheets.trials,
    "credit": sheets.credit,
    "outcomes": sheets.outcomes,
}
_READERS: Mapping[str, Callable[[Made], Any]] = {
    "images": lambda made: _rows_of_images(read_images(made.path)),
    "embeddings": lambda made: _rows_of_embeddings(open_embeddings(made.path)),
    "trials": lambda made: rows_of_trials(read_trials(made.path)),
    "credit": lambda made: _rows_of_credit(read_outcomes([made.path])),
    "outcomes": lambda made: _rows_of_outcomes(read_outcomes([made.path])),
}
_COUNTS = {
    "images": (2000, 500),
    "embeddings": (3500, 700),
    "trials": (3500, 500),
    "credit": (2500, 500),
    "outcomes": (2500, 500),
}

DOORS = (
    *(
        Door(kind, _READERS[kind], _structured(kind, make), _valid(kind, make), _COUNTS[kind])
        for kind, make in _MAKERS.items()
    ),
    Door("describe", lambda made: describe_table(made.path), _any_table, None, (1500, 0)),
)
