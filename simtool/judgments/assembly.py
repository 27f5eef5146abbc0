"""Judgments on their way from a source into a table of trials: checked, catch trials dropped and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from simtool.designs import MOST_REFERENCES, Choose, Rank
from simtool.errors import SimtoolError
from simtool.ids import Matches, match_ids
from simtool.tables.carried import Carried, rows_of
from simtool.tables.trials import Trials, is_catch, judgment_faults
from simtool.text import counted

__all__ = ["Judgments", "JudgmentsError", "Places", "Record", "assemble", "in_images", "summary"]

#: The most trials that counts may sum to.
MOST_TRIALS = 100_000_000

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
        count: (T,) how many identical judgments a row stands for, from 0; None where each is one.
        extra: further columns, which are carried along; (T,) each.
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
    count: NDArray[np.int64] | None = None
    extra: Carried = field(default_factory=dict)


@dataclass(frozen=True)
class Judgments:
    """What a source held.

    Attributes:
        trials: the judgments, over the images that they mention.
        catch: the number of catch trials, which show the query among its own references; they are dropped.
        unanswered: the number of other trials in which nothing is selected; they are dropped.
        unnamed: the columns without a name that are left out, counted from 1.
        passed_over: the number of other entries that are no judgments, by kind.
    """

    trials: Trials
    catch: int = 0
    unanswered: int = 0
    unnamed: tuple[int, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The number of trials with those that are dropped."""
        return len(self.trials) + self.catch + self.unanswered

    @property
    def anonymous(self) -> int:
        """The number of trials without a participant, where others have one."""
        nameless = sum(name is None for name in self.trials.participant)
        return nameless if nameless < len(self.trials) else 0


def assemble(record: Record, places: Places) -> Judgments:
    """Drop catch trials and those without an answer, check the others, keep the images that they mention.

    A row that stands for several judgments becomes as many trials: the first one has the row's id, the others have
    the ids behind the last row's, in the order of the rows.

    Args:
        record: T judgments.
        places: names rows for the person who has to correct them.

    Raises:
        JudgmentsError: naming the first row at fault, how many there are, and what is wrong with it.
    """
    count = np.ones(len(record.query), np.int64) if record.count is None else record.count
    catch = is_catch(record.query, record.references)
    unanswered = ~catch & (record.selected < 0).all(axis=1)
    kept = np.flatnonzero(~catch & ~unanswered & (count > 0))
    dropped = {"catch trials": int(count[catch].sum()), "unanswered trials": int(count[unanswered].sum())}
    if not kept.size:
        what = " and ".join(counted(number, name) for name, number in dropped.items() if number)
        found = f"{what} and no other" if what else "every count is 0"
        raise JudgmentsError(f"{places.source}: {found}, so there is nothing to import")
    if count[kept].sum() > MOST_TRIALS:
        raise JudgmentsError(
            f"{places.source}: its counts sum to {count[kept].sum():,}; at most {MOST_TRIALS:,} are read"
        )
    query, references, selected = record.query[kept], record.references[kept], record.selected[kept]
    n_reference, n_select = (references >= 0).sum(axis=1), (selected >= 0).sum(axis=1)
    weight, response_ms = _singles(record.weight, kept), _singles(record.response_ms, kept)
    kept_places = Places(places.source, lambda row: places.of_row(int(kept[row])))
    for fault, complaint in (
        (n_reference < 2, "has fewer than two references"),
        (n_reference > MOST_REFERENCES, f"has more than {MOST_REFERENCES} references"),
        *judgment_faults(references, selected, weight),
        (n_select >= n_reference, "selects every reference, which compares nothing"),
    ):
        kept_places.refuse(fault, complaint)
    if response_ms is not None:
        kept_places.refuse(np.isinf(response_ms), "has a response_ms beyond 3.4e38")
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
        response_ms=response_ms,
        extra=rows_of(record.extra, kept),
    )
    expanded = _repeated(trials, count[kept], int(record.trial_id.max()) + 1)
    return Judgments(expanded, catch=dropped["catch trials"], unanswered=dropped["unanswered trials"])


def _repeated(trials: Trials, count: NDArray[np.int64], next_id: int) -> Trials:
    """Each trial as often as its count says; those after the first get ids from ``next_id``."""
    if (count == 1).all():
        return trials
    rows = np.repeat(np.arange(count.size), count)
    again = np.zeros(rows.size, bool)
    again[1:] = rows[1:] == rows[:-1]
    trial_id = trials.trial_id[rows]
    trial_id[again] = next_id + np.arange(int(again.sum()))
    return replace(trials.take(rows), trial_id=trial_id)


def _types(n_reference: NDArray[np.intp], n_select: NDArray[np.intp], ranked: NDArray[np.bool_]) -> NDArray[np.object_]:
    """The trials' types as text; there are few, so each is spelled once."""
    codes, index = np.unique((n_reference * 256 + n_select) * 2 + ranked, return_inverse=True)
    names = [str((Rank if code % 2 else Choose)(int(code) // 512, int(code) // 2 % 256)) for code in codes]
    return np.array(names, object)[index]


def _rows(values: NDArray[_T] | None, rows: NDArray[np.intp]) -> NDArray[_T] | None:
    return None if values is None else values[rows]


def _singles(values: NDArray[np.floating[Any]] | None, rows: NDArray[np.intp]) -> NDArray[np.float32] | None:
    """In the precision of a table; what is too large for it becomes infinite."""
    with np.errstate(over="ignore"):
        return None if values is None else values[rows].astype(np.float32)


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
    return f"{counted(len(trials), 'trials')} ({types}) of {counted(trials.images.size, 'images')}"
