"""Combine: from the tables of several models to a table whose distance is the sum of their distances."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from simtool import console
from simtool.errors import UsageError, listed
from simtool.scoring.distances import DISTANCES
from simtool.scoring.given import GIVEN
from simtool.scoring.scoring import DEFAULT_DISTANCES
from simtool.scoring.summed import summed
from simtool.stages.arguments import at_least
from simtool.stages.remarks import note_matches
from simtool.stages.run import Run, api, path_of, stage, table_file
from simtool.tables.distances import DistanceTable, write_distances
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable
from simtool.text import counted, plural
from simtool.transforms.combination import ADDITIVE, Combination, Part, blocks_of_rows, combinations
from simtool.transforms.standardization import Standardization
from simtool.transforms.transform import transform_table, transformed_info

__all__ = ["combine"]


@api
def combine(
    tables: Sequence[str | Path | EmbeddingTable | DistanceTable] | str | Path | EmbeddingTable,
    out: str | Path | Sequence[str | Path] | None = None,
    *,
    distances: Sequence[str] = (),
    weights: Sequence[float] = (),
    standardize: bool = False,
    name: str | None = None,
    seed: int = 0,
) -> list[EmbeddingTable] | list[DistanceTable]:
    """Add up the distances of several models, as one model: does model A add to model B?

    The distance of two images is the sum of their distances in the tables, each divided by its standard deviation over
    all pairs of images. Thus no model counts more than another because its numbers are larger.

    Args:
        tables: two or more tables of embeddings, or two or more tables of distances. The result has the images of the
            first table, in its order; the other tables must hold them. One table alone needs ``standardize``.
        out: the Parquet file of each distance; None keeps the tables in memory.
        distances: the distances to add up, a table for each: ``mse``, ``cosine``, ``mse/segments``,
            ``cosine/segments``, ``manhattan``, ``dot`` or ``correlation``. Empty for ``mse`` and ``cosine``. Tables of
            distances have one distance.
        weights: the weight of each table's distance, above 0; 1 without weights.
        standardize: first give each dimension of each table the mean 0 and the standard deviation 1 over the images.
            Constant dimensions become 0.
        name: the label in reports. None joins the names of the tables: ``A + B``.
        seed: of the 1,000 images whose pairs tell the standard deviations, if there are more images.

    Returns:
        A table of embeddings for each distance. Its vectors are for this distance only, which :func:`score` then uses.
        Of one table, the standardized table, for all distances. Of tables of distances, one table of distances.

    Raises:
        UsageError: arguments are not valid, or do not fit together.
        SimtoolError: a table lacks an image, is made for another distance, or a distance cannot be computed, or is the
            same for all pairs of images.

    Example:
        >>> from simtool import stages
        >>> both = stages.combine(["colour.parquet", "glow.parquet"], distances=["cosine"])  # doctest: +SKIP
        >>> both[0].info.name  # doctest: +SKIP
        'colour + glow'
    """
    sources = [tables] if isinstance(tables, str | Path | EmbeddingTable) else list(tables)
    places = [Path(path) for path in ([out] if isinstance(out, str | Path) else out or ())]
    at_least(0, seed=seed)
    _check(sources, distances, weights, standardize)
    with stage("combine", reads=map(path_of, sources), writes=map(table_file, places)) as run:
        run.begin(*sources)
        opened = [run.read_model(source) for source in sources]
        given = [table for table in opened if isinstance(table, DistanceTable)]
        vectors = [table for table in opened if isinstance(table, EmbeddingTable)]
        if given and vectors:
            raise UsageError(
                f"{given[0].path} holds distances, {vectors[0].path} holds vectors: write the distances of the vectors "
                "with simtool export-distances, and combine two tables of distances"
            )
        if standardize and (made := [table for table in vectors if table.info.distances]):
            raise UsageError(
                f"{made[0].path} is made for {listed(made[0].info.distances)}, which --standardize would change: "
                "standardize the tables that it was made of"
            )
        label = name or _label(opened)
        shares = list(weights) or [1.0] * len(opened)
        if given:
            return [_summed(run, given, shares, label, places, distances, standardize)]
        if len(vectors) == 1:
            return [_standardized(run, vectors[0], name, places)]
        wanted = _wanted(distances, len(places))
        for table in vectors:
            for each in wanted:
                table.check_distance(each)
        parts = _parts(vectors, shares, standardize)
        label = f"{label}, {Standardization.name}" if standardize and name is None else label
        return _combined(run, parts, wanted, places, label, seed)


def _check(sources: Sequence[object], distances: Sequence[str], weights: Sequence[float], standardize: bool) -> None:
    """Refuse arguments that do not fit together, before anything is read."""
    places = Counter(path.resolve() for source in sources if (path := path_of(source)) is not None)
    if twice := [path for path, count in places.items() if count > 1]:
        raise UsageError(f"{listed(twice)}: the same table is given more than once; use --weight to count it more")
    if not sources or (len(sources) == 1 and not standardize):
        raise UsageError("give two tables or more; one table alone needs --standardize")
    if len(sources) == 1 and (distances or weights):
        raise UsageError("one table alone is standardized for all distances: leave out --distance and --weight")
    if weights and len(weights) != len(sources):
        raise UsageError(f"give one --weight for each TABLE, not {len(weights)} for {len(sources)}")
    if bad := [weight for weight in weights if not (weight > 0 and math.isfinite(weight))]:
        raise UsageError(f"--weight is a finite number above 0, not {bad[0]:g}")
    if repeated := [each for each, count in Counter(distances).items() if count > 1]:
        raise UsageError(f"--distance {repeated[0]} is given twice; give it once")
    for each in distances:
        if each not in (*DISTANCES, GIVEN):
            raise UsageError(f"no distance is called {each}; choose from {', '.join(ADDITIVE)}")
        if each in DISTANCES and each not in ADDITIVE:
            raise UsageError(
                f"the sum of {each} distances is no distance of vectors: choose {', '.join(ADDITIVE)}, or write the "
                f"{each} distances of each table with simtool export-distances, and combine these"
            )


def _wanted(distances: Sequence[str], outputs: int) -> list[str]:
    """The distances of vectors, one for each output."""
    if GIVEN in distances:
        raise UsageError(f"--distance {GIVEN} is for tables of distances; choose from {', '.join(ADDITIVE)}")
    wanted = list(distances) or list(DEFAULT_DISTANCES)
    if outputs and len(wanted) != outputs:
        chosen = "" if distances else f"; without --distance, they are {' and '.join(DEFAULT_DISTANCES)}"
        raise UsageError(f"give one --out for each --distance, not {outputs} for {len(wanted)}{chosen}")
    return wanted


def _label(tables: Sequence[EmbeddingTable | DistanceTable]) -> str:
    """The names of the tables, with the file's name where several tables have the same: ``A + B``."""
    names = Counter(table.info.name for table in tables)
    return " + ".join(
        table.info.name if names[table.info.name] == 1 else f"{table.info.name} ({table.path.stem})" for table in tables
    )


