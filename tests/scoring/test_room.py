from __future__ import annotations

import re

import numpy as np
import pytest

from simtool.scoring import room
from simtool.scoring.columns import least_memory
from simtool.scoring.distances import SimilarityError
from simtool.scoring.pairs import ComparedPairs
from simtool.scoring.room import room_for_vectors
from tests.scoring.judged import some_trials

PAIRS = ComparedPairs.of(some_trials(40))


def test_half_of_what_is_free_is_taken_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available_memory", lambda: 2 << 30)
    assert room_for_vectors(PAIRS, 2) == (1 << 30) - PAIRS.footprint(2)
    monkeypatch.setattr(room, "available_memory", lambda: None)
    assert room_for_vectors(PAIRS, 2) == (4 << 30) - PAIRS.footprint(2)


def test_what_the_process_has_taken_counts_where_a_limit_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "used_memory", lambda: 300 << 20)
    assert room_for_vectors(PAIRS, 2, 1 << 30) == (1 << 30) - (300 << 20) - PAIRS.footprint(2)


def test_too_little_memory_is_refused_with_what_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "used_memory", lambda: 300 << 20)
    with pytest.raises(SimilarityError, match="--memory is too little with 315 MB: 315 MB are in use") as refusal:
        room_for_vectors(PAIRS, 2, 300 << 20)
    enough = re.search(r"--memory (\d+)M would do", str(refusal.value))
    assert enough is not None
    assert room_for_vectors(PAIRS, 2, int(enough[1]) << 20) >= least_memory(PAIRS.used.size)


def test_a_machine_with_little_memory_gives_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    least = PAIRS.footprint(1) + least_memory(PAIRS.used.size)
    monkeypatch.setattr(room, "available_memory", lambda: least)
    assert room_for_vectors(PAIRS, 1) == least_memory(PAIRS.used.size)
    monkeypatch.setattr(room, "available_memory", lambda: least - 1)
    with pytest.raises(SimilarityError, match=r"these trials need 101 MB of memory, 101 MB are free; fewer trials"):
        room_for_vectors(PAIRS, 1)


def test_more_distances_and_more_trials_take_more() -> None:
    more = ComparedPairs.of(some_trials(400))
    assert PAIRS.footprint(1) < PAIRS.footprint(2) < more.footprint(2)
    assert more.footprint(1) > np.zeros(len(more.pairs)).nbytes
