from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtool.judgments.assembly import JudgmentsError, Places
from simtool.judgments.votes import Votes, from_votes, whole_votes
from tests.studies import plain

PLACES = Places("votes.csv", lambda row: f"votes.csv: row {row}")

tables = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8)


def displays(votes: list[tuple[int, int]]) -> Votes:
    """Displays of three images each, named by the row and q, a or b."""
    images = np.array([f"{row}{name}" for row in range(len(votes)) for name in "qab"], object)
    return Votes(images, np.arange(images.size).reshape(-1, 3), np.array(votes), {})


@given(tables.filter(lambda votes: any(map(any, votes))))
@settings(deadline=None)
def test_every_vote_is_a_trial_and_the_first_has_the_id_of_its_row(votes: list[tuple[int, int]]) -> None:
    judgments = from_votes(displays(votes), PLACES)
    rows = plain(judgments.trials)
    wanted = {(row, side): number for row, pair in enumerate(votes) for side, number in enumerate(pair) if number}
    assert Counter((int(row["query"][:-1]), *row["selected"]) for row in rows) == wanted
    assert all(row["references"] == [row["query"][:-1] + name for name in "ab"] for row in rows)
    first = {int(row["query"][:-1]): row["trial_id"] for row in reversed(rows)}
    assert first == {row: row for row, pair in enumerate(votes) if any(pair)}
    assert len({row["trial_id"] for row in rows}) == len(rows)
    unvoted = sum(not any(pair) for pair in votes)
    assert len(judgments.notes) == (unvoted > 0)


@given(st.integers(0, 10), st.integers(1, 10), st.sampled_from(["f2", "f4", "f8"]))
def test_a_share_of_any_precision_gives_its_votes_back(second: int, others: int, kind: str) -> None:
    share = np.array([second / (second + others)]).astype(kind).astype(np.float64)
    assert whole_votes(share, np.array([second + others]), PLACES).tolist() == [second]


@pytest.mark.parametrize("share", [-0.1, 1.1, 0.3, np.nan, np.inf])
def test_an_impossible_share_is_refused_with_its_row(share: float) -> None:
    with pytest.raises(
        JudgmentsError, match=r"votes\.csv: row 1 has the share .* of 4 votes, which is no whole number"
    ):
        whole_votes(np.array([0.5, share]), np.array([4, 4]), PLACES)


def test_displays_without_votes_give_nothing() -> None:
    with pytest.raises(JudgmentsError, match=r"votes\.csv: no votes, so there is nothing to import"):
        from_votes(displays([(0, 0), (0, 0)]), PLACES)
