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

__all__ = ["classes_of", "groups_of", "with_classes"]

#: The columns of the query and of the references.
_CLASS, _GROUP = ("query_class", "reference_classes"), ("query_group", "reference_groups")


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
            **_columns(trials, rows, classes, *_CLASS),
            **_columns(trials, rows, images.group_name, *_GROUP),
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
        TableError: the columns hold no text for each query and each reference, or two classes of an image.
    """
    return _of_images(trials, *_CLASS)


def groups_of(trials: Trials) -> Labels | None:
    """The group of each image, as :func:`classes_of` gives its class."""
    return _of_images(trials, *_GROUP)


def _of_images(trials: Trials, query: str, references: str) -> Labels | None:
    """The label of each image, from a column with that of the query and a column with those of the references."""
    if query not in trials.extra or references not in trials.extra:
        return None
    try:
        asked = _encoded(trials.extra[query])
        shown = trials.extra[references]
        if not pa.types.is_list(shown.type):
            shown = converted(shown, pa.list_(pa.string()))
        listed = _encoded(shown.flatten())
    except pa.ArrowException as failure:
        raise TableError(f"columns {query} and {references} should hold text: {failure}") from failure
    sizes, stated = lengths(trials.references), shown.is_valid().to_numpy(zero_copy_only=False)
    if not np.array_equal(pc.fill_null(pc.list_value_length(shown), 0).to_numpy(), np.where(stated, sizes, 0)):
        raise TableError(f"column {references} has another number of labels than of references in some trials")
    found = Labels.concatenated([asked, listed])
    image = np.concatenate([trials.query, trials.references[(trials.references >= 0) & stated[:, np.newaxis]]])
    known = (image >= 0) & (found.code >= 0)
    image, found = image[known], found[known]
    code = np.full(trials.images.size, -1, np.int32)
    code[image] = found.code
    if (other := np.flatnonzero(code[image] != found.code)).size:
        at = other[0]
        names = " and ".join(sorted(str(found.names[int(each)]) for each in (found.code[at], code[image[at]])))
        raise TableError(
            f"columns {query} and {references} give the image {trials.images[image[at]]} two labels: {names}; "
            "score all trials with the same table of images (--images)"
        )
    return Labels(found.names, code)


def _encoded(column: pa.Array) -> Labels:
    """A column of text in any spelling. The codes of a dictionary are kept, because to decode them takes time."""
    codes = pa.dictionary(pa.int32(), pa.string())
    is_plain = pa.types.is_string(column.type) or column.type == codes
    return Labels.from_arrow((column if is_plain else converted(column, pa.string())).cast(codes))
