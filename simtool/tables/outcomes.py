"""Outcomes: the credit that a model with a distance earns on each judgment, and tables of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.designs import TrialType
from simtool.errors import listed
from simtool.tables.checks import Check
from simtool.tables.lineage import Lineage
from simtool.tables.outcomes_layout import Slice, slices
from simtool.tables.parquet import TableError
from simtool.tables.samples import are_equal, are_part_of, order_like
from simtool.tables.trials import Trials, check_trials
from simtool.text import counted

__all__ = ["Outcomes", "read_outcomes"]

#: The name of outcomes in memory, for messages.
_MEMORY = Path("outcomes in memory")


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of a model with a distance on T trials.

    Attributes:
        model: the label of the embeddings.
        distance: the name of the distance.
        trials: the judgments.
        credit: (C,) of each comparison, trial by trial in the order of the contract: 1 right, 1/2 tied, 0 wrong.
        log_likelihood: (T,) of what people selected, nats; None if no choice model was fitted.
        probability: (C,) that the choice model gives to each comparison, in the order of ``credit``; None likewise.
        checks: of a model that was fitted to choices, by trial type.
        lineage: what the model shares with its untrained controls; None if it is not known.
    """

    model: str
    distance: str
    trials: Trials
    credit: NDArray[np.float32]
    log_likelihood: NDArray[np.float32] | None = None
    probability: NDArray[np.float32] | None = None
    checks: tuple[Check, ...] = ()
    lineage: Lineage | None = None

    def __repr__(self) -> str:
        return f"Outcomes({self.model}, {self.distance}, {counted(len(self.trials), 'trials')})"

    def __post_init__(self) -> None:
        if len(self.credit) != self.trials.comparisons:
            raise ValueError(f"{len(self.credit)} values of credit for {self.trials.comparisons} comparisons")

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """(T + 1,) the position of the first comparison of each trial; the last entry is C."""
        return np.concatenate([[0], np.cumsum(self.trials.implied)])

    def of_type(self, kind: TrialType) -> NDArray[np.float32]:
        """The credit of the trials of one type, (t, comparisons)."""
        if self.trials.types == (kind,):
            return self.credit.reshape(len(self.trials), -1)
        rows = self.trials.of_type(kind)
        credit: NDArray[np.float32] = self.credit[self.start[rows, None] + np.arange(kind.comparisons)]
        return credit

    def take(self, rows: NDArray[np.integer[Any]]) -> Outcomes:
        """The outcomes of the trials at some positions."""
        counts = self.trials.implied[rows]
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        places = np.repeat(self.start[rows], counts) + inside
        return replace(
            self,
            trials=self.trials.take(rows),
            credit=self.credit[places],
            log_likelihood=None if self.log_likelihood is None else self.log_likelihood[rows],
            probability=None if self.probability is None else self.probability[places],
        )


def read_outcomes(sources: Sequence[Path | Outcomes]) -> list[Outcomes]:
    """Read the outcomes of every model and distance in some tables.

    Entries on the same judgments share one :class:`Trials` object, also if their tables list them in different orders.
    A model and distance that was scored on several experiments has an entry for each experiment.

    Args:
        sources: files, folders of parts, and outcomes in memory.

    Returns:
        One element for each model, distance and table, in the order of first appearance.

    Raises:
        TableError: a file is not a table of outcomes, or a model and distance occurs twice on the same judgments.
    """
    found: list[Outcomes] = []
    samples: list[Trials] = []
    for source in sources:
        held = isinstance(source, Outcomes)
        path = _MEMORY if isinstance(source, Outcomes) else source
        for outcomes in [source] if isinstance(source, Outcomes) else map(partial(_outcomes, source), slices(source)):
            sample, order = _sample_of(path, outcomes.trials, samples, validated=held)
            ordered = outcomes if order is None else outcomes.take(order)
            shared = ordered if ordered.trials is sample else replace(ordered, trials=sample)
            _refuse_repeats(path, shared, found)
            found.append(shared)
    return found


def _sample_of(
    path: Path, trials: Trials, samples: list[Trials], validated: bool
) -> tuple[Trials, NDArray[np.intp] | None]:
    """Find judgments among known samples; add a sample where there is none.

    Returns the sample, and the order of the trials that matches it; None if the order is the same.
    """
    for known in samples:
        if known is trials or are_equal(known, trials):
            return known, None
    if not validated:
        check_trials(path, trials)
    for known in samples:
        if (order := order_like(known, trials)) is not None:
            return known, order
    samples.append(trials)
    return trials, None


def _refuse_repeats(path: Path, outcomes: Outcomes, found: Sequence[Outcomes]) -> None:
    """Refuse a model and distance if all judgments of it, or of an earlier entry of the same name, are in both."""
    label = f"{outcomes.model} with {outcomes.distance}"
    for earlier in found:
        if (earlier.model, earlier.distance) != (outcomes.model, outcomes.distance):
            continue
        if earlier.trials is outcomes.trials:
            if np.array_equal(earlier.credit, outcomes.credit):
                raise TableError(f"{path}: {label} occurs twice, on the same judgments; leave one out")
            raise TableError(
                f"{path}: {label} occurs twice, on the same judgments but with other credits: if these are two "
                "models, give one of them another name with embed --name and score it again, else leave one out"
            )
        few, many = sorted((outcomes.trials, earlier.trials), key=len)
        if are_part_of(few, many):
            raise TableError(
                f"{path}: {label} occurs twice: one table holds all {len(few):,} judgments of the other; leave one out"
            )


def _outcomes(path: Path, part: Slice) -> Outcomes:
    """The entry of one model and distance; refuses impossible values."""
    trials = part.trials

    def refuse(fault: NDArray[np.bool_], complaint: str) -> None:
        if fault.any():
            place = f"{path}: {part.model} with {part.distance}"
            raise TableError(f"{place}: {complaint} at trial_id {listed(trials.trial_id[fault])}")

    implied = trials.implied
    refuse(part.counts != implied, "the number of credits is not that of the comparisons")

    def refuse_shares(values: NDArray[np.float32], name: str) -> None:
        fault = ~((values >= 0) & (values <= 1))
        if fault.any():
            trial = np.repeat(np.arange(len(implied)), implied)
            refuse(np.bincount(trial[fault], minlength=len(implied)) > 0, f"{name} is not a number from 0 to 1")

    refuse_shares(part.credit, "credit")
    if part.probability is not None:
        if len(part.probability) != len(part.credit):
            refuse(np.ones(len(implied), bool), "the number of probabilities is not that of the comparisons")
        refuse_shares(part.probability, "probability")
    if part.log_likelihood is not None:
        refuse(~np.isfinite(part.log_likelihood), "log_likelihood is missing or not finite")
    return Outcomes(
        part.model,
        part.distance,
        trials,
        part.credit,
        part.log_likelihood,
        part.probability,
        part.checks,
        part.lineage,
    )
