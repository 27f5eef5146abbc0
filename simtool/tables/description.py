"""Summaries of tables of any kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simtool.errors import listed
from simtool.tables.carried import described
from simtool.tables.distances import read_distances
from simtool.tables.embeddings import open_embeddings
from simtool.tables.files import TableError, kind_by_columns, metadata_of, open_parquet, part_files
from simtool.tables.images import image_paths, read_images
from simtool.tables.outcomes import read_outcomes
from simtool.tables.provenance import InputFile, Provenance
from simtool.tables.trials import read_trials

__all__ = ["Description", "describe_table", "input_state"]


@dataclass(frozen=True)
class Description:
    """A summary of a valid table or model.

    Attributes:
        kind: ``images``, ``embeddings``, ``distances``, ``trials``, ``outcomes``, or the kind of a model.
        facts: label and text of each line.
        provenance: its origin; None if unknown.
    """

    kind: str
    facts: tuple[tuple[str, str], ...]
    provenance: Provenance | None


def describe_table(path: Path) -> Description:
    """Read and check a whole table, and summarize it.

    Raises:
        TableError: it is not a table of simtool, or not a valid table.
    """
    parts = part_files(path)
    # An empty part can have columns of any type, or no columns.
    schemas = {part: file.schema_arrow for part in parts if (file := open_parquet(part)).metadata.num_rows}
    kinds = {part: metadata_of(schema).get("table", kind_by_columns(schema.names)) for part, schema in schemas.items()}
    if len(set(map(str, kinds.values()))) > 1:
        held = listed((f"{part.relative_to(path)} ({kind or 'unknown'})" for part, kind in kinds.items()), 12)
        raise TableError(f"{path}: this folder is not one table; give one of its tables: {held}")
    schema = next(iter(schemas.values()), None) or open_parquet(parts[0]).schema_arrow
    kind = str(metadata_of(schema).get("table", kind_by_columns(schema.names)))
    if kind not in _SUMMARIES:
        raise TableError(f"{path}: not a table of simtool; its columns are {listed(schema.names, 12)}")
    facts = _SUMMARIES[kind](path)
    if len(parts) > 1:
        facts.append(("parts", f"{len(parts):,}"))
    return Description(kind, tuple(facts), Provenance.from_json(metadata_of(schema)))


def input_state(file: InputFile, table: Path) -> str:
    """Return the state of an input of a table: ``unchanged``, ``changed`` or ``not found``.

    The input is searched at the path of the command, relative to the working directory, and in the folder of the
    table. A table that was written again with the same rows is unchanged.
    """
    for candidate in (Path(file.name), table.parent / Path(file.name).name):
        if candidate.is_file():
            return "unchanged" if file.is_like(InputFile.of(candidate)) else "changed"
    return "not found"


def _images(path: Path) -> list[tuple[str, str]]:
    images = read_images(path)
    missing = [file for file in image_paths(path, images) if not file.is_file()]
    splits = Counter(str(split) for split in images.split if split is not None)
    return [
        ("images", f"{len(images):,}"),
        ("files", "all found" if not missing else f"{len(missing):,} missing: {listed(missing)}"),
        ("classes", _count_of(images.class_name)),
        ("groups", _count_of(images.group_name)),
        ("splits", ", ".join(f"{count:,} {name}" for name, count in sorted(splits.items())) or "none"),
    ]


def _count_of(names: Iterable[str | None]) -> str:
    distinct = sorted({str(name) for name in names if name is not None})
    return f"{len(distinct):,} ({listed(distinct)})" if distinct else "none"


def _embeddings(path: Path) -> list[tuple[str, str]]:
    table = open_embeddings(path)
    for _ in table.batches(np.float64):
        pass  # reading finds NaN, infinities and damage
    info = table.info
    segments = ", ".join(f"{segment.name} {segment.count:,} x {segment.length:,}" for segment in info.segments)
    skipped = f" ({len(info.skipped)} skipped: {listed(info.skipped)})" if info.skipped else ""
    shape = f" = {' x '.join(map(str, info.shape))}" if len(info.shape) > 1 else ""
    return [
        ("name", info.name),
        ("images", f"{len(table):,}{skipped}"),
        ("dimension", f"{info.dimension:,}{shape}"),
        ("values", str(table.dtype)),
        ("segments", segments or "none"),
        ("preprocessing", info.preprocessing or "not stated"),
        ("model", info.model or "not stated"),
        *([] if info.layer is None else [("layer", info.layer)]),
        *([] if info.origin is None else [("origin", info.origin)]),
        *([] if info.untrained is None else [("weights", f"untrained, seed {info.untrained}")]),
        *([("made for", listed(info.distances))] if info.distances else []),
        *([] if info.runtime is None else [("computed", f"in {info.precision} by {info.runtime}")]),
    ]


def _distances(path: Path) -> list[tuple[str, str]]:
    table = read_distances(path)
    count = len(table.image_id)
    every = count * (count - 1) // (2 if table.info.symmetric else 1)
    return [
        ("name", table.info.name),
        ("images", f"{count:,}"),
        ("pairs", f"{len(table):,} of {every:,}"),
        ("direction", "none (symmetric)" if table.info.symmetric else "from image_1 to image_2"),
        ("measure", table.info.measure or "not stated"),
        ("smallest and largest", f"{table.distance.min():.6g}, {table.distance.max():.6g}"),
    ]


def _trials(path: Path) -> list[tuple[str, str]]:
    trials = read_trials(path)
    counts = np.bincount(trials.type_index, minlength=len(trials.types))
    comparisons = sum(int(count) * kind.comparisons for kind, count in zip(trials.types, counts, strict=True))
    return [
        ("trials", f"{len(trials):,}"),
        ("types", ", ".join(f"{count:,} {kind}" for kind, count in zip(trials.types, counts, strict=True))),
        ("comparisons", f"{comparisons:,}"),
        ("images", f"{len(trials.images):,}"),
        ("participants", _count_of(trials.participant.used().names.to_pylist())),
        ("sessions", _count_of(trials.session.used().names.to_pylist())),
        ("observers", str(trials.observers or "not stated")),
        ("other columns", described(trials.extra)),
    ]


def _outcomes(path: Path) -> list[tuple[str, str]]:
    outcomes = read_outcomes([path])
    return [
        ("models", listed(dict.fromkeys(entry.model for entry in outcomes), 12)),
        ("distances", listed(dict.fromkeys(entry.distance for entry in outcomes), 12)),
        ("trials", f"{max(len(entry.trials) for entry in outcomes):,}"),
        ("observers", str(outcomes[0].trials.observers or "not stated")),
        ("other columns", described(outcomes[0].trials.extra)),
    ]


_SUMMARIES = {
    "images": _images,
    "embeddings": _embeddings,
    "distances": _distances,
    "trials": _trials,
    "outcomes": _outcomes,
}
