"""Reader of ranked judgments of psiz 0.9 to 0.13 whose arrays were saved in a ``.npz`` file.

These versions write no files. The arrays have the names and shapes that ``psiz.data.Dataset.export`` gives them: the
stimuli of T trials, ``given8rank2_stimulus_set`` (T, 1 + references), with the references in the order of display; the
outcomes, one-hot (T, outcomes) or as an index (T,) in an array whose name ends with ``outcome``; and if there are any,
``sample_weight``, response times and groups such as ``agent``, (T,) or (T, 1). With a timestep axis, T is two axes.

Stimuli count from 1; a trial of zeros is a placeholder. Outcomes are the ordered selections of the references in the
order of ``itertools.permutations``.

Source: https://github.com/psiz-org/psiz (0.13), ``psiz/data/contents/rank.py``, ``psiz/utils/m_prefer_n.py``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.designs import MOST_REFERENCES
from simtool.errors import first_line, listed
from simtool.judgments.arrays import open_archive, whole_numbers
from simtool.judgments.assembly import Judgments, JudgmentsError, Places, Record, assemble
from simtool.judgments.catalog import Catalog
from simtool.judgments.formats import Reading
from simtool.judgments.psiz.observations import labels_of, required_catalog
from simtool.kinds import Kind
from simtool.tables.carried import carried_names
from simtool.text import counted

__all__ = ["read", "recognises"]

_STIMULI = "stimulus_set"
_OUTCOME = "outcome"
_WEIGHT = ("sample_weight", "weight")
_TIME = ("response_time_ms", "rt_ms")
_PERSON = ("agent", "agent_id", "anonymous_id", "participant", "subject")
_SIZES = re.compile(rf"given(\d{{1,3}})rank(\d{{1,3}})_{_STIMULI}")
_HOW = "numpy.savez(FILE, given8rank2_stimulus_set=..., outcome=..., agent=..., sample_weight=...)"


@dataclass(frozen=True)
class _Arrays:
    """The arrays of a file, without a timestep axis.

    Attributes:
        source: the file.
        name: the name of the stimuli.
        stimuli: (T, 1 + N) numbers from 1; 0 is nothing.
        others: the other arrays by name, (T, ...) each.
        unused: the names of arrays of other lengths.
    """

    source: Path
    name: str
    stimuli: NDArray[np.int64]
    others: Mapping[str, NDArray[Any]]
    unused: tuple[str, ...]

    def column(self, ends: tuple[str, ...]) -> str | None:
        """Return the name of the array of one value a trial that has one of the endings; None without one.

        Raises:
            JudgmentsError: there are several.
        """
        names = [name for name, values in self.others.items() if name.endswith(ends) and _is_column(values)]
        if len(names) > 1:
            raise JudgmentsError(f"{self.source}: {listed(names)}: which of them counts? save only one")
        return names[0] if names else None

    def values(self, name: str) -> NDArray[Any]:
        """Return an array of one value a trial, (T,), in the byte order of the machine."""
        values = self.others[name].reshape(len(self.stimuli))
        return values.astype(np.float64 if values.dtype.kind == "f" else values.dtype.newbyteorder("="))

    def ids(self, name: str, rows: NDArray[np.intp]) -> pa.Array:
        """Return some values of an array of one value a trial.

        Raises:
            JudgmentsError: a text has an impossible character.
        """
        try:
            return pa.array(self.values(name)[rows])
        except (ValueError, pa.ArrowException) as failure:
            raise JudgmentsError(f"{self.source}: {name}: impossible text ({first_line(failure)})") from failure


def recognises(source: Path, kind: Kind) -> bool:  # noqa: ARG001 - the names of the arrays decide
    """Return whether an archive has an array of stimuli: see :class:`simtool.judgments.formats.Reader`."""
    return any(name.endswith(_STIMULI) for name in kind.keys)


def read(source: Path, catalog: Path | None) -> Reading:
    """Read the arrays; a catalog is required: see :class:`simtool.judgments.formats.Reader`."""
    arrays = _arrays(source)
    stimuli = required_catalog(source, catalog)
    return Reading(_judgments(arrays, stimuli), [source], stimuli)


def _arrays(source: Path) -> _Arrays:
    with open_archive(source) as archive:
        names = [name.removesuffix(".npy") for name in archive.zip.namelist()]
        contents = [name for name in names if name.endswith(_STIMULI)]
        if len(contents) != 1:
            found = listed(contents, 9) or listed(names, 9) or "nothing"
            raise JudgmentsError(
                f"{source}: one array of stimuli is needed (its name ends with {_STIMULI}), it has {found}; save them "
                f"with {_HOW}"
            )
        (name,) = contents
        stored = {other: archive.array(other) for other in names}
        sides = stored[name].shape
        if len(sides) not in (2, 3):
            raise JudgmentsError(f"{source}: {name} should have the shape (trials, 1 + references); it has {sides}")
        stimuli = stored[name].require("iuf", (None,) * len(sides), "integers").values()
        rows = math.prod(sides[:-1])
        fitting = {other: array for other, array in stored.items() if array.shape[: len(sides) - 1] == sides[:-1]}
        others = {other: array.values() for other, array in fitting.items() if other != name}
    places = Places(str(source), lambda row: f"{source}: row {row}")
    return _Arrays(
        source,
        name,
        whole_numbers(stimuli.reshape(rows, sides[-1]), places),
        {other: values.reshape(rows, *values.shape[len(sides) - 1 :]) for other, values in others.items()},
        tuple(other for other in names if other not in fitting),
    )


def _is_column(values: NDArray[Any]) -> bool:
    return values.size == len(values)


def _judgments(arrays: _Arrays, catalog: Catalog) -> Judgments:
    stimuli = arrays.stimuli
    kept = np.flatnonzero(stimuli.any(axis=1))
    places = Places(str(arrays.source), lambda row: f"{arrays.source}: row {int(kept[row])}")
    if not kept.size:
        raise JudgmentsError(f"{arrays.source}: every trial is a placeholder, so there is nothing to import")
    # psiz gives all trials the same number of references, and cuts the columns beyond them.
    shown = stimuli[kept]
    shown = shown[:, shown.any(axis=0)]
    places.refuse(shown.min(axis=1) < 1, "has a stimulus number below 1 beside others: 0 is for placeholders")
    if not 3 <= shown.shape[1] <= 1 + MOST_REFERENCES:
        raise JudgmentsError(f"{arrays.source}: {arrays.name} shows {shown.shape[1] - 1} references")
    rows = catalog.rows_of(shown)
    places.refuse(
        rows.min(axis=1) < 0,
        f"shows a stimulus that is not in {catalog.name} ({catalog.extent}): give the right catalog with --catalog",
    )
    outcome, index, n_select = _outcomes(arrays, shown.shape[1] - 1)
    person, weight, time = (arrays.column(ends) for ends in (_PERSON, _WEIGHT, _TIME))
    used = {outcome, person, weight, time}
    columns = [name for name, values in arrays.others.items() if name not in used and _is_column(values)]
    judgments = assemble(
        Record(
            images=catalog.image_id,
            query=rows[:, 0],
            references=rows[:, 1:],
            selected=_selected(index[kept], shown.shape[1] - 1, n_select, places),
            ranked=np.ones(kept.size, bool),
            trial_id=kept.astype(np.int64),
            participant=None if person is None else labels_of(arrays.ids(person, kept)),
            weight=None
            if weight is None or (arrays.values(weight) == 1).all()
            else _numbers(arrays, weight, kept, places),
            response_ms=None if time is None else _numbers(arrays, time, kept, places),
            extra={new: arrays.ids(name, kept) for name, new in carried_names(columns).items()},
        ),
        places,
    )
    notes = []
    if placeholders := len(stimuli) - kept.size:
        notes.append(f"left out {counted(placeholders, 'placeholders')} (trials of zeros)")
    if left := [*arrays.unused, *(name for name in arrays.others if name not in (*used, *columns))]:
        notes.append(f"left out arrays that have no value for each trial: {listed(left, 9)}")
    return replace(judgments, notes=tuple(notes))


def _outcomes(arrays: _Arrays, n_reference: int) -> tuple[str, NDArray[np.int64], int]:
    """Return the name of the array of outcomes, their indices, (T,), and the number of selections.

    Raises:
        JudgmentsError: the outcomes, or the number of selections, are not clear.
    """
    sizes = _SIZES.fullmatch(arrays.name)
    stated = None if sizes is None else int(sizes[2])
    if sizes is not None and (int(sizes[1]) != n_reference or not 1 <= int(sizes[2]) <= n_reference):
        raise JudgmentsError(f"{arrays.source}: {arrays.name} shows {n_reference} references, unlike its name")
    # The last one of all references is no choice.
    counts = {math.perm(n_reference, selections): selections for selections in range(1, n_reference)}
    dense = {name: counts[values.shape[1]] for name, values in arrays.others.items() if _is_one_hot(values, counts)}
    sparse = [name for name, values in arrays.others.items() if _is_index(name, values)]
    if len(dense) + len(sparse) != 1:
        found = listed([*dense, *sparse]) or "none"
        raise JudgmentsError(
            f"{arrays.source}: one array of outcomes is needed, one-hot or as an index whose name ends with "
            f"{_OUTCOME}; it has {found}; save them with {_HOW}"
        )
    if dense:
        ((name, selections),) = dense.items()
        if stated is not None and min(stated, n_reference - 1) != selections:
            raise JudgmentsError(
                f"{arrays.source}: {name} has outcomes of {selections} selections, unlike {arrays.name}"
            )
        values = arrays.others[name]
        return name, np.where(values.any(axis=1), values.argmax(axis=1), -1), selections
    if stated is None:
        raise JudgmentsError(
            f"{arrays.source}: the number of selections is unclear: name the stimuli as psiz does, for example "
            f"given{n_reference}rank1_{_STIMULI}"
        )
    (name,) = sparse
    return name, arrays.values(name).astype(np.int64), min(stated, n_reference - 1)


def _is_one_hot(values: NDArray[Any], counts: Mapping[int, int]) -> bool:
    if values.ndim != 2 or values.shape[1] not in counts or values.dtype.kind not in "biuf":
        return False
    return bool(((values == 0) | (values == 1)).all() and (np.count_nonzero(values, axis=1) <= 1).all())


def _is_index(name: str, values: NDArray[Any]) -> bool:
    return name.endswith(_OUTCOME) and _is_column(values) and values.dtype.kind in "iu"


def _selected(index: NDArray[np.int64], n_reference: int, n_select: int, places: Places) -> NDArray[np.int16]:
    """Return the selected positions, (T, K), of outcomes: permutations of K positions in lexicographic order."""
    total = math.perm(n_reference, n_select)
    places.refuse((index < 0) | (index >= total), f"has an outcome that is not between 0 and {total - 1:,}")
    selected = np.empty((index.size, n_select), np.int16)
    for rank in range(n_select):
        smaller = math.perm(n_reference - rank - 1, n_select - rank - 1)
        # The position among the references that are left, and then among all.
        place, index = index // smaller, index % smaller
        for taken in np.sort(selected[:, :rank], axis=1).T:
            place = place + (place >= taken)
        selected[:, rank] = place
    return selected


def _numbers(arrays: _Arrays, name: str, kept: NDArray[np.intp], places: Places) -> NDArray[np.float64]:
    """Return numbers of the trials that are kept, (T,); NaN for a negative number, which stands for an unknown one."""
    values = arrays.values(name)[kept]
    if values.dtype.kind not in "biuf":
        raise JudgmentsError(f"{arrays.source}: {name} should be numbers; it is {values.dtype}")
    numbers = values.astype(np.float64)
    places.refuse(np.isinf(numbers), f"has no finite {name}")
    return np.where(numbers < 0, np.nan, numbers)
