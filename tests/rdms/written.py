"""Files of distances in the layouts of other programs, and what is read from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from simtool.rdms.rdm import Request, table_of
from simtool.rdms.reading import read_rdm

__all__ = ["MATRIX", "NAMES", "TRIANGLE", "names_file", "read", "write_rsatoolbox"]

NAMES = ["wren.png", "owl.png", "robin.png"]
MATRIX = np.array([[0, 1.5, 2], [1.5, 0, 0.25], [2, 0.25, 0]])
TRIANGLE = [1.5, 2.0, 0.25]


def names_file(folder: Path) -> str:
    (folder / "names.txt").write_text("\n".join([*NAMES, ""]), encoding="utf-8")
    return str(folder / "names.txt")


def read(path: Path, **request: Any) -> dict[tuple[str, str], float]:
    """The distances of a file by the names of both images, in alphabetical order without a direction."""
    table = table_of(path, read_rdm(path, Request(**request)), Request(**request))
    pairs = zip(table.image_id[table.first], table.image_id[table.second], table.distance.tolist(), strict=True)
    return {tuple(sorted((one, two))) if table.info.symmetric else (one, two): value for one, two, value in pairs}


def write_rsatoolbox(
    path: Path, dissimilarities: Any, patterns: dict[str, Any], rdms: dict[str, Any], measure: str = "euclidean"
) -> Path:
    """A file as ``RDMs.save`` of rsatoolbox 0.3.2 writes it: lists as datasets, tuples as attributes."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"rsatoolbox_version": "0.3.2", "dissimilarity_measure": measure})
        file["dissimilarities"] = np.array(dissimilarities, float)
        file.create_group("descriptors").attrs["lab"] = "own"
        for name, held in (("rdm_descriptors", rdms), ("pattern_descriptors", patterns)):
            group = file.create_group(name)
            for key, value in held.items():
                if isinstance(value, tuple):
                    group.attrs[key] = value
                else:
                    array: NDArray[Any] = np.array(value)
                    group[key] = array.astype("S") if array.dtype.kind == "U" else value
    return path
