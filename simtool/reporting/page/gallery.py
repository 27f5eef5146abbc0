"""The judgments of a page: the images that people saw, what they selected, and which models predict it.

The page holds them as JSON with packed arrays, so that all 16,292 judgments of birds-16 with 16 models take 1 MB.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.labels import label_strata, told
from simtool.analysis.report import Report
from simtool.analysis.strata import ALL
from simtool.designs import TrialType
from simtool.judgments.classes import classes_of, groups_of
from simtool.judgments.comparisons import Comparisons
from simtool.reporting import formatting
from simtool.tables.outcomes import Outcomes
from simtool.tables.parquet import TableError
from simtool.tables.trials import Trials
from simtool.text import counted

__all__ = ["Gallery", "gallery"]

#: The most bytes of judgments and credit, before they are written as text.
MOST_BYTES = 1_500_000
#: The most pairs of model and distance.
MOST_MODELS = 24
#: The most images of a page that shows them: their small copies take 2 to 3 MB.
MOST_IMAGES = 2_000
#: Stands for an image that is not there.
_NONE = 0xFFFF


@dataclass(frozen=True)
class Gallery:
    """The judgments that a page shows.

    Attributes:
        content: for JSON; see ``script.js``, which unpacks it.
        shown: number of judgments.
        total: number of judgments that it was chosen from.
        has_thumbnails: whether it shows images, else their ids.
        notes: sentences about sets of judgments and models that are left out.
    """

    content: Mapping[str, Any]
    shown: int
    total: int
    has_thumbnails: bool
    notes: Sequence[str] = ()


def gallery(
    outcomes: Sequence[Outcomes],
    report: Report,
    thumbnails: Callable[[Sequence[str]], Mapping[str, bytes]] | None = None,
) -> Gallery | None:
    """Pack the judgments of a report; None if there are none, or too many images to number.

    With several sets of trials, the gallery shows the set that most models were scored on. If it would be too large, a
    random part of the judgments is shown, chosen by the seed of the report.

    Args:
        outcomes: of every model and distance.
        report: the numbers of the page. Its rows give the order of the models.
        thumbnails: makes WebP files of images with some ids; None to show ids.
    """
    exact = [one for one in outcomes if np.array_equal(2 * one.credit, np.rint(2 * one.credit))]
    sets = _sets(exact, report)
    scored = max(sets, key=len, default=[])
    models = scored[:MOST_MODELS]
    if not models:
        return None
    trials = models[0].trials
    wanted = _wanted(trials, report)
    rows = _fitting(trials, wanted, len(models), report.settings.seed)
    judged = _images_of(trials, rows).size
    if thumbnails is not None:
        rows = _with_images(trials, rows, MOST_IMAGES, report.settings.seed)
    images = _images_of(trials, rows)
    if not rows.size or images.size >= _NONE:
        return None
    number = np.full(len(trials.images) + 1, _NONE, np.uint16)  # the last one is for -1: no image
    number[images] = np.arange(images.size)
    own = [one.take(rows) for one in models]
    displays = _Displays.of(own[0].trials)
    ids = [str(trials.images[image]) for image in images]
    content: dict[str, Any] = {
        "images": [formatting.name(each) for each in ids],
        "models": [formatting.entry(one) for one in own],
        "types": [_type(kind) for kind in trials.types],
        "type": _packed(own[0].trials.type_index.astype(np.uint8)),
        "longest": displays.shown.shape[1],
        "shown": _packed(number[displays.shown]),
        "credit": [_packed(_in_two_bits(one.credit[displays.order])) for one in own],
        **_strata(own[0].trials),
    }
    if thumbnails is not None:
        files = thumbnails(ids)
        content["thumbnails"] = [b64encode(files.get(each, b"")).decode() for each in ids]
    return Gallery(
        content,
        rows.size,
        wanted.size,
        thumbnails is not None,
        [*_notes(len(sets), len(scored), len(outcomes) - len(exact)), *_left_out(images.size, judged)],
    )


def _sets(outcomes: Sequence[Outcomes], report: Report) -> list[list[Outcomes]]:
    """The outcomes on each set of trials, in the order of the report."""
    place = {(row.model, row.distance): at for at, row in reversed(list(enumerate(report.rows)))}
    known = [one for one in outcomes if (one.model, one.distance) in place]
    sets: dict[int, list[Outcomes]] = {}
    for one in sorted(known, key=lambda one: place[one.model, one.distance]):
        sets.setdefault(id(one.trials), []).append(one)
    return list(sets.values())


def _notes(sets: int, models: int, fractional: int) -> Iterator[str]:
    """Sentences about the outcomes that a gallery leaves out.

    Args:
        sets: number of sets of trials, of which it shows one.
        models: number of models and distances that were scored on this set.
        fractional: number of outcomes with other credit than 0, 1/2 and 1.
    """
    if sets > 1:
        yield f"They are one of {sets} sets of judgments, on which the most models were scored."
    if models > MOST_MODELS:
        yield f"They show the first {MOST_MODELS} of {models:,} pairs of model and distance."
    if fractional:
        yield f"They leave out {counted(fractional, 'outcomes')} with other credit than 0, 1/2 and 1."


def _wanted(trials: Trials, report: Report) -> NDArray[np.intp]:
    """The positions of the judgments of the types that the report shows."""
    shown = {row.trial_type for row in report.rows}
    kept = [at for at, kind in enumerate(trials.types) if ALL in shown or str(kind) in shown]
    return np.flatnonzero(np.isin(trials.type_index, kept))


def _fitting(trials: Trials, rows: NDArray[np.intp], models: int, seed: int) -> NDArray[np.intp]:
    """As many of some judgments as fit, at random."""
    size = 2 * (1 + trials.references.shape[1]) + trials.implied[rows] * models / 4
    most = int(rows.size * min(1.0, MOST_BYTES / max(size.sum(), 1)))
    return rows if most == rows.size else np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _images_of(trials: Trials, rows: NDArray[np.intp]) -> NDArray[np.int32]:
    """The numbers of the images in some trials."""
    images = np.unique(np.concatenate([trials.query[rows], trials.references[rows].ravel()]))
    return images[images >= 0]


def _with_images(trials: Trials, rows: NDArray[np.intp], most: int, seed: int) -> NDArray[np.intp]:
    """As many trials at random as have ``most`` images together."""
    images = _images_of(trials, rows)
    if images.size <= most:
        return rows
    order = np.random.default_rng(seed).permutation(rows)
    shown = np.column_stack([trials.query[order], trials.references[order]])
    first = np.full(len(trials.images), order.size)
    np.minimum.at(
        first, np.where(shown < 0, shown[:, 1:2], shown).ravel(), np.arange(order.size).repeat(shown.shape[1])
    )
    new = np.bincount(first[images], minlength=order.size)  # how many images each trial is the first to show
    return np.sort(order[: int(np.searchsorted(np.cumsum(new), most, side="right"))])


def _left_out(images: int, judged: int) -> Iterator[str]:
    """A sentence about images that are left out."""
    if images < judged:
        yield f"They show {images:,} of {judged:,} images, so that the page stays small."


@dataclass(frozen=True)
class _Displays:
    """The images of T judgments, and the order of their comparisons.

    Attributes:
        shown: (T, 1 + longest) the query, the selected references in order, then the other references; -1 for none.
        order: (C,) for each comparison of these displays, trial by trial, its position among the comparisons of the
            trials.
    """

    shown: NDArray[np.int32]
    order: NDArray[np.int64]

    @classmethod
    def of(cls, trials: Trials) -> _Displays:
        shown = np.full((len(trials), 1 + trials.references.shape[1]), -1, np.int32)
        order = np.empty(trials.comparisons, np.int64)
        start = np.concatenate([[0], np.cumsum(trials.implied)])
        for kind in trials.types:
            rows = trials.of_type(kind)
            if not rows.size:
                continue
            query, references = trials.query[rows], trials.references[rows, : kind.n_reference]
            selected = trials.selected[rows, : kind.n_select].astype(np.intp)
            first = np.ones(references.shape, bool)
            np.put_along_axis(first, selected, values=False, axis=1)
            others = np.argsort(~first, axis=1, kind="stable")[:, : kind.n_reference - kind.n_select]
            ordered = np.take_along_axis(references, np.hstack([selected, others]), axis=1)
            shown[rows, 0], shown[rows, 1 : 1 + kind.n_reference] = query, ordered
            before = kind.compare(query, references, selected)
            after = kind.compare(query, ordered, np.tile(np.arange(kind.n_select), (rows.size, 1)))
            matched = _matched(np.stack(before), np.stack(after))
            order[start[rows, None] + np.arange(kind.comparisons)] = start[rows, None] + matched
        return cls(shown, order)


def _matched(before: NDArray[np.int32], after: NDArray[np.int32]) -> NDArray[np.intp]:
    """For each comparison of ``after`` its position in ``before``; (3, t, C) images each, the same in every trial."""
    found = [np.lexsort(each, axis=-1) for each in (before, after)]
    places = np.empty_like(found[0])
    np.put_along_axis(places, found[1], found[0], axis=1)
    return places


def _type(kind: TrialType) -> dict[str, Any]:
    """A trial type, with its comparisons as positions in a display: the query is 0, then selected, then others."""
    one = np.zeros(1, np.int32)
    places = np.arange(1, kind.n_reference + 1, dtype=np.int32)[None]
    compared = kind.compare(one, places, np.arange(kind.n_select)[None])
    return {
        "name": str(kind),
        "references": kind.n_reference,
        "selected": kind.n_select,
        "word": kind.word,
        "query": kind.has_query,
        "comparisons": np.stack(compared)[:, 0].T.tolist(),
    }


def _strata(trials: Trials) -> dict[str, Any]:
    """The strata by labels that the comparisons of each trial are in, as bits."""
    try:
        classes, groups = classes_of(trials), groups_of(trials)
    except TableError:  # a note of the report says why there are no strata by labels
        return {}
    comparisons = Comparisons.of(trials)
    found = label_strata(told(comparisons, classes, groups))
    bits = np.zeros(len(trials), np.uint8)
    for place, stratum in enumerate(found):
        bits[comparisons.trial[stratum.mask]] |= 1 << place
    return {"strata": [stratum.name for stratum in found], "stratum": _packed(bits)} if found else {}


def _in_two_bits(credit: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Credit of 0, 1/2 and 1 as 0, 1 and 2, four in a byte, the first one in the lowest bits."""
    values = np.zeros(-(-credit.size // 4) * 4, np.uint8)
    values[: credit.size] = np.rint(2 * credit)
    packed: NDArray[np.uint8] = (values.reshape(-1, 4) << np.array([0, 2, 4, 6], np.uint8)).sum(axis=1, dtype=np.uint8)
    return packed


def _packed(values: NDArray[Any]) -> str:
    """An array as text, little-endian."""
    return b64encode(np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"))).tobytes()).decode()
