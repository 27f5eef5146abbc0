"""Distances from a file in any of the layouts.

A new layout is a new reader, and an entry in :data:`READERS` for the kind of file that holds it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from simtool.kinds import Expected, What, explain, kind_of
from simtool.rdms.rdm import Rdm, RdmError, Request
from simtool.tables.distances import read_pairs

__all__ = ["READERS", "read_rdm"]


def _read_table(source: Path, request: Request) -> Rdm:
    """Read a Parquet table of pairs."""
    request.refuse_names(source)
    request.refuse_choice(source)
    pairs, info = read_pairs(source)
    return Rdm(pairs, stated=info)


#: For each kind of file the place of its reader, which is imported when it is needed.
READERS: Mapping[What, str] = {
    **dict.fromkeys((What.PARQUET, What.PARQUET_FOLDER), "simtool.rdms.reading:_read_table"),
    What.CSV: "simtool.rdms.delimited:read_csv",
    What.NUMBERS: "simtool.rdms.delimited:read_numbers",
    What.NPY: "simtool.rdms.arrays:read_npy",
    What.MATLAB: "simtool.rdms.matlab:read_mat",
    What.RSATOOLBOX: "simtool.rdms.rsatoolbox:read_rdms",
    What.JSON: "simtool.rdms.meadows:read_tree",
}


def read_rdm(source: Path, request: Request) -> Rdm:
    """Read the values of pairs of images, unchecked.

    Args:
        source: a Parquet table or a CSV of pairs; a square matrix as CSV, text, ``.npy`` or ``.mat``; rsatoolbox's
            HDF5 file of RDMs; a ``.mat`` or JSON file of Meadows.
        request: which RDM, and the names of its images.

    Raises:
        RdmError: the file is of another kind or malformed, holds several RDMs, or the names do not fit.
        TableError: a Parquet table lacks a column.
    """
    kind = kind_of(source)
    if kind.damage or kind.what not in READERS:
        raise RdmError(explain(source, Expected.RDM, kind=kind))
    reader = cast("Callable[[Path, Request], Rdm]", pkgutil.resolve_name(READERS[kind.what]))
    return reader(source, request)
