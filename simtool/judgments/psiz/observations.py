"""Reader of psiz's HDF5 files of observations, from 2018 to psiz 0.8.

A row of ``stimulus_set`` is ``[query, selected 1, ..., selected K, unselected ...]`` and padding: the selected
references come first. The number of references is the number of entries without padding, minus one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.errors import first_line, listed
from simtool.judgments.assembly import Judgments, JudgmentsError, Places, Record, assemble
from simtool.judgments.catalog import Catalog, catalogs_in, read_catalog
from simtool.judgments.formats import Reading
from simtool.kinds import Expected, Kind, What, explain, kind_of
from simtool.tables.carried import Carried
from simtool.tables.labels import Labels

__all__ = ["Layout", "labels_of", "layout_of", "read_observations", "required_catalog"]

#: Maximum entries of a dataset; a larger number is a sign of damage or of an attack.
MOST_ENTRIES = 100_000_000

#: Other files of psiz.
_OTHERS = frozenset((What.PSIZ_TRIALS, What.PSIZ_DOCKET, What.PSIZ_RATINGS, What.PSIZ_CATALOG))
#: The dataset of the class name up to psiz 0.4.1, whose stimuli always count from 0.
_OLD = "trial_type"
_REQUIRED = ("stimulus_set", "n_select", "is_ranked")


class Layout(Enum):
    """How a file numbers its stimuli: the value is the number of the first stimulus; padding is one less.

    Each layout is a :class:`simtool.judgments.formats.Reader`.
    """

    PSIZ_2018 = 0
    PSIZ_06 = 1

    def recognises(self, source: Path, kind: Kind) -> bool:  # noqa: ARG002 - the kinds fit both layouts
        """Return whether a file has this layout; an error if it can have both: see :func:`layout_of`."""
        return layout_of(source) is self

    def read(self, source: Path, catalog: Path | None) -> Reading:
        """Read a file of observations; its catalog is required."""
        stimuli = required_catalog(source, catalog)
        return Reading(read_observations(source, stimuli, self), [source], stimuli)


def required_catalog(source: Path, catalog: Path | None) -> Catalog:
    """Read the catalog of a source that shows its stimuli by number.

    Raises:
        JudgmentsError: there is no catalog; the message suggests one beside the source.
        CatalogError: the catalog is malformed.
    """
    if catalog is not None:
        return read_catalog(catalog)
    found = catalogs_in(source.parent)
    hint = f"for example --catalog {found[0]}" if found else "a catalog of psiz, a stimuli.txt or a CSV"
    raise JudgmentsError(f"{source}: it shows stimuli by number: name their images with --catalog ({hint})")


@dataclass(frozen=True)
class _Columns:
    """The datasets of a file; None for a missing dataset."""

    stimulus_set: NDArray[np.int64]
    n_select: NDArray[np.int64]
    is_ranked: NDArray[np.bool_]
    agent_id: pa.Array | None
    session_id: pa.Array | None
    weight: NDArray[np.float64] | None
    rt_ms: NDArray[np.float64] | None
    mask_zero: bool | None
    groups: Carried


def read_observations(path: Path, catalog: Catalog, layout: Layout | None = None) -> Judgments:
    """Read a file of ranked observations.

    ``agent_id`` becomes the participant and ``session_id`` the session, unless all values are equal. A ``weight``
    that is 1 in all rows is a placeholder and becomes null. An ``rt_ms`` that is negative or NaN becomes null. The
    columns of ``groups`` or ``group_id`` whose values differ are kept as ``group``, or ``group_1``, ``group_2``, ...

    Args:
        path: the HDF5 file.
        catalog: the images of its numbers.
        layout: the numbering of stimuli; None detects it. It must agree with the ``mask_zero`` of the file.

    Raises:
        JudgmentsError: the file is damaged or of another kind, or a row is impossible.
    """
    columns, places = _read(path), _places(path)
    base = _layout(path, columns, layout).value
    stimuli = columns.stimulus_set
    shown = stimuli != base - 1
    places.refuse(stimuli.min(axis=1) < base - 1, f"has a stimulus number below {base}, the first number of this file")
    gaps = shown[:, 1:] & ~shown[:, :-1]
    places.refuse(~shown[:, 0] | gaps.any(axis=1), "has padding before or between its stimuli")
    rows = catalog.rows_of(stimuli + (1 - base))
    places.refuse(
        (shown & (rows < 0)).any(axis=1),
        f"shows a stimulus that is not in {catalog.name} ({catalog.extent}, counted from 1; this file counts from "
        f"{base}): give the right catalog with --catalog",
    )
    n_reference = shown.sum(axis=1) - 1
    places.refuse(
        (columns.n_select < 1) | (columns.n_select >= n_reference),
        "has an n_select that is not between 1 and its number of references minus one",
    )
    positions = np.arange(int(columns.n_select.max(initial=1)), dtype=np.int16)
    return assemble(
        Record(
            images=catalog.image_id,
            query=rows[:, 0],
            references=np.where(shown, rows, -1)[:, 1:],
            selected=np.where(positions[:, None] < columns.n_select, positions[:, None], np.int16(-1)).T,
            ranked=columns.is_ranked,
            trial_id=np.arange(len(stimuli), dtype=np.int64),
            participant=labels_of(columns.agent_id),
            session=labels_of(columns.session_id),
            weight=None if columns.weight is None or (columns.weight == 1).all() else columns.weight,
            response_ms=None if columns.rt_ms is None else np.where(columns.rt_ms < 0, np.nan, columns.rt_ms),
            extra=columns.groups,
        ),
        places,
    )


def _places(path: Path) -> Places:
    return Places(str(path), lambda row: f"{path}: row {row}")


def layout_of(path: Path) -> Layout:
    """Detect the numbering of stimuli in a file.

    Raises:
        JudgmentsError: the file has no ranked observations, or its numbering is ambiguous.
    """
    with _opened(path) as file:
        if "mask_zero" in file:
            return Layout(int(_flag(path, file, "mask_zero")))
        if _OLD in file:
            return Layout.PSIZ_2018
        stimulus_set = _integers(path, file, "stimulus_set", ndim=2)
    return _detected(path, stimulus_set)


def _layout(path: Path, columns: _Columns, asked: Layout | None) -> Layout:
    """Return the given layout if ``mask_zero`` agrees, else the detected layout."""
    stated = None if columns.mask_zero is None else Layout(int(columns.mask_zero))
    if asked and stated not in (None, asked):
        first = 1 if columns.mask_zero else 0
        raise JudgmentsError(f"{path}: its mask_zero states that stimuli count from {first}: omit --format")
    return asked or stated or layout_of(path)


def _detected(path: Path, stimulus_set: NDArray[np.int64]) -> Layout:
    """Return the layout that padding and zeros show."""
    zero = stimulus_set == 0
    # Padding is at the end of a row: a 0 before another number is a stimulus.
    if (stimulus_set == -1).any() or (zero[:, :-1] & ~zero[:, 1:]).any():
        return Layout.PSIZ_2018
    raise JudgmentsError(
        f"{path}: its stimuli can count from 0 or from 1; "
        "give --format psiz-2018 (from 0) or --format psiz-0.6 (from 1)"
    )


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a file of observations."""
    kind = kind_of(path)
    if kind.damage:
        raise JudgmentsError(f"{path}: damaged or not HDF5 ({kind.damage}); get it again")
    if kind.what in _OTHERS:
        raise JudgmentsError(explain(path, Expected.JUDGMENTS))
    try:
        with h5py.File(path, "r") as file:
            if missing := [name for name in _REQUIRED if not isinstance(file.get(name), h5py.Dataset)]:
                held = listed(file, 9) or "nothing"
                raise JudgmentsError(
                    f"{path}: not observations of psiz: {listed(missing)} missing; the file has {held}"
                )
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as failure:
        if isinstance(failure, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise JudgmentsError(f"{path}: damaged or not HDF5 ({first_line(failure)}); get it again") from failure


def _read(path: Path) -> _Columns:
    with _opened(path) as file:
        stimulus_set = _integers(path, file, "stimulus_set", ndim=2)
        count = len(stimulus_set)
        return _Columns(
            stimulus_set=stimulus_set,
            n_select=_integers(path, file, "n_select", count=count),
            is_ranked=_integers(path, file, "is_ranked", count=count) != 0,
            agent_id=pa.array(_integers(path, file, "agent_id", count=count)) if "agent_id" in file else None,
            session_id=pa.array(_integers(path, file, "session_id", count=count)) if "session_id" in file else None,
            weight=_floats(path, file, "weight", count) if "weight" in file else None,
            rt_ms=_floats(path, file, "rt_ms", count, nan=True) if "rt_ms" in file else None,
            mask_zero=_flag(path, file, "mask_zero") if "mask_zero" in file else None,
            groups=_groups(path, file, count),
        )


def _groups(path: Path, file: h5py.File, count: int) -> dict[str, pa.Array]:
    """Read the groups of the participants; a group that is the same in all rows is a placeholder."""
    if "groups" in file:
        columns = list(_integers(path, file, "groups", ndim=2, count=count).T)
    else:
        columns = [_integers(path, file, "group_id", count=count)] if "group_id" in file else []
    names = ["group"] if len(columns) == 1 else [f"group_{place}" for place in range(1, len(columns) + 1)]
    return {name: pa.array(ids) for name, ids in zip(names, columns, strict=True) if (ids != ids[0]).any()}


def _integers(path: Path, file: h5py.File, name: str, ndim: int = 1, count: int | None = None) -> NDArray[np.int64]:
    return _values(path, file, name, "iub", "integers", ndim, count).astype(np.int64, order="F")


def _floats(path: Path, file: h5py.File, name: str, count: int, nan: bool = False) -> NDArray[np.float64]:
    values = _values(path, file, name, "fiu", "numbers", 1, count).astype(np.float64)
    _places(path).refuse(np.isinf(values) if nan else ~np.isfinite(values), f"has no finite {name}")
    return values


def _values(
    path: Path, file: h5py.File, name: str, kinds: str, what: str, ndim: int, count: int | None
) -> NDArray[Any]:
    """Read a dataset after checks of its type and shape."""
    dataset = file[name]
    shape, dtype = getattr(dataset, "shape", None), getattr(dataset, "dtype", None)
    if shape is None or dtype is None or dtype.kind not in kinds or len(shape) != ndim or count not in (None, shape[0]):
        wanted = "(trials, 1 + references)" if ndim == 2 else f"({count},)"
        raise JudgmentsError(f"{path}: {name} must have {what} of shape {wanted}; it has {dtype} of shape {shape}")
    if dataset.size > MOST_ENTRIES:
        raise JudgmentsError(f"{path}: the file is damaged: {name} states {dataset.size:,} entries")
    if not dataset.size:
        raise JudgmentsError(f"{path}: {name} is empty: the file has no trials")
    return np.asarray(dataset[()])


def _flag(path: Path, file: h5py.File, name: str) -> bool:
    """Read a dataset of one boolean; other types are refused, because it decides how the other datasets are read."""
    dataset = file[name]
    shape, dtype = getattr(dataset, "shape", None), getattr(dataset, "dtype", None)
    if shape not in ((), (1,)) or getattr(dtype, "kind", "") not in "biu":
        raise JudgmentsError(f"{path}: {name} must have one boolean; it has {dtype} of shape {shape}")
    return bool(np.all(dataset[()]))


def labels_of(ids: pa.Array | None) -> Labels | None:
    """Return ids as text; None if all are equal, because then they are a placeholder."""
    encoded = None if ids is None else ids.dictionary_encode()
    if encoded is None or len(encoded.dictionary) == 1:
        return None
    return Labels(encoded.dictionary.cast(pa.string()), encoded.indices.to_numpy())
