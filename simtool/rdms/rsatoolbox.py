"""rsatoolbox's HDF5 files of RDMs, read and written.

Source: ``rsatoolbox.rdm.RDMs.save`` and ``rsatoolbox.io.hdf5`` (0.3.2). The root has the dataset ``dissimilarities``
(RDMs, pairs), the upper triangles row by row, the attributes ``dissimilarity_measure`` and ``rsatoolbox_version``, and
the groups ``descriptors``, ``rdm_descriptors`` and ``pattern_descriptors``. A descriptor is a dataset (numbers, or
bytes in ASCII) or an attribute of its group (text).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from simtool.errors import first_line, listed
from simtool.kinds.hdf5_guards import survives
from simtool.rdms.rdm import Rdm, RdmError, Request, Stack, names_of, stacked
from simtool.tables.atomic import atomic_path
from simtool.tables.distances import DistanceTable
from simtool.text import counted

__all__ = ["read_rdms", "write_rdm"]

#: The version whose layout is written.
_VERSION = "0.3.2"
#: The descriptor that rsatoolbox adds: the positions.
_INDEX = "index"
_MEASURE = "dissimilarity_measure"
#: The names of simtool's distances in rsatoolbox, where they differ.
_NAMES = {"mse": "squared euclidean"}
#: The time to read a file: seconds, and bytes in a second.
_SECONDS, _SPEED = 5, 20_000_000
#: More numbers are a sign of damage.
_MOST = 1 << 30


@dataclass(frozen=True)
class _Content:
    """The content of a file. Descriptors are texts, one for each RDM or pattern."""

    dissimilarities: NDArray[Any]
    measure: str | None
    rdms: dict[str, list[str]]
    patterns: dict[str, list[str]]


def read_rdms(source: Path, request: Request) -> Rdm:
    """Read one RDM of a file. Its images are named by the one pattern descriptor of distinct texts, or by ``--names``.

    Raises:
        RdmError: the file is damaged or holds no RDMs; several RDMs or names without a choice.
    """
    if not survives(lambda: _read(source), _SECONDS + source.stat().st_size // _SPEED):
        raise RdmError(f"{source}: damaged: HDF5 cannot read it without crashing; save it again")
    try:
        content = _read(source)
    except Exception as failure:  # h5py raises many types for damaged files
        raise RdmError(f"{source}: damaged: HDF5 cannot read it ({first_line(failure)}); save it again") from failure
    if content is None:
        raise RdmError(f"{source}: it holds no RDMs (dissimilarities); save them with RDMs.save")
    stack = stacked(source, content.dissimilarities)
    named = next((texts for name, texts in content.rdms.items() if name != _INDEX and _are_distinct(texts)), None)
    if named is not None and len(named) == len(stack.arrays):
        stack = Stack(stack.arrays, named)
    at = stack.choose(source, request.rdm)
    return stack.rdm(source, at, _names(source, content, request), content.measure)


def _read(source: Path) -> _Content | None:
    with h5py.File(source, "r") as file:
        held = file.get("dissimilarities")
        if not isinstance(held, h5py.Dataset) or held.size > _MOST:
            return None
        measure = file.attrs.get(_MEASURE)
        descriptors = [_descriptors(file.get(name)) for name in ("rdm_descriptors", "pattern_descriptors")]
        return _Content(held[()], measure if isinstance(measure, str) else None, *descriptors)


def _descriptors(group: Any) -> dict[str, list[str]]:
    """The descriptors of one group, as texts."""
    if not isinstance(group, h5py.Group):
        return {}
    held = {name: value[()] for name, value in group.items() if isinstance(value, h5py.Dataset) and value.ndim == 1}
    held |= {name: value for name, value in group.attrs.items() if isinstance(value, np.ndarray)}
    return {name: [_text(entry) for entry in values] for name, values in held.items()}


def _text(entry: Any) -> str:
    return entry.decode("utf-8", "replace") if isinstance(entry, bytes) else str(entry)


def _are_distinct(texts: list[str]) -> bool:
    return len(set(texts)) == len(texts)


def _names(source: Path, content: _Content, request: Request) -> list[str]:
    """The names of the images."""
    if request.names in content.patterns and not Path(str(request.names)).exists():
        return content.patterns[str(request.names)]
    others = {name: texts for name, texts in content.patterns.items() if name != _INDEX}
    named = [name for name, texts in others.items() if _are_distinct(texts)]
    if request.names is not None:
        return names_of(source, request)
    if len(named) == 1:
        return others[named[0]]
    if named:
        raise RdmError(f"{source}: {listed(named, 9)} name its images; choose one of them with --names")
    repeated = f" ({listed(others, 9)} repeats its texts)" if others else ""
    raise RdmError(f"{source}: no pattern descriptor names its images{repeated}: give a file of names as --names")


def write_rdm(path: Path, table: DistanceTable) -> None:
    """Write a table of distances as the only RDM of a file, with the pattern descriptor ``image_id``.

    Raises:
        RdmError: a pair is missing, the distances have a direction, or an id is not ASCII.
        OSError: the file cannot be written.
    """
    names = [str(name) for name in table.image_id]
    count = len(names)
    if not table.info.symmetric:
        raise RdmError(f"{table.path}: its distances have a direction, which an RDM has not; write .parquet or .csv")
    if odd := [name for name in names if not name.isascii() or "\0" in name]:
        ids = f"{counted(len(odd), 'ids')} {'is' if len(odd) == 1 else 'are'} not ASCII"
        raise RdmError(f"{path}: {ids} ({listed(odd)}), which rsatoolbox cannot load; write .parquet or .csv")
    if lacking := count * (count - 1) // 2 - len(table):
        some = f"{counted(lacking, 'pairs')} of {count:,} images {'has' if lacking == 1 else 'have'}"
        raise RdmError(f"{table.path}: {some} no distance, which an RDM needs")
    label = table.info.name.encode("ascii", "backslashreplace")
    with atomic_path(path) as temporary, h5py.File(temporary, "w", locking=False) as file:
        file.attrs["rsatoolbox_version"] = _VERSION
        if table.info.measure is None:
            file[_MEASURE] = h5py.Empty("f")
        else:
            file.attrs[_MEASURE] = _NAMES.get(table.info.measure, table.info.measure)
        file["dissimilarities"] = table.distance[np.newaxis]
        file.create_group("descriptors")
        for group, descriptor, texts in (("rdm", "model", [label]), ("pattern", "image_id", names)):
            descriptors = file.create_group(f"{group}_descriptors")
            descriptors[_INDEX] = np.arange(len(texts))
            descriptors[descriptor] = np.array(texts, "S")
