"""Reader of the arrays of cblearn (0.4): queries with responses, sparse tensors, and converted odd-one-out judgments.

A query is a pivot and two images. Its response is True or positive if the second image is nearer to the pivot, False
or negative if the third one is; the number of a response counts equal answers, and 0 is an undecided answer. A
response of only 0 and 1 is boolean, as in cblearn. The arrays are

- ``query`` and ``response`` in one ``.npz``, or in two ``.npy`` files whose names differ in these words;
- a sparse tensor of responses in ``.npz`` (``coords``, ``data``, ``shape``; sparse.COO);
- the result of ``triplets_from_oddoneout`` in ``.npy``: all trials as (a, b, odd), then again as (b, a, odd). It is
  read as the odd-one-out judgments that it came from.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.judgments.arrays import open_archive, open_array, whole_numbers
from simtool.judgments.assembly import MOST_TRIALS, Judgments, JudgmentsError, Places, assemble
from simtool.judgments.formats import Reading
from simtool.judgments.records import near_far, odd_one_out
from simtool.judgments.shown import from_numbers
from simtool.judgments.triplets import are_triplets, sibling
from simtool.kinds import Kind, What, kind_of

__all__ = ["read", "recognises"]

_QUERIES = "queries of shape (trials, 3)"
_PAIR = frozenset(("query", "response"))
#: A number of answers that is refused; larger numbers are cut to it, because their sum overflows.
_TOO_MANY = MOST_TRIALS + 1
_TENSOR = frozenset(("coords", "data", "shape"))


def recognises(source: Path, kind: Kind) -> bool:
    """Accept these arrays by their names, or by their values: see :class:`simtool.judgments.formats.Reader`."""
    if kind.what is What.NPZ:
        return bool(set(kind.keys) >= _PAIR or set(kind.keys) >= _TENSOR)
    if kind.what is not What.NPY:
        return False
    if (queries := sibling(source, "response", "query")) is not None:
        raise JudgmentsError(f"{source}: these are the responses; give the file of the queries, {queries}")
    if not are_triplets(source, kind):
        return False
    return sibling(source, "query", "response") is not None or _are_doubled(_queries(source))


def read(source: Path, catalog: Path | None) -> Reading:  # noqa: ARG001 - numbers are positions
    """Read the arrays: see :class:`simtool.judgments.formats.Reader`."""
    places = Places(str(source), lambda row: f"{source}: row {row}")
    if kind_of(source).what is What.NPZ:
        return Reading(_archived(source, places), [source])
    queries = whole_numbers(_queries(source), places)
    responses = sibling(source, "query", "response")
    if responses is not None:
        with open_array(responses) as array:
            values = array.require("biuf", (len(queries),), f"{len(queries):,} responses, one for a query").values()
        return Reading(_judgments(queries, values, places), [source, responses])
    if _are_doubled(queries):
        shown = from_numbers(queries[: len(queries) // 2], 0, places)
        judgments = assemble(odd_one_out(shown, 2), places)
        return Reading(replace(judgments, notes=("each judgment is in the file twice, and was read once",)), [source])
    raise JudgmentsError(
        f"{source}: no responses: save query and response in one .npz, or add --format triplets-near-far if the second "
        "image is the nearer one in every row"
    )


def _queries(source: Path) -> NDArray[Any]:
    with open_array(source) as array:
        return array.require("iuf", (None, 3), _QUERIES).values()


def _are_doubled(queries: NDArray[Any]) -> bool:
    """Return whether the second half repeats the first one with the first two columns exchanged."""
    half = len(queries) // 2
    return len(queries) % 2 == 0 and np.array_equal(queries[half:], queries[:half, [1, 0, 2]])


def _archived(source: Path, places: Places) -> Judgments:
    with open_archive(source) as archive:
        names = set(kind_of(source).keys)
        if names >= _PAIR:
            queries = archive.array("query").require("iuf", (None, 3), _QUERIES).values()
            wanted = f"{len(queries):,} responses, one for a query"
            responses = archive.array("response").require("biuf", (len(queries),), wanted).values()
        elif names >= _TENSOR:
            queries = archive.array("coords").require("iu", (3, None), "coordinates of shape (3, trials)").values().T
            wanted = f"{len(queries):,} values, one for each coordinate"
            responses = archive.array("data").require("biuf", (len(queries),), wanted).values()
            sides = archive.array("shape").require("iu", (3,), "the shape of a tensor of three axes").values()
            places.refuse(
                np.asarray((queries >= sides).any(axis=1)), "has coordinates outside of the shape of the tensor"
            )
            # A tensor has no boolean responses: its 0 is undecided.
            return _counted(whole_numbers(queries, places), responses, places)
        else:
            raise JudgmentsError(f"{source}: it needs query and response, or coords, data and shape")
    return _judgments(whole_numbers(queries, places), responses, places)


def _judgments(queries: NDArray[np.int64], responses: NDArray[Any], places: Places) -> Judgments:
    if ((responses == 0) | (responses == 1)).all():
        return assemble(near_far(from_numbers(queries, 0, places), np.where(responses == 1, 0, 1)), places)
    return _counted(queries, responses, places)


def _counted(queries: NDArray[np.int64], responses: NDArray[Any], places: Places) -> Judgments:
    """Return judgments from the numbers of equal answers."""
    answers = whole_numbers(responses[:, None], places)[:, 0]
    near = np.select([answers > 0, answers < 0], [0, 1], -1)
    record = near_far(from_numbers(queries, 0, places), near)
    count = np.abs(np.clip(answers, -_TOO_MANY, _TOO_MANY))
    return assemble(replace(record, count=np.maximum(count, 1)), places)
