"""Strata by a column of the trials: a condition, a split, a participant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simtool.analysis.labels import LABELS
from simtool.analysis.report import ReportError
from simtool.analysis.strata import Stratum
from simtool.errors import listed, wrong_usage
from simtool.tables.carried import Carried
from simtool.tables.labels import Labels
from simtool.tables.parquet import ARROW_FAILURES
from simtool.tables.trials import Trials

__all__ = ["MOST", "column_labels", "column_strata"]

#: The greatest number of values of a column that divides trials.
MOST = 30


@wrong_usage()
def column_strata(trials: Trials, name: str, most: int = MOST) -> list[Stratum]:
    """Divide trials by the values of a column: a stratum ``NAME=VALUE`` for each value, in ascending order.

    Trials without a value are a stratum ``NAME=null``, or ``NAME=(null)`` if ``null`` is a value.

    Args:
        trials: the trials.
        name: a column of the table of trials.
        most: the greatest number of values.

    Raises:
        ReportError: there is no such column, or it has one value only, or too many; or its name is that of the
            strata by labels.
    """
    if name == LABELS:
        raise ReportError(f"--by {name}: a report calls the labels of images so; give the column another name")
    labels, columns = column_labels(trials, name, "--by"), _columns(trials)
    if len(labels.names) > most:
        fewer = [other for other in columns if other != name and 1 < len(_sorted(columns[other]).names) <= most]
        instead = f"; columns with fewer values: {listed(fewer, 20)}" if fewer else ""
        raise ReportError(f"--by {name}: the column has {len(labels.names):,} values, more than {most}{instead}")
    parts = [(f"{name}={value}", labels.code == code) for code, value in enumerate(labels.names.to_pylist())]
    lacking = "(null)" if "null" in labels.names.to_pylist() else "null"
    found = [Stratum(part, mask) for part, mask in [*parts, (f"{name}={lacking}", labels.code < 0)] if mask.any()]
    if len(found) == 1:
        raise ReportError(f"--by {name}: all trials have the same value ({found[0].name}); choose another column")
    return found


@wrong_usage()
def column_labels(trials: Trials, name: str, option: str) -> Labels:
    """The values of a column of trials as text, (T,); their names ascend.

    Args:
        trials: the trials.
        name: a column of the table of trials.
        option: the option that names the column, for the message.

    Raises:
        ReportError: there is no such column.
    """
    columns = _columns(trials)
    if name not in columns:
        raise ReportError(f"{option} {name}: the trials have no such column; they have {listed(columns, 20)}")
    return _sorted(columns[name])


def _columns(trials: Trials) -> dict[str, pa.Array]:
    """The columns of trials that hold one value for each trial."""
    images = pa.array(trials.images, pa.string())
    own: Carried = {
        "trial_type": Labels(
            pa.array(map(str, trials.types), pa.string()), trials.type_index.astype(np.int32)
        ).to_arrow(),
        "query": Labels(images, trials.query).to_arrow(),
        "participant": trials.participant.to_arrow(),
        "session": trials.session.to_arrow(),
        "weight": pa.array(trials.weight, mask=np.isnan(trials.weight)),
        "response_ms": pa.array(trials.response_ms, mask=np.isnan(trials.response_ms)),
    }
    return dict(_filled({**own, **trials.extra}))


def _filled(columns: Carried) -> Iterator[tuple[str, pa.Array]]:
    """The columns that hold single values, and not only nulls."""
    for name, column in columns.items():
        if not pa.types.is_nested(column.type) and column.null_count < len(column):
            yield name, column


def _sorted(column: pa.Array) -> Labels:
    """The values of a column as labels, whose names ascend: numbers by their size, other values by their text."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    labels = Labels(column.dictionary, pc.fill_null(column.indices, -1).to_numpy().astype(np.int32)).used()
    order = pc.array_sort_indices(labels.names).to_numpy()
    place = np.append(np.argsort(order), -1).astype(np.int32)
    return Labels(_text(labels.names.take(pa.array(order))), place[labels.code])


def _text(values: pa.Array) -> pa.Array:
    try:
        return values.cast(pa.string())
    except ARROW_FAILURES:
        return pa.array(map(str, values.to_pylist()), pa.string())
