"""Import distances: from tables, matrices and RDMs to a table of distances."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from simtool import console
from simtool.judgments.importing import refuse_judgments
from simtool.rdms.rdm import RdmError, Request, table_of
from simtool.rdms.reading import read_rdm
from simtool.stages.remarks import ids_as_in
from simtool.stages.run import api, path_of, stage, table_file
from simtool.tables.distances import DistanceTable, write_distances
from simtool.tables.images import Images
from simtool.text import counted

__all__ = ["import_distances"]


@api
def import_distances(
    source: str | Path,
    out: str | Path | None = None,
    *,
    names: str | Path | None = None,
    rdm: str | int | None = None,
    similarity: bool = False,
    asymmetric: bool = False,
    name: str | None = None,
    images: str | Path | Images | None = None,
) -> DistanceTable:
    """Turn distances of pairs of images into a table that is scored like a model.

    Args:
        source: a table of pairs (Parquet, CSV), a square matrix (CSV, text, ``.npy``, ``.mat``), rsatoolbox's HDF5
            file of RDMs, or a ``.mat`` or JSON file of Meadows.
        out: the Parquet file to write; None writes nothing.
        names: a file with one name a line, for a matrix that does not name its images; or the pattern descriptor of
            rsatoolbox that names them.
        rdm: the name or the number, from 0, of one RDM among several.
        similarity: larger numbers mean more similar; the distance is minus the similarity.
        asymmetric: the distance from a row (``image_1``) to a column (``image_2``) is not that from the column to the
            row. A comparison takes the distances from its anchor.
        name: the label in reports; None for the name of the file, and of the RDM.
        images: a table of images. Distances then name images as this table does: by equal id, else by the closest
            spelling.

    Returns:
        The table of distances.

    Raises:
        SimtoolError: the source is of no known kind, its names do not fit, a distance is not valid, or ``images``
            lacks an image.

    Example:
        >>> from simtool import stages
        >>> stages.import_distances("rdm.npy", names="names.txt")  # doctest: +SKIP
        DistanceTable(rdm, 66 pairs of 12 images)
    """
    path = Path(source)
    request = Request(
        None if names is None else str(names), None if rdm is None else str(rdm), similarity, not asymmetric
    )
    with stage("import-distances", reads=[path, _file(names), path_of(images)], writes=[table_file(out)]) as run:
        if path.is_file():
            run.begin(path)
        refuse_judgments(path)
        found = read_rdm(path, request)
        table = table_of(path, found, request, name)
        label = "" if found.label is None else f" of {found.label}"
        run.read(path, f"distances{label}: {counted(len(table), 'pairs')} of {counted(len(table.image_id), 'images')}")
        if _file(names) is not None:
            run.read(Path(str(names)), "the names of the images")
        if similarity and found.has_zero_diagonal:
            console.warn(
                f"{path}: the diagonal is 0, as of distances; --similarity reads larger numbers as more similar"
            )
        if images is not None:
            table = replace(table, image_id=ids_as_in(run, images, table.image_id, RdmError))
        if out is not None:
            write_distances(Path(out), table, run.provenance())
            run.wrote(Path(out), f"distances of {counted(len(table), 'pairs')} ({table.info.name})")
    return table


def _file(names: str | Path | None) -> Path | None:
    """The file of names; None for a descriptor."""
    return Path(names) if names is not None and Path(names).exists() else None
