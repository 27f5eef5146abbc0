"""Judgments on their way from a source into a table of trials: checked, catch trials dropped and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from simtool.errors import SimtoolError
from simtool.ids import Matches, match_ids
from simtool.tables.trials import Trials, TrialType

__all__ = ["Judgments", "JudgmentsError", "Places", "Record", "assemble", "in_images", "summary"]

#: Positions among the references are int8 in a table of trials.
MOST_REFERENCES = 128

_T = TypeVar("_T", bound=np.generic)


class JudgmentsError(SimtoolError):
    """A source of judgments is not what its format promises; the message names the file and the row."""


@dataclass(frozen=True)
class Places:
    """How to tell a person where a trial stands.

    Attributes:
        source: the file, folder or zip.
        of_row: the place of row 0 to T - 1: ``obs.hdf5: row 17``, ``triplets.csv: line 19``.
    """

    source: str
    of_row: Callable[[int], str]

    def refuse(self, fault: NDArray[np.bool_], complaint: str) -> None:
        """Refuse the source where a fault is true anywhere.

        Args:
            fault: (T,) true for the rows at fault.
            complaint: what such a row does wrong.

        Raises:
            JudgmentsError: naming the first row, the complaint, and how many there are.
        """
        rows = np.flatnonzero(fault)
        if rows.size:
            others = f" (and {rows.size - 1:,} more)" if rows.size > 1 else ""
            raise JudgmentsError(f"{self.of_row(int(rows[0]))}{others} {complaint}")


@dataclass(frozen=True)
class Record:
    """Judgments as a source states them, one per row, not yet checked for sense.

    Attributes:
        images: (n,) the image ids that the numbers below point into.
        query: (T,) into images.
        references: (T, N) into images, in the order of the source; -1 pads at the end of a row.
        selected: (T, K) positions in the row's references, first choice first; -1 pads at the end.
        ranked: (T,) whether the order of the selections counts.
        trial_id: (T,) the row of the source, from 0.
        participant: (T,) text or None; None where the source does not say.
        session: the same.
        weight: (T,) NaN where null; None where the source does not say.
        response_ms: the same, in milliseconds.
    """

    images: NDArray[np.object_]
    query: NDArray[np.integer[Any]]
    references: NDArray[np.integer[Any]]
    selected: NDArray[np.integer[Any]]
    ranked: NDArray[np.bool_]
    trial_id: NDArray[np.int64]
    participant: NDArray[np.object_] | None = None
    session: NDArray[np.object_] | None = None
    weight: NDArray[np.floating[Any]] | None = None
    response_ms: NDArray[np.floating[Any]] | None = None


@dataclass(frozen=True)
class Judgments:
    """What a source held.

    Attributes:
        trials: the judgments, over the images that they mention.
        catch: the number of catch trials, which show the query among its own references; they are dropped.
        passed_over: the number of other entries that are no judgments, by kind.
    """

    trials: Trials
    catch: int = 0
    passed_over: Mapping[str, int] = field(default_factory=dict)


def assemble(record: Record, places: Places) -> Judgments:
    """Drop catch trials, check the others, name their types, keep the images that they mention.

    Args:
        record: T judgments.
        places: names rows for the person who has to correct them.

    Raises:
        JudgmentsError: naming the first row at fault, how many there are, and what is wrong with it.
    """
    catch = (record.references == record.query[:, None]).any(axis=1)
    kept = np.flatnonzero(~catch)
    if not kept.size:
        what = f"all {catch.size:,} trials are catch trials" if catch.size else "there are no trials in it"
        raise JudgmentsError(f"{places.source}: {what}, so there is nothing to import")
    query, references, selected = record.query[kept], record.references[kept], record.selected[kept]
    n_reference, n_select = (references >= 0).sum(axis=1), (selected >= 0).sum(axis=1)
    kept_places = Places(places.source, lambda row: places.of_row(int(kept[row])))
    for fault, complaint in (
        (n_reference < 2, "has fewer than two references"),
        (n_reference > MOST_REFERENCES, f"has more than {MOST_REFERENCES} references"),
        (_repeats(references), "shows a reference twice"),
        (n_select < 1, "selects nothing"),
        (_repeats(selected), "selects a reference twice"),
        (n_select >= n_reference, "selects every reference, which compares nothing"),
    ):
        kept_places.refuse(fault, complaint)
    weight = _rows(record.weight, kept)
    if weight is not None:
        kept_places.refuse((weight < 0) | np.isinf(weight), "has a negative or infinite weight")
    # With one selection, ranked and unranked are the same judgment.
    ranked = record.ranked[kept] & (n_select > 1)
    used = np.unique(np.concatenate([query, references[references >= 0]]))
    renumbered = np.full(record.images.size + 1, -1, np.int32)  # the last entry answers the padding, -1
    renumbered[used] = np.arange(used.size)
    trials = Trials.build(
        images=record.images[used],
        trial_type=_types(n_reference, n_select, ranked),
        query=renumbered[query],
        references=renumbered[references[:, : n_reference.max()]],
        selected=selected[:, : n_select.max()],
        trial_id=record.trial_id[kept],
        participant=_rows(record.participant, kept),
        session=_rows(record.session, kept),
        weight=weight,
        response_ms=_rows(record.response_ms, kept),
    )
    return Judgments(trials, catch=int(catch.sum()))


def _types(n_reference: NDArray[np.intp], n_select: NDArray[np.intp], ranked: NDArray[np.bool_]) -> NDArray[np.object_]:
    """The trials' types as text; there are few, so each is spelled once."""
    codes, index = np.unique((n_reference * 256 + n_select) * 2 + ranked, return_inverse=True)
    names = [str(TrialType(int(code) // 512, int(code) // 2 % 256, bool(code % 2))) for code in codes]
    return np.array(names, object)[index]


def _repeats(values: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """The rows in which a value other than the padding occurs twice."""
    ordered = np.sort(values, axis=1)
    repeated: NDArray[np.bool_] = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    return repeated


def _rows(values: NDArray[_T] | None, rows: NDArray[np.intp]) -> NDArray[_T] | None:
    return None if values is None else values[rows]


def in_images(judgments: Judgments, image_id: NDArray[np.object_], table: str) -> tuple[Judgments, Matches]:
    """The same judgments, their images named as a table of images names them, and how they were matched.

    Args:
        judgments: judgments whose images go by a catalog's paths, or by ids.
        image_id: the ids of the table.
        table: how to call the table in a complaint.

    Raises:
        JudgmentsError: images are missing from the table, or it does not tell them apart.
    """
    matches = match_ids(judgments.trials.images, image_id)
    if matches.complaint:
        raise JudgmentsError(f"{table}: {matches.complaint}")
    return replace(judgments, trials=replace(judgments.trials, images=image_id[matches.rows])), matches


def summary(trials: Trials) -> str:
    """Count trials, types and images: ``16,292 trials (8,772 8-rank-2, 7,520 2-choose-1) of 208 images``."""
    counts = Counter(trials.type_index.tolist())
    types = ", ".join(f"{count:,} {trials.types[index]}" for index, count in counts.most_common())
    return f"{len(trials):,} trials ({types}) of {trials.images.size:,} images"
