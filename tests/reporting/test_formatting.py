"""Numbers and sentences of every view."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simtool.analysis.inference.intervals import Difference
from simtool.analysis.inference.units import Units
from simtool.analysis.report import Report
from simtool.reporting import formatting
from tests.reporting.conftest import make_report


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (formatting.accuracy(0.52871), ".5287"),
        (formatting.accuracy(1.0, 2), "1.00"),
        (formatting.signed(-0.0312), "-.0312"),
        (formatting.signed(0.0), "+.0000"),
        (formatting.percent(0.95), "95 %"),
        (formatting.percent(0.9999), "99.99 %"),
        (formatting.p_value(0.00099), "<.001"),
        (formatting.p_value(0.0123), ".012"),
        (formatting.p_value(None), ""),
        (formatting.difference_interval(Difference(0.1, 0.05, -0.012, 0.2)), "-.012 to +.200"),
        (formatting.difference_interval(Difference(0.1)), "too few to test"),
    ],
)
def test_numbers_are_short_and_have_no_leading_zero(shown: str, expected: str) -> None:
    assert shown == expected


def test_the_method_states_weights_and_pooled_sets(report: Report) -> None:
    (sample,) = report.samples
    pooled = replace(report, samples=(replace(sample, sets=3),), settings=replace(report.settings, weighted=True))
    first, _, third = formatting.method(pooled)
    assert "from 3 pooled sets of trials" in first
    assert third == "Each trial counts by its weight in every accuracy and interval. Counts are of trials."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {},
            "The intervals hold for new participants and new images that are drawn like these (--cluster class for new "
            "classes of images, --fixed-images for these very images).",
        ),
        (
            {"clusters": "sessions", "participants": 1, "units": Units.NOTHING},
            "The intervals hold for new sessions of this one participant and these very images.",
        ),
        (
            {"units": Units.CLASS},
            "The intervals hold for new participants and images of new classes that are drawn like these classes.",
        ),
        (
            {"units": Units.GROUP},
            "The intervals hold for new participants and images of new groups that are drawn like these groups.",
        ),
    ],
)
def test_one_sentence_says_for_which_people_and_images_the_intervals_hold(
    report: Report, changes: dict[str, Any], sentence: str
) -> None:
    (sample,) = report.samples
    _, about = formatting.method(replace(report, samples=(replace(sample, **changes),)))
    assert about == sentence


def test_the_method_names_the_units_of_images(report: Report) -> None:
    (sample,) = report.samples
    classes = replace(sample, units=Units.CLASS, images=16)
    fixed = replace(sample, units=Units.NOTHING, images=0)
    lines = [formatting.method(replace(report, samples=(each,)))[0] for each in (classes, fixed)]
    assert lines[0].endswith("that resample 8 participants and 16 classes of images together.")
    assert lines[1].endswith("that resample 8 participants.")


def test_a_baseline_alone_is_a_note() -> None:
    assert "There is no other model to compare with a." in formatting.notes(make_report("a", ("a",), pairs=30))


def test_one_judgment_takes_verbs_in_the_singular(report: Report) -> None:
    shared = next(note for note in formatting.notes(replace(report, shared=1)) if "pooled tables" in note)
    assert "is in several of the pooled tables and counts each time" in shared
    sample = replace(report.samples[0], unnamed=1, trials=120, not_resampled=1)
    line, _ = formatting.method(replace(report, samples=(sample,)))
    assert "1 of 120 trials does not name a participant" in line


def test_the_labels_of_a_figure_are_short_and_stay_different() -> None:
    assert formatting.labels([("pixels", "mse"), ("glow", "mse")]) == ["pixels mse", "glow mse"]
    assert formatting.label("x" * 48) == "x" * 48
    middles = [
        [f"Glow {'of birds ' * 4}level-{level} {'mean and deviation ' * 3}", "cosine/segments"] for level in range(6)
    ]
    for entries in ([("a" * 300, distance) for distance in ("mse", "cosine")], middles):
        shown = formatting.labels(entries)
        assert len(set(shown)) == len(entries)
        assert max(map(len, shown)) <= formatting.LONGEST
    assert formatting.label("", "") == formatting.EMPTY
    assert not formatting.label("_hidden").startswith("_")  # legends leave out such labels
