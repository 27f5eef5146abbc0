"""Judgments that several people made, and their agreement."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.analysis.repeats import Repeats

#: Judgments: of a comparison, an answer, a person (-1 is unknown) and a weight.
JUDGMENTS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(-1, 3), st.integers(1, 3)), min_size=1, max_size=60
)


def _repeats(judged: list[int], answers: list[int], **columns: list[int]) -> Repeats:
    person = np.array(columns["person"], np.int32) if "person" in columns else None
    weight = np.array(columns["weight"], float) if "weight" in columns else None
    return Repeats.of([np.array(judged, np.int32)], np.array(answers, np.int8), person, weight)


def test_only_repeated_judgments_count() -> None:
    found = _repeats([7, 7, 3, 7, 5], [0, 1, 1, 0, 0])
    assert (found.distinct, found.repeated, found.rows.tolist()) == (3, 1, [0, 1, 3])
    # Each 0 sees one 0 and one 1, the 1 sees two 0s.
    assert found.agreement.tolist() == [0.5, 0, 0.5]


def test_nobody_is_compared_with_themselves() -> None:
    found = _repeats([0, 0, 0, 1, 1], [0, 0, 1, 0, 0], person=[4, 4, 5, 6, 6])
    assert (found.distinct, found.repeated, found.rows.tolist()) == (2, 1, [0, 1, 2])
    assert found.agreement.tolist() == [0, 0, 0]


def test_judgments_that_name_nobody_are_of_different_people() -> None:
    assert _repeats([0, 0], [1, 1], person=[-1, -1]).agreement.tolist() == [1, 1]


def test_weights_count_in_shares_and_are_no_repetition() -> None:
    found = _repeats([0, 0, 0, 1], [0, 0, 1, 1], weight=[1, 1, 4, 9])
    assert found.rows.tolist() == [0, 1, 2]
    assert found.agreement.tolist() == pytest.approx([1 / 5, 1 / 5, 0])


def test_without_judgments_there_are_no_repeats() -> None:
    found = _repeats([], [])
    assert (found.distinct, found.repeated, len(found.rows)) == (0, 0, 0)


@given(JUDGMENTS, st.booleans(), st.booleans())
def test_shares_are_those_of_counting_votes(
    judgments: list[tuple[int, int, int, int]], named: bool, weighted: bool
) -> None:
    judged, answers, person, weight = map(list, zip(*judgments, strict=True))
    columns = ({"person": person} if named else {}) | ({"weight": weight} if weighted else {})
    found = _repeats(judged, answers, **columns)
    expected = {}
    for at, (comparison, answer, who, _) in enumerate(judgments):
        votes: dict[int, int] = defaultdict(int)
        for other, (their_comparison, their_answer, they, heavy) in enumerate(judgments):
            same_person = named and they == who and who >= 0
            if other != at and their_comparison == comparison and not same_person:
                votes[their_answer] += heavy if weighted else 1
        if votes:
            expected[at] = votes[answer] / sum(votes.values())
    assert found.distinct == len(set(judged))
    assert found.rows.tolist() == list(expected)
    assert found.agreement.tolist() == pytest.approx(list(expected.values()))
    several = {judged[at] for at in expected}
    assert found.repeated == len(several)
    assert len({(judged[at], code) for at, code in zip(expected, found.code.tolist(), strict=True)}) == len(several)


@given(JUDGMENTS, st.sampled_from([1e-30, 1e30]))
def test_the_scale_of_weights_does_not_matter(judgments: list[tuple[int, int, int, int]], scale: float) -> None:
    judged, answers, _, weight = (np.array(column) for column in zip(*judgments, strict=True))
    codes = [judged.astype(np.int32)]
    one = Repeats.of(codes, answers.astype(np.int8), weight=weight.astype(float))
    other = Repeats.of(codes, answers.astype(np.int8), weight=weight * scale)
    np.testing.assert_allclose(one.agreement, other.agreement, atol=1e-12)
