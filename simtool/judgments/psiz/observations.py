"""psiz's HDF5 files of observations, from the first (2018) to those of psiz 0.8.

A row of ``stimulus_set`` is ``[query, selected 1, ..., selected K, unselected ...]`` and padding: the answers
stand first. The number of references is not stored; it is the count of entries that are not padding, less one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from simtool.errors import first_line, listed
from simtool.judgments.assembly import Judgments, JudgmentsError, Places, Record, assemble
from simtool.judgments.catalog import Catalog, catalogs_in, read_catalog
from simtool.judgments.formats import Reading
from simtool.kinds import Kind, kind_of

__all__ = ["Layout", "layout_of", "read_observations"]

#: More entries than any study has: a file that claims them is damaged or means harm.
MOST_ENTRIES = 100_000_000

_REQUIRED = ("stimulus_set", "n_select", "is_ranked")


class Layout(Enum):
    """How a file numbers its stimuli: the value is the number of the first stimulus; padding is one less.

    Each layout is a :class:`simtool.judgments.formats.Reader`.
    """

    PSIZ_2018 = 0
    PSIZ_06 = 1

    def recognises(self, source: Path, kind: Kind) -> bool:  # noqa: ARG002 - the kinds fit both layouts
        """Return whether a file has this layout.

        Raises:
            JudgmentsError: it holds no ranked observations, or its numbering is ambiguous.
        """
        return layout_of(source) is self

    def read(self, source: Path, catalog: Path | None) -> Reading:
        """Read a file of observations.

        Raises:
            JudgmentsError: there is no catalog, or the file is malformed.
            CatalogError: the catalog is malformed.
        """
        if catalog is None:
            found = catalogs_in(source.parent)
            hint = f"for example --catalog {found[0]}" if found else "a catalog of psiz, a stimuli.txt or a CSV"
            raise JudgmentsError(f"{source}: it shows stimuli by number: name their images with --catalog ({hint})")
        stimuli = read_catalog(catalog)
        return Reading(read_observations(source, stimuli, self), [source], stimuli)


@dataclass(frozen=True)
class _Columns:
    """The datasets of a file, as they are stored; None where the file has no such dataset."""

    stimulus_set: NDArray[np.int64]
    n_select: NDArray[np.int64]
    is_ranked: NDArray[np.bool_]
    agent_id: NDArray[np.int64] | None
    session_id: NDArray[np.int64] | None
    weight: NDArray[np.float64] | None
    rt_ms: NDArray[np.float64] | None
    mask_zero: bool | None


def read_observations(path: Path, catalog: Catalog, layout: Layout | None = None) -> Judgments:
    """Read a file of ranked observations.

    ``agent_id`` becomes the participant and ``session_id`` the session, each only where it tells trials apart;
    a ``weight`` of 1 throughout is psiz's placeholder and becomes null, as does an ``rt_ms`` that is negative or NaN.

    Args:
        path: the HDF5 file.
        catalog: the images behind its numbers.
        layout: how stimuli are numbered; None finds it out. What the file itself states may not contradict it.

    Raises:
        JudgmentsError: the file is damaged, is of another kind, or a row makes no sense.
    """
    columns, places = _read(path), _places(path)
    base = _layout(path, columns, layout).value
    stimuli = columns.stimulus_set
    shown = stimuli != base - 1
    places.refuse(stimuli.min(axis=1) < base - 1, f"holds a stimulus number below {base}, where this file begins")
    gaps = shown[:, 1:] & ~shown[:, :-1]
    places.refuse(~shown[:, 0] | gaps.any(axis=1), "has padding before or between its stimuli")
    rows = catalog.rows_of(stimuli + (1 - base))
    places.refuse(
        (shown & (rows < 0)).any(axis=1),
        f"shows a stimulus that {catalog.name} does not have ({catalog.extent}, counted from 1; this file counts from "
        f"{base}): give the right catalog with --catalog",
    )
    n_reference = shown.sum(axis=1) - 1
    places.refuse(
        (columns.n_select < 1) | (columns.n_select >= n_reference),
        "has an n_select that is not between 1 and its number of references less one",
    )
    positions = np.arange(int(columns.n_select.max(initial=1)))
    return assemble(
        Record(
            images=catalog.image_id,
            query=rows[:, 0],
            references=np.where(shown, rows, -1)[:, 1:],
            selected=np.where(positions < columns.n_select[:, None], positions, -1),
            ranked=columns.is_ranked,
            trial_id=np.arange(len(stimuli), dtype=np.int64),
            participant=_labels(columns.agent_id),
            session=_labels(columns.session_id),
            weight=None if columns.weight is None or (columns.weight == 1).all() else columns.weight,
            response_ms=None if columns.rt_ms is None else np.where(columns.rt_ms < 0, np.nan, columns.rt_ms),
        ),
        places,
    )


def _places(path: Path) -> Places:
    return Places(str(path), lambda row: f"{path}: row {row}")


def layout_of(path: Path) -> Layout:
    """Find out how a file numbers its stimuli.

    Raises:
        JudgmentsError: it holds no ranked observations, or its numbering cannot be told.
    """
    return _detect(path, _read(path))


def _layout(path: Path, columns: _Columns, asked: Layout | None) -> Layout:
    """The layout that was asked for, or found out; what ``mask_zero`` states counts."""
    stated = _stated(columns)
    if asked is not None and stated not in (None, asked):
        first = 1 if columns.mask_zero else 0
        raise JudgmentsError(f"{path}: its mask_zero states that its stimuli count from {first}: leave out --format")
    return asked or _detect(path, columns)


def _stated(columns: _Columns) -> Layout | None:
    if columns.mask_zero is None:
        return None
    return Layout.PSIZ_06 if columns.mask_zero else Layout.PSIZ_2018


def _detect(path: Path, columns: _Columns) -> Layout:
    if stated := _stated(columns):
        return stated
    zero = columns.stimulus_set == 0
    # Padding ends a row: a 0 that anything follows is a stimulus.
    if (columns.stimulus_set == -1).any() or (zero[:, :-1] & ~zero[:, 1:]).any():
        return Layout.PSIZ_2018
    raise JudgmentsError(
        f"{path}: nothing in it tells whether its stimuli count from 0 or from 1; "
        "say --format psiz-2018 (from 0) or --format psiz-0.6 (from 1)"
    )


def _read(path: Path) -> _Columns:
    if damage := kind_of(path).damage:
        raise JudgmentsError(f"{path}: damaged or not HDF5 ({damage}); get it again")
    try:
        with h5py.File(path, "r") as file:
            _refuse_other_kinds(path, file)
            if missing := [name for name in _REQUIRED if not isinstance(file.get(name), h5py.Dataset)]:
                held = listed(file, 9) or "nothing"
                raise JudgmentsError(f"{path}: not psiz observations: {listed(missing)} missing; the file holds {held}")
            stimulus_set = _integers(path, file, "stimulus_set", ndim=2)
            count = len(stimulus_set)
            return _Columns(
                stimulus_set=stimulus_set,
                n_select=_integers(path, file, "n_select", count=count),
                is_ranked=_integers(path, file, "is_ranked", count=count) != 0,
                agent_id=_integers(path, file, "agent_id", count=count) if "agent_id" in file else None,
                session_id=_integers(path, file, "session_id", count=count) if "session_id" in file else None,
                weight=_floats(path, file, "weight", count) if "weight" in file else None,
                rt_ms=_floats(path, file, "rt_ms", count, nan=True) if "rt_ms" in file else None,
                mask_zero=_flag(path, file, "mask_zero") if "mask_zero" in file else None,
            )
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as failure:
        if isinstance(failure, FileNotFoundError | PermissionError | IsADirectoryError):
            raise
        raise JudgmentsError(f"{path}: damaged or not HDF5 ({first_line(failure)}); get it again") from failure


def _refuse_other_kinds(path: Path, file: h5py.File) -> None:
    """Name what else psiz writes; the observations' class is stored as ``trial_type``, later as ``class_name``."""
    stored = next((file[key] for key in ("class_name", "trial_type") if isinstance(file.get(key), h5py.Dataset)), None)
    value = stored[()] if stored is not None and stored.shape == () else b""
    kind = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    if kind == "TrialDataset" or "trial_components" in file:
        raise JudgmentsError(
            f"{path}: a TrialDataset of psiz, which simtool does not read; write its trials to a CSV of triplets "
            "(query,reference_1,...,selected_1,...) and import that"
        )
    if "Rate" in kind:
        raise JudgmentsError(f"{path}: {kind} of psiz: ratings of pairs, not choices among references")
    if "Docket" in kind:
        raise JudgmentsError(f"{path}: {kind} of psiz: trials to be shown, without anyone's answers")
    if "stimulus_filepath" in file and "stimulus_set" not in file:
        raise JudgmentsError(f"{path}: a catalog of stimuli, not judgments: give it as --catalog")


