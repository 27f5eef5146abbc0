"""Import embeddings: from vectors that another program wrote to a table of embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError
from simtool.judgments.importing import refuse_judgments
from simtool.stages.remarks import ids_as_in
from simtool.stages.run import Folder, Place, api, path_of, stage, table_file
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable, Ids
from simtool.tables.images import Images
from simtool.text import counted
from simtool.transforms.linear import LinearMap
from simtool.vectors.importing import open_vectors
from simtool.vectors.vectors import VectorsError

__all__ = ["import_embeddings"]


@api
def import_embeddings(
    source: str | Path,
    out: str | Path | None = None,
    *,
    ids: str | Path | None = None,
    images: str | Path | Images | None = None,
    dataset: str | None = None,
    module: str | None = None,
    transform: str | Path | None = None,
    name: str | None = None,
) -> EmbeddingTable:
    """Turn vectors that another program wrote into a table of embeddings.

    Args:
        source: a ``.npy``, ``.npz``, HDF5, ``.mat``, Feather, Arrow or Parquet file, a CSV whose first column holds the
            ids, a text of numbers, or a folder of thingsvision.
        out: the Parquet file to write; None keeps the vectors in memory.
        ids: a text file with the id of each vector, one in each line, in the order of the vectors; None for the ids in
            ``source``.
        images: a table of images. The vectors then get the ids of this table: by equal id, else by the closest
            spelling.
        dataset: the array, dataset, variable or column of ``source`` to read; None for the only one.
        module: the module of a folder of thingsvision to read; None for the only one.
        transform: a ``transform.npz`` of gLocal to apply to the vectors.
        name: the label in reports; None for the name of ``out``, or of ``source``.

    Returns:
        The table of embeddings, in the order of ``source``, as float32. Arrays are flattened in C order; the table
        states their shape.

    Raises:
        SimtoolError: the source is in no known format, has no ids, or holds NaN; ids are repeated, or are not in
            ``images``.

    Example:
        >>> from simtool import stages
        >>> stages.import_embeddings("features.npy", "clip.parquet", ids="file_names.txt")  # doctest: +SKIP
        EmbeddingTable(clip, 1,854 images, 512 values)
    """
    source, names, linear = Path(source), path_of(ids), path_of(transform)
    place: Place = Folder(source) if source.is_dir() else source
    reads = [place, names, path_of(images), linear]
    with stage("import-embeddings", reads=reads, writes=[table_file(out)]) as run:
        refuse_judgments(source)
        vectors = open_vectors(source, names, dataset, module)
        vectors.refuse_distances()
        run.begin(*vectors.files, linear)
        run.read(source, f"{counted(vectors.rows, 'vectors')} of {counted(vectors.dimension, 'values')}", vectors.files)
        image_id: Ids = list(vectors.names or ())
        if images is not None:
            image_id = ids_as_in(run, images, image_id, VectorsError)
        label = name or Path(out or source).stem
        info = EmbeddingInfo(name=label, dimension=vectors.dimension, shape=vectors.shape)
        glocal = None
        if linear is not None:
            glocal = LinearMap.read(linear, vectors.dimension)
            run.read(linear, f"a transform to {counted(glocal.dimension, 'values')}")
            info = EmbeddingInfo(name=label, dimension=glocal.dimension)
        with run.embeddings(out, info) as writer:
            for rows, block in vectors.batches():
                values = block if glocal is None else glocal.apply(block)
                writer.write(image_id[rows], _single(source, values))
        if out is not None:
            run.wrote(Path(out), f"{counted(vectors.rows, 'vectors')} of {counted(info.dimension, 'values')}")
    return writer.table


def _single(source: Path, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Vectors as float32.

    Raises:
        SimtoolError: a value does not fit.
    """
    if np.abs(values).max(initial=0) > np.finfo(np.float32).max:
        raise SimtoolError(f"{source}: its values are too large; multiply all vectors by one small number")
    return values.astype(np.float32)