def _parts(tables: Sequence[EmbeddingTable], weights: Sequence[float], standardize: bool) -> list[Part]:
    """The vectors of the images of the first table in each table, and notes about images and dimensions left out."""
    parts = []
    for table, weight in zip(tables, weights, strict=True):
        matches = table.match(tables[0].image_id)
        note_matches(table.path, matches)
        if left := len(table) - len(tables[0]):
            console.note(f"       {table.path}: left out {counted(left, 'images')} that {tables[0].path} does not have")
        part = Part(table, np.array(matches.rows, np.intp), weight)
        if standardize:
            spans = blocks_of_rows(len(part.rows), table.info.dimension)
            found = Standardization.of(map(part.read, spans), table.path)
            _note_constant(table, found)
            part = replace(part, standardization=found)
        parts.append(part)
    return parts


def _note_constant(table: EmbeddingTable, found: Standardization) -> None:
    if found.constant:
        verb = plural(found.constant, "become", "becomes")
        console.note(f"       {table.path}: {counted(found.constant, 'constant dimensions')} {verb} 0")


def _combined(
    run: Run, parts: Sequence[Part], distances: Sequence[str], places: Sequence[Path], name: str, seed: int
) -> list[EmbeddingTable]:
    """Write the combination for each distance; the vectors of the tables are read once for all of them."""
    ids = parts[0].table.image_id
    columns = sum(part.table.info.dimension for part in parts)
    with console.progress("measuring", columns, "columns") as bar:
        found, measured = combinations(parts, distances, ids, seed, bar.advance)
    for each in found:
        _note_spread(each, measured, len(ids))
    outs: list[Path | None] = [*places] or [None] * len(found)
    writers = [run.embeddings(path, _info(each, name)) for each, path in zip(found, outs, strict=True)]
    with ExitStack() as stack:
        for writer in writers:
            stack.enter_context(writer)
        with console.progress("combining", len(ids), "images") as bar:
            for rows in blocks_of_rows(len(ids), columns):
                vectors = [part.read(rows) for part in parts]
                for each, writer in zip(found, writers, strict=True):
                    writer.write(ids[rows], each.join(vectors, ids[rows]))
                bar.advance(rows.stop - rows.start)
    for each, path in zip(found, outs, strict=True):
        if path is not None:
            shape = f"{counted(len(ids), 'vectors')} of {counted(columns, 'values')}"
            run.wrote(path, f"{shape}, for {each.distance} ({name})")
    return [writer.table for writer in writers]


