"""Equality of judgments, against comparison row by row."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.tables.labels import Labels
from simtool.tables.samples import are_equal, are_part_of, order_like
from simtool.tables.trials import Trials

IMAGES = ["a", "b", "c", "d"]


def plain(trials: Trials) -> list[tuple[Any, ...]]:
    """Each judgment without its number, as plain values."""
    return [
        (
            str(trials.types[trials.type_index[row]]),
            trials.images[trials.query[row]],
            [trials.images[at] for at in trials.references[row] if at >= 0],
            [int(at) for at in trials.selected[row] if at >= 0],
            trials.participant[row],
            trials.session[row],
            None if np.isnan(trials.weight[row]) else float(trials.weight[row]),
        )
        for row in range(len(trials))
    ]


@st.composite
def judged(draw: st.DrawFn) -> Trials:
    """Some of few possible judgments, with the images and the names in any order."""
    images = draw(st.permutations(IMAGES))
    rows = draw(st.lists(st.tuples(st.permutations(IMAGES), *[st.integers(0, 1)] * 4), min_size=1, max_size=6))
    wide = [row[1] for row in rows]
    numbers = draw(st.permutations(range(len(rows))))
    return Trials.build(
        images,
        ["3-rank-2" if each else "2-choose-1" for each in wide],
        np.array([images.index(row[0][0]) for row in rows]),
        np.array([[*map(images.index, row[0][1:3]), images.index(row[0][3]) if row[1] else -1] for row in rows]),
        np.array([[row[2], 2 if row[1] else -1] for row in rows]),
        trial_id=np.array(numbers),
        participant=[[None, "p"][row[3]] for row in rows],
        weight=np.array([1.0 if row[4] else np.nan for row in rows], np.float32),
    )


@given(judged(), st.data())
def test_a_permutation_with_other_codes_is_undone(trials: Trials, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(trials)))))
    names = np.array(data.draw(st.permutations(range(4))))
    moved = replace(
        trials.take(order),
        images=trials.images[names],
        query=np.argsort(names)[trials.query[order]].astype(np.int32),
        references=np.append(np.argsort(names), -1)[trials.references[order]].astype(np.int32),
        participant=Labels.of(["other", *trials.participant[order].tolist()])[slice(1, None)],
    )
    found = order_like(trials, moved)
    assert found is not None
    assert sorted(found.tolist()) == list(range(len(trials)))
    assert plain(moved.take(found)) == plain(trials)
    assert are_part_of(moved, trials)


@given(judged(), judged())
def test_tables_are_alike_if_their_judgments_are(one: Trials, other: Trials) -> None:
    def counts(trials: Trials) -> Counter[str]:
        return Counter(map(repr, plain(trials)))

    assert (order_like(one, other) is not None) == (counts(one) == counts(other))
    numbered = [dict(zip(trials.trial_id.tolist(), plain(trials), strict=True)) for trials in (one, other)]
    assert are_part_of(one, other) == all(numbered[1].get(number) == row for number, row in numbered[0].items())
    assert are_equal(one, other) == (list(numbered[0].items()) == list(numbered[1].items()))


@pytest.mark.parametrize(
    "change",
    [
        {"session": Labels.of(["s", None, None])},
        {"participant": Labels.of(["p1", "", "p2"])},
        {"weight": np.array([1, 0, 0.5], np.float32)},
        {"images": np.array(["a", "b", "x", "d", "e"], object)},
        {"type_index": np.array([0, 1, 1], np.int16)},
    ],
)
def test_each_column_tells_judgments_apart(trials: Trials, change: dict[str, Any]) -> None:
    changed = replace(trials, **change)
    assert not are_equal(trials, changed)
    assert order_like(trials, changed) is None
    assert not are_part_of(trials, changed)


def test_response_times_and_padding_do_not(trials: Trials) -> None:
    wide = np.pad(trials.references, ((0, 0), (0, 2)), constant_values=-1)
    changed = replace(trials, references=wide, response_ms=np.ones(3, np.float32))
    assert are_equal(trials, changed)
    assert are_equal(changed, trials)


def test_equal_judgments_are_in_the_order_of_their_numbers(trials: Trials) -> None:
    same = trials.take(np.array([0, 0, 1]))
    one, other = (
        replace(same, trial_id=np.array([5, 3, 9])),
        replace(same.take(np.array([2, 0, 1])), trial_id=np.arange(3)),
    )
    order = order_like(one, other)
    assert order is not None
    assert order.tolist() == [2, 1, 0]
