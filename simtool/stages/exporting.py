"""Export distances: from vectors to the distances of all pairs of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from simtool import console
from simtool.errors import UsageError
from simtool.scoring.all_pairs import all_distances
from simtool.scoring.distances import DISTANCES
from simtool.scoring.given import GIVEN
from simtool.stages.run import Run, api, chosen, path_of, stage, table_file
from simtool.tables.distances import DistanceTable, write_distances
from simtool.tables.embeddings import EmbeddingTable
from simtool.text import counted

__all__ = ["export_distances"]

_HDF5 = (".hdf5", ".h5")


@api
def export_distances(
    table: str | Path | EmbeddingTable | DistanceTable,
    out: str | Path | None = None,
    *,
    distance: str | None = None,
    name: str | None = None,
) -> DistanceTable:
    """Write the distances of all pairs of images of a model.

    Args:
        table: a table of embeddings or of distances.
        out: the file to write: ``.hdf5`` or ``.h5`` for rsatoolbox, ``.csv`` for a table of pairs, or a Parquet table
            of distances; None writes nothing.
        distance: the distance between vectors, see :data:`~simtool.scoring.distances.DISTANCES`; a table of distances
            needs none.
        name: the label; None for the name of ``table``.

    Returns:
        The distances. They are the numbers that ``score`` compares; ``mse`` is rsatoolbox's squared Euclidean distance
        divided by the number of channels.

    Raises:
        UsageError: the distance is missing, unknown, or does not apply to the table.
        SimtoolError: a distance cannot be computed; rsatoolbox cannot load the ids; pairs are missing in an RDM.

    Example:
        >>> from simtool import stages
        >>> stages.export_distances("pixels.parquet", "rdm.hdf5", distance="cosine")  # doctest: +SKIP
        DistanceTable(pixels, 21,528 pairs of 208 images)
    """
    path = None if out is None else Path(out)
    known = (*DISTANCES, GIVEN)
    if distance is not None:
        chosen(known, "--distance", distance)
    place = path if path is not None and path.suffix.lower() in (*_HDF5, ".csv") else table_file(path)
    with stage("export-distances", reads=[path_of(table)], writes=[place]) as run:
        run.begin(table)
        found = _measured(run.read_model(table), distance)
        found = replace(found, info=replace(found.info, name=name or found.info.name))
        if path is not None:
            _write(run, path, found)
            run.wrote(path, f"{found.info.measure or GIVEN} of {counted(len(found), 'pairs')} ({found.info.name})")
    return found


def _measured(table: EmbeddingTable | DistanceTable, distance: str | None) -> DistanceTable:
    """The distances of a model.

    Raises:
        UsageError: the distance does not apply.
    """
    if isinstance(table, DistanceTable):
        if distance not in (None, GIVEN):
            raise UsageError(f"--distance {distance} is for vectors; {table.path} holds distances: leave it out")
        return table
    if distance in (None, GIVEN):
        raise UsageError(f"{table.path} holds vectors: choose a --distance of {', '.join(DISTANCES)}")
    table.check_distance(distance)
    with console.progress("measuring", table.info.dimension, "columns") as bar:
        return all_distances(table, distance, bar.advance)


def _write(run: Run, path: Path, table: DistanceTable) -> None:
    """Write distances in the layout of a file's name."""
    if path.suffix.lower() in _HDF5:
        from simtool.rdms.rsatoolbox import write_rdm

        write_rdm(path, table)
    elif path.suffix.lower() == ".csv":
        from simtool.rdms.delimited import write_csv

        write_csv(path, table)
    else:
        write_distances(path, table, run.provenance())