def _info(combination: Combination, name: str) -> EmbeddingInfo:
    infos = [each.part.table.info for each in combination.parts]
    preprocessings = {info.preprocessing for info in infos}
    return EmbeddingInfo(
        name=name,
        dimension=combination.dimension,
        segments=combination.segments,
        preprocessing=preprocessings.pop() if len(preprocessings) == 1 else None,
        learned=any(info.learned for info in infos),
        distances=(combination.distance,),
        **_lineage([each.part for each in combination.parts]),
    )


def _lineage(parts: Sequence[Part]) -> dict[str, Any]:
    """The fields of :class:`EmbeddingInfo` that match a sum of trained models with the sum of their controls.

    They are empty without a model that can have controls, and for a sum of trained models and controls. The order of
    the parts does not matter.
    """
    infos = [part.table.info for part in parts]
    seeds = [info.untrained for info in infos if info.origin is not None]
    if not seeds or (None in seeds and set(seeds) != {None}):
        return {}
    facts = sorted(
        json.dumps(
            [
                info.origin or info.model or info.name,
                info.layer,
                info.preprocessing,
                part.weight,
                bool(part.standardization),
            ]
        )
        for info, part in zip(infos, parts, strict=True)
    )
    return {"origin": hashlib.sha256(json.dumps(facts).encode()).hexdigest(), "untrained": seeds[0]}


def _note_spread(combination: Combination, measured: int, images: int) -> None:
    """Say by what the distances are divided, and from how many pairs it is known."""
    pairs = counted(measured * (measured - 1) // 2, "pairs")
    sample = f"{pairs} of {counted(images, 'images')}" if measured == images else f"{pairs} of {measured:,} images"
    values = listed((f"{spread:.4g}" for spread in combination.spread), len(combination.spread))
    console.note(f"       {combination.distance}: standard deviations {values} ({sample})")


def _standardized(run: Run, table: EmbeddingTable, name: str | None, places: Sequence[Path]) -> EmbeddingTable:
    """Write one table, standardized."""
    path = _only(places)
    transform = Standardization.fit(table)
    _note_constant(table, transform)
    info = replace(transformed_info(transform, table, name), shape=table.info.shape, segments=table.info.segments)
    with run.embeddings(path, info) as writer:
        transform_table(transform, table, writer)
    if path is not None:
        run.wrote(path, f"{counted(len(table), 'vectors')} of {counted(info.dimension, 'values')} ({info.name})")
    return writer.table


def _summed(
    run: Run,
    tables: Sequence[DistanceTable],
    weights: Sequence[float],
    name: str,
    places: Sequence[Path],
    distances: Sequence[str],
    standardize: bool,
) -> DistanceTable:
    """Write the sum of tables of distances."""
    path = _only(places)
    if standardize or set(distances) - {GIVEN}:
        option = "--standardize" if standardize else f"--distance {distances[0]}"
        raise UsageError(f"{option} is for vectors; {tables[0].path} holds distances: leave it out")
    found = summed(tables, weights, name)
    if path is not None:
        write_distances(path, found, run.provenance())
        run.wrote(path, f"distances of {counted(len(found), 'pairs')} ({name})")
    return found


def _only(places: Sequence[Path]) -> Path | None:
    """The file of the only result."""
    if len(places) > 1:
        raise UsageError(f"there is one table to write: give one --out, not {len(places)}")
    return places[0] if places else None