def _integers(path: Path, file: h5py.File, name: str, ndim: int = 1, count: int | None = None) -> NDArray[np.int64]:
    values = _values(path, file, name, "iub", "integers", ndim, count)
    return values.astype(np.int64)


def _floats(path: Path, file: h5py.File, name: str, count: int, nan: bool = False) -> NDArray[np.float64]:
    values = _values(path, file, name, "fiu", "numbers", 1, count).astype(np.float64)
    _places(path).refuse(np.isinf(values) if nan else ~np.isfinite(values), f"has no finite {name}")
    return values


def _values(
    path: Path, file: h5py.File, name: str, kinds: str, what: str, ndim: int, count: int | None
) -> NDArray[Any]:
    """A dataset, its type and shape checked before anything is read."""
    dataset = file[name]
    shape, dtype = getattr(dataset, "shape", None), getattr(dataset, "dtype", None)
    if shape is None or dtype is None or dtype.kind not in kinds or len(shape) != ndim or count not in (None, shape[0]):
        wanted = "(trials, 1 + references)" if ndim == 2 else f"({count},)"
        raise JudgmentsError(f"{path}: {name} should hold {what} of shape {wanted}; it holds {dtype} of shape {shape}")
    if dataset.size > MOST_ENTRIES:
        raise JudgmentsError(f"{path}: {name} claims {dataset.size:,} entries, more than any study has: a damaged file")
    if not dataset.size:
        raise JudgmentsError(f"{path}: {name} is empty: the file holds no trials")
    values: NDArray[Any] = dataset[()]
    return values


def _flag(path: Path, file: h5py.File, name: str) -> bool:
    """A dataset of one boolean, which states how the others are to be read, so that nothing else will do."""
    dataset = file[name]
    shape, dtype = getattr(dataset, "shape", None), getattr(dataset, "dtype", None)
    if shape not in ((), (1,)) or getattr(dtype, "kind", "") not in "biu":
        raise JudgmentsError(f"{path}: {name} should hold one true or false; it holds {dtype} of shape {shape}")
    return bool(np.all(dataset[()]))


def _labels(ids: NDArray[np.int64] | None) -> NDArray[np.object_] | None:
    """Ids as text; None where all are equal, because then they are a placeholder."""
    if ids is None or (ids == ids[0]).all():
        return None
    distinct, index = np.unique(ids, return_inverse=True)
    return np.array([str(value) for value in distinct], object)[index]
