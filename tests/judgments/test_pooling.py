"""Trials of several tables as one set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simtool.judgments.comparisons import Comparisons
from simtool.judgments.pooling import pooled_trials, shared_judgments
from simtool.tables.labels import Labels
from simtool.tables.trials import Trials
from tests.scored import latent, observe

WHOLE = observe(np.random.default_rng(0), latent(np.random.default_rng(1), 12), {"8-rank-2": 10, "2-choose-1": 20})
FIRST, SECOND = WHOLE.take(np.arange(20)), WHOLE.take(np.arange(15, 30))


def _compared(trials: Trials) -> list[list[str]]:
    """The names of the images of each comparison."""
    found = Comparisons.of(trials)
    names: list[list[str]] = trials.images[np.column_stack([found.anchor, found.near, found.far])].tolist()
    return names


def test_pooled_trials_imply_the_comparisons_of_all_sets() -> None:
    other = replace(SECOND, images=SECOND.images[::-1], query=11 - SECOND.query)
    other = replace(other, references=np.where(SECOND.references < 0, -1, 11 - SECOND.references))
    pooled = pooled_trials([FIRST, other])
    assert _compared(pooled) == _compared(FIRST) + _compared(SECOND)
    assert pooled.participant.tolist() == [*FIRST.participant, *SECOND.participant]
    assert np.unique(pooled.trial_id).size == len(pooled) == 35
    assert set(pooled.images) == set(WHOLE.images)


def test_one_set_stays_as_it_is() -> None:
    assert pooled_trials([WHOLE]) is WHOLE


def test_shared_judgments_are_of_the_same_participant_images_and_choice() -> None:
    assert shared_judgments([FIRST, SECOND]) == 5
    assert shared_judgments([WHOLE, FIRST, SECOND]) == 30
    assert shared_judgments([WHOLE]) == 0
    renamed = replace(SECOND, participant=Labels.of(["somebody"] * 15))
    assert shared_judgments([FIRST, renamed]) == 0


def test_judgments_without_a_participant_are_not_shared() -> None:
    unnamed = [replace(part, participant=Labels.nulls(len(part))) for part in (FIRST, SECOND)]
    assert shared_judgments(unnamed) == 0
