"""The classes and groups of the images that trials show, as columns of the trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simtool.ids import match_ids
from simtool.tables.columns import converted, lengths, lists_of
from simtool.tables.files import TableError
from simtool.tables.images import Images
from simtool.tables.labels import Labels
from simtool.tables.trials import Trials

__all__ = ["classes_of", "with_classes"]

_QUERY, _REFERENCES = "query_class", "reference_classes"


def with_classes(trials: Trials, images: Images, table: object = "the table of images") -> Trials:
    """Add the columns ``query_class``, ``reference_classes``, ``query_group`` and ``reference_groups`` to trials.

    A column of the same name that the trials have already is replaced. Class ids stand in for class names that are
    null.

    Args:
        trials: T trials.
        images: a row for every image that a trial shows.
        table: the name of the table in complaints, for example its path.

    Raises:
        TableError: the table lacks images; the message says how many and names the first.
    """
    shown = np.unique(np.concatenate([trials.query, trials.references.ravel()]))
    used = shown[shown >= 0]
    matches = match_ids(trials.images[used], images.image_id).checked(table, TableError)
    rows = np.full(trials.images.size, -1, np.intp)
    rows[used] = matches.rows
    numbers = [None if number < 0 else str(number) for number in images.class_id]
    classes = [number if name is None else name for name, number in zip(images.class_name, numbers, strict=True)]
    return replace(
        trials,
        extra={
            **trials.extra,
            **_columns(trials, rows, classes, _QUERY, _REFERENCES),
            **_columns(trials, rows, images.group_name, "query_group", "reference_groups"),
        },
    )


def _columns(
    trials: Trials,
    rows: NDArray[np.intp],
    names: Sequence[str | None] | NDArray[np.object_],
    query: str,
    references: str,
) -> dict[str, pa.Array]:
    """The names of queries and of references, in two columns."""
    known, shown = Labels.of(names), trials.references >= 0
    asked = np.where(trials.query < 0, -1, known.code[rows[trials.query]])
    return {
        query: Labels(known.names, asked).to_arrow(),
        references: lists_of(trials.references, known[rows[trials.references[shown]]].to_arrow()),
    }


def classes_of(trials: Trials) -> Labels | None:
    """The class of each image of ``trials.images``, (n,), from the columns of :func:`with_classes`; None without them.

    An image that no trial shows has none.

    Raises:
        TableError: the columns hold no text for each query and each reference.
    """
    if _QUERY not in trials.extra or _REFERENCES not in trials.extra:
        return None
    shown, asked = trials.references >= 0, trials.query >= 0
    try:
        queries = converted(trials.extra[_QUERY], pa.string())
        references = converted(trials.extra[_REFERENCES], pa.list_(pa.string()))
    except pa.ArrowException as failure:
        raise TableError(f"columns {_QUERY} and {_REFERENCES} should hold text: {failure}") from failure
    if not np.array_equal(pc.fill_null(pc.list_value_length(references), 0).to_numpy(), lengths(trials.references)):
        raise TableError(f"column {_REFERENCES} has another number of classes than of references in some trials")
    found = Labels.concatenated([Labels.of(queries)[asked], Labels.of(references.flatten())])
    code = np.full(trials.images.size, -1, np.int32)
    code[np.concatenate([trials.query[asked], trials.references[shown]])] = found.code
    return Labels(found.names, code)
