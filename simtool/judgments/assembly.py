"""Assembly of judgments of any format into a table of trials: checks, and removal of catch trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simtool.designs import MOST_REFERENCES, Choose, Odd, Rank
from simtool.errors import SimtoolError
from simtool.ids import Matches, match_ids
from simtool.tables.carried import Carried, rows_of
from simtool.tables.labels import Labels
from simtool.tables.trials import Trials, is_catch, judgment_faults
from simtool.text import counted

__all__ = ["Judgments", "JudgmentsError", "Places", "Record", "assemble", "in_images", "summary"]

#: The maximum sum of counts.
MOST_TRIALS = 100_000_000

#: The designs of judgments; the first is an unordered choice, the second a ranking.
_DESIGNS = (Choose, Rank, Odd)

_T = TypeVar("_T", bound=np.generic)


class JudgmentsError(SimtoolError):
    """A source of judgments breaks its format; the message names the file and the row."""


@dataclass(frozen=True)
class Places:
    """Names of the rows of a source for messages.

    Attributes:
        source: the file, folder or zip.
        of_row: names row 0 to T - 1: ``obs.hdf5: row 17``, ``triplets.csv: line 19``.
    """

    source: str
    of_row: Callable[[int], str]

    def refuse(self, fault: NDArray[np.bool_], complaint: str) -> None:
        """Refuse the source if a row is at fault; the complaint follows the name of the row.

        Raises:
            JudgmentsError: a row is at fault; the message names the first row and the number of rows.
        """
        rows = np.flatnonzero(fault)
        if rows.size:
            others = f" (and {rows.size - 1:,} more)" if rows.size > 1 else ""
            raise JudgmentsError(f"{self.of_row(int(rows[0]))}{others} {complaint}")


@dataclass(frozen=True)
class Record:
    """Judgments of a source before the checks, one in each row. Matrices in Fortran order are fastest.

    Attributes:
        images: (n,) the ids of all images.
        query: (T,) positions in ``images``; None for odd-one-out judgments, which have no query.
        references: (T, N) positions in ``images``, in the order of the source; -1 pads the end of a row.
        selected: (T, K) positions in the references of the row, first choice first; -1 pads the end. For odd-one-out
            judgments (T, 1), the position of the odd one.
        ranked: (T,) whether the order of the selections counts.
        trial_id: (T,) the row of the source, from 0.
        participant: (T,) names or nulls; None if the source has no participants.
        session: (T,) names or nulls; None if the source has no sessions.
        weight: (T,) NaN for null; None if the source has no weights.
        response_ms: (T,) milliseconds, NaN for null; None if the source has no response times.
        count: (T,) the number of identical judgments of a row, from 0; None if each row is one judgment.
        catch: (T,) the catch trials that the source marks; None if it marks none.
        extra: other columns to keep; (T,) each.
    """

    images: NDArray[np.object_]
    query: NDArray[np.integer[Any]] | None
    references: NDArray[np.integer[Any]]
    selected: NDArray[np.integer[Any]]
    ranked: NDArray[np.bool_]
    trial_id: NDArray[np.int64]
    participant: Labels | None = None
    session: Labels | None = None
    weight: NDArray[np.floating[Any]] | None = None
    response_ms: NDArray[np.floating[Any]] | None = None
    count: NDArray[np.int64] | None = None
    catch: NDArray[np.bool_] | None = None
    extra: Carried = field(default_factory=dict)

    def take(self, rows: NDArray[np.intp]) -> Record:
        """Return some rows; a row may occur several times."""
        arrays = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("images", "extra")}
        taken: dict[str, Any] = {name: None if values is None else values[rows] for name, values in arrays.items()}
        return replace(self, **taken, extra=rows_of(self.extra, rows))


@dataclass(frozen=True)
class Judgments:
    """The judgments of a source.

    Attributes:
        trials: the judgments, over the images that they mention.
        catch: the number of dropped catch trials: the source marks them, or the query is among its references.
        unanswered: the number of other dropped trials, in which nothing is selected.
        unnamed: the dropped columns without a name, counted from 1.
        passed_over: the number of skipped entries of other kinds, by kind.
        notes: other sentences about how the source was read.
    """

    trials: Trials
    catch: int = 0
    unanswered: int = 0
    unnamed: tuple[int, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """The number of trials, including dropped trials."""
        return len(self.trials) + self.catch + self.unanswered

    @property
    def anonymous(self) -> int:
        """The number of trials without a participant; 0 if no trial has a participant."""
        nameless = int((self.trials.participant.code < 0).sum())
        return nameless if nameless < len(self.trials) else 0


def assemble(record: Record, places: Places) -> Judgments:
    """Drop catch trials and unanswered trials, check the other trials, and keep the images that they mention.

    A row with a count becomes as many trials. The first trial has the id of the row; the other trials have ids after
    the last row, in the order of the rows.

    Raises:
        JudgmentsError: a row is at fault; the message names the first row, the fault, and the number of rows.
    """
    total = len(record.trial_id)
    count = np.ones(total, np.int64) if record.count is None else record.count
    asked = np.full(total, -1, np.int32) if record.query is None else record.query
    catch = is_catch(asked, record.references)
    if record.catch is not None:
        catch |= record.catch
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
    query, references, selected = asked[kept], _rows(record.references, kept), _rows(record.selected, kept)
    n_reference, n_select = (references >= 0).sum(axis=1), (selected >= 0).sum(axis=1)
    weight, response_ms = _singles(record.weight, kept), _singles(record.response_ms, kept)
    kept_places = Places(places.source, lambda row: places.of_row(int(kept[row])))
    is_odd = record.query is None
    for fault, complaint in (
        (n_reference < (3 if is_odd else 2), f"has fewer than {'three images' if is_odd else 'two references'}"),
        (n_reference > MOST_REFERENCES, f"has more than {MOST_REFERENCES} references"),
        *judgment_faults(references, selected, weight),
        (n_select >= n_reference, "selects every reference, which compares nothing"),
    ):
        kept_places.refuse(fault, complaint)
    if response_ms is not None:
        kept_places.refuse(np.isinf(response_ms), "has a response_ms beyond 3.4e38")
    # With one selection, ranked and unranked are the same judgment.
    ranked = record.ranked[kept] & (n_select > 1)
    design = np.full(kept.size, _DESIGNS.index(Odd)) if is_odd else ranked.astype(np.intp)
    shown = np.zeros(record.images.size + 1, bool)  # the last entry is for the padding, -1
    shown[query] = shown[references] = True
    used = np.flatnonzero(shown[:-1])
    renumbered = np.full(shown.size, -1, np.int32)
    renumbered[used] = np.arange(used.size)
    trials = Trials.build(
        images=record.images[used],
        trial_type=_types(n_reference, n_select, design),
        query=renumbered[query],
        references=renumbered[references[:, : n_reference.max()]],
        selected=selected[:, : n_select.max()],
        trial_id=record.trial_id[kept],
        participant=None if record.participant is None else record.participant[kept],
        session=None if record.session is None else record.session[kept],
        weight=weight,
        response_ms=response_ms,
        extra=rows_of(record.extra, kept),
    )
    expanded = _repeated(trials, count[kept], int(record.trial_id.max()) + 1)
    return Judgments(expanded, catch=dropped["catch trials"], unanswered=dropped["unanswered trials"])


def _repeated(trials: Trials, count: NDArray[np.int64], next_id: int) -> Trials:
    """Repeat each trial by its count; the copies get ids from ``next_id``."""
    if (count == 1).all():
        return trials
    rows = np.repeat(np.arange(count.size), count)
    again = np.zeros(rows.size, bool)
    again[1:] = rows[1:] == rows[:-1]
    trial_id = trials.trial_id[rows]
    trial_id[again] = next_id + np.arange(int(again.sum()))
    return replace(trials.take(rows), trial_id=trial_id)


def _types(n_reference: NDArray[np.intp], n_select: NDArray[np.intp], design: NDArray[np.intp]) -> Labels:
    """Return the types of the trials as text, from their sizes and positions in the list of designs."""
    encoded = pa.array((n_reference * 256 + n_select) * len(_DESIGNS) + design).dictionary_encode()
    sizes = ((*divmod(code // len(_DESIGNS), 256), code % len(_DESIGNS)) for code in encoded.dictionary.to_pylist())
    types = [str(_DESIGNS[design](references, selections)) for references, selections, design in sizes]
    return Labels(pa.array(types, pa.string()), encoded.indices.to_numpy())


def _rows(matrix: NDArray[_T], rows: NDArray[np.intp]) -> NDArray[_T]:
    """Return rows of a matrix in Fortran order."""
    return np.stack([column[rows] for column in matrix.T]).T


def _singles(values: NDArray[np.floating[Any]] | None, rows: NDArray[np.intp]) -> NDArray[np.float32] | None:
    """Convert to the precision of a table; numbers that are too large become infinite."""
    with np.errstate(over="ignore"):
        return None if values is None else values[rows].astype(np.float32)


def in_images(judgments: Judgments, image_id: NDArray[np.object_], table: str) -> tuple[Judgments, Matches]:
    """Rename the images of judgments to the ids of a table of images; return the judgments and the matches.

    Raises:
        JudgmentsError: images are missing in the table, or match several of its images.
    """
    matches = match_ids(judgments.trials.images, image_id).checked(table, JudgmentsError)
    return replace(judgments, trials=replace(judgments.trials, images=image_id[matches.rows])), matches


def summary(trials: Trials) -> str:
    """Count trials, types and images: ``16,292 trials (8,772 8-rank-2, 7,520 2-choose-1) of 208 images``."""
    counts = np.bincount(trials.type_index, minlength=len(trials.types)).tolist()
    most_first = sorted((pair for pair in zip(counts, trials.types, strict=True) if pair[0]), key=lambda pair: -pair[0])
    types = ", ".join(f"{count:,} {kind}" for count, kind in most_first)
    return f"{counted(len(trials), 'trials')} ({types}) of {counted(trials.images.size, 'images')}"
