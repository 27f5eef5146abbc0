"""Accuracies as a function of difficulty, and types of trials at equal difficulty."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from simtool.analysis.building import build_report
from simtool.analysis.difficulty import GRADES, LEAST, Agreement, Difficulty, Gap, Judges, Measure, Ratio, judges
from simtool.analysis.report import ReportError, Settings
from simtool.analysis.study import Study
from simtool.judgments.comparisons import Comparisons
from simtool.tables.embeddings import EmbeddingInfo, EmbeddingTable
from simtool.tables.outcomes import Outcomes
from simtool.tables.parquet import TableError
from simtool.tables.trials import Trials
from tests.scored import latent, model, observe, outcomes_of

FEW = Settings(replicates=100)
TYPES = ("3-choose-1", "2-choose-1")


def table_of(names: list[str], vectors: NDArray[np.float64], name: str = "space") -> EmbeddingTable:
    return EmbeddingTable.of(names, vectors, EmbeddingInfo(name, vectors.shape[1]))


def judged(comparisons: list[tuple[int, int, int]]) -> Comparisons:
    anchor, near, far = np.array(comparisons, np.int32).T
    return Comparisons(np.arange(len(comparisons), dtype=np.int32), anchor, near, far)


def weights_of(comparisons: Comparisons) -> dict[str, NDArray[np.float64]]:
    """The weight of each comparison in each grade of agreement."""
    found = {}
    for grade in Agreement().grades(TRIALS, comparisons):
        assert grade.weight is not None
        found[grade.label] = np.zeros(len(comparisons))
        found[grade.label][grade.rows] = grade.weight
    return found


def difficulty_of(outcomes: list[Outcomes], measure: Measure, weighted: bool = False) -> Difficulty:
    report = build_report(outcomes, Settings(replicates=100, weighted=weighted), measures=[measure])
    return report.difficulties[0]


def pairs_of(rng: np.random.Generator, count: int, images: int, kind: str = "2-choose-1", **columns: object) -> Trials:
    """Judgments of one type; columns of ``Trials.build`` take the place of random images, choices and sessions."""
    number = int(kind[0])
    shown = np.array([rng.permutation(images)[: number + 1] for _ in range(count)])
    return Trials.build(
        [f"image-{at:03}" for at in range(images)],
        [kind] * count,
        shown[:, 0],
        shown[:, 1:],
        rng.integers(0, number, (count, 1)),
        **columns,  # type: ignore[arg-type]
    )


RNG = np.random.default_rng(0)
MINDS = latent(RNG, 20)
TRIALS = observe(RNG, MINDS, {"8-rank-2": 60, "2-choose-1": 300}, 10)
NAMES = [str(name) for name in TRIALS.images]


# Agreement


@given(st.lists(st.booleans(), min_size=1, max_size=7))
def test_agreement_is_the_probability_that_two_other_judgments_agree(choices: list[bool]) -> None:
    found = weights_of(judged([(0, 1, 2) if first else (0, 2, 1) for first in choices]))
    if len(choices) < 3:
        assert found == {}
        return
    for at in range(len(choices)):
        others = list(combinations(choices[:at] + choices[at + 1 :], 2))
        agree = np.mean([one == other for one, other in others])
        for label, expected in (("two others agree", agree), ("two others disagree", 1 - agree)):
            assert found.get(label, np.zeros(len(choices)))[at] == pytest.approx(expected)


@given(st.lists(st.booleans(), min_size=3, max_size=7), st.data())
def test_the_scored_judgment_does_not_change_its_own_grade(choices: list[bool], data: st.DataObject) -> None:
    own = data.draw(st.integers(0, len(choices) - 1))
    both = []
    for answer in (True, False):
        given = [*choices[:own], answer, *choices[own + 1 :]]
        found = weights_of(judged([(0, 1, 2) if first else (0, 2, 1) for first in given]))
        both.append(found.get("two others agree", np.zeros(len(choices)))[own])
    assert both[0] == both[1]


def test_comparisons_of_other_images_or_with_another_anchor_are_others() -> None:
    assert weights_of(judged([(0, 1, 2), (0, 2, 1), (1, 0, 2), (0, 1, 3)])) == {}


def test_comparisons_that_are_equally_hard_have_a_flat_curve() -> None:
    """Each judgment of each comparison follows the model with probability .7, so every accuracy is .7."""
    rng = np.random.default_rng(1)
    place = np.repeat(np.arange(1000), rng.integers(3, 6, 1000))
    anchor, one, other = (place // 100, 10 + place // 10 % 10, 20 + place % 10)
    right = rng.random(place.size) < 0.7
    trials = Trials.build(
        [f"image-{at}" for at in range(30)],
        ["2-choose-1"] * place.size,
        anchor,
        np.column_stack([one, other]),
        np.where(right, 0, 1)[:, np.newaxis],
    )
    (curve,) = difficulty_of([Outcomes("m", "d", trials, right.astype(np.float32))], Agreement()).curves
    for mean in curve.grades:
        assert mean is not None
        assert mean.estimate == pytest.approx(0.7, abs=0.03)
    everything = np.bincount(place, right)[place] / np.bincount(place)[place]
    with_itself = right[(everything == 0) | (everything == 1)].mean()
    assert with_itself > 0.85  # the bias that holding the judgment out avoids
    assert curve.equal is None


def test_a_table_without_repeated_comparisons_is_refused() -> None:
    once = pairs_of(np.random.default_rng(0), 60, 40)
    with pytest.raises(
        ReportError, match="--difficulty: no type of trials has 20 comparisons whose difficulty by agree"
    ):
        difficulty_of([Outcomes("m", "d", once, np.ones(60, np.float32))], Agreement())


# The ratio of distances


def test_grades_divide_comparisons_at_quantiles_of_the_ratio_of_distances() -> None:
    comparisons = Comparisons.of(TRIALS)
    distances = cdist(MINDS, MINDS)
    near, far = (distances[comparisons.anchor, end] for end in (comparisons.near, comparisons.far))
    ratio = np.minimum(near, far) / np.maximum(near, far)
    grades = Ratio(table_of(NAMES, MINDS)).grades(TRIALS, comparisons)
    assert len(grades) == GRADES
    assert sorted(np.concatenate([grade.rows for grade in grades]).tolist()) == list(range(len(comparisons)))
    ends = [(ratio[grade.rows].min(), ratio[grade.rows].max()) for grade in grades]
    assert all(one[1] <= other[0] for one, other in pairwise(ends))
    kind = TRIALS.type_index[comparisons.trial]
    shares = [
        np.mean([np.mean(np.isin(np.flatnonzero(kind == each), grade.rows)) for each in (0, 1)]) for grade in grades
    ]
    assert shares == pytest.approx([1 / GRADES] * GRADES, abs=0.005)


def test_the_choice_and_the_order_of_the_table_do_not_change_the_ratio() -> None:
    comparisons = Comparisons.of(TRIALS)
    swapped = Comparisons(comparisons.trial, comparisons.anchor, comparisons.far, comparisons.near)
    order = np.random.default_rng(1).permutation(len(NAMES))
    moved = table_of([NAMES[at] for at in order], MINDS[order])
    one = Ratio(table_of(NAMES, MINDS)).grades(TRIALS, comparisons)
    other = Ratio(moved).grades(TRIALS, swapped)
    assert [grade.rows.tolist() for grade in one] == [grade.rows.tolist() for grade in other]


def test_equal_vectors_are_as_hard_as_can_be() -> None:
    grades = Ratio(table_of(NAMES, np.zeros((len(NAMES), 2)))).grades(TRIALS, Comparisons.of(TRIALS))
    assert [grade.rows.size for grade in grades] == [Comparisons.of(TRIALS).trial.size]


def test_a_space_without_an_image_of_the_trials_is_refused() -> None:
    scored = outcomes_of("m", "d", TRIALS, model(RNG, MINDS, 1))
    with pytest.raises(TableError, match="lacks images"):
        difficulty_of([scored], Ratio(table_of(NAMES[1:], MINDS[1:])))


# Types of trials at equal difficulty


def planted(seed: int, bonus: float = 0.0) -> tuple[Outcomes, EmbeddingTable]:
    """Two types with other displays: those of the first are easier. The accuracy depends on difficulty, and by a bonus
    on the type."""
    rng = np.random.default_rng(seed)
    count, images = 4000, 200
    points = np.sort(rng.uniform(size=images))[:, np.newaxis]
    trials = pairs_of(rng, count, images, session=[f"s{at % 40}" for at in range(count)])
    easy = np.arange(count) % 2 == 0
    distance = np.abs(points[trials.query] - points[trials.references][..., 0])
    ratio = distance.min(axis=1) / distance.max(axis=1)
    kept = np.flatnonzero(~easy | (rng.random(count) > ratio))
    kinds = np.where(easy, "2-rank-1", "2-choose-1")[kept]
    trials = Trials.build(
        trials.images,
        kinds.tolist(),
        trials.query[kept],
        trials.references[kept],
        trials.selected[kept],
        session=[str(trials.session[int(at)]) for at in kept],
    )
    chance = 0.95 - 0.4 * ratio[kept] - bonus * (kinds == "2-choose-1")
    credit = (rng.random(kept.size) < chance).astype(np.float32)
    return Outcomes("m", "d", trials, credit), table_of([str(name) for name in trials.images], points)


def gap_of(outcomes: Outcomes, space: EmbeddingTable) -> Gap:
    (gap,) = difficulty_of([outcomes], Ratio(space)).gaps
    assert (gap.first, gap.second) == ("2-rank-1", "2-choose-1")
    return gap


@pytest.mark.parametrize("bonus", [0.0, 0.1])
def test_types_that_differ_in_difficulty_only_are_equal_at_equal_difficulty(bonus: float) -> None:
    gaps = [gap_of(*planted(seed, bonus)) for seed in range(6)]
    assert np.mean([gap.plain.estimate for gap in gaps]) > bonus + 0.03
    errors = [gap.equal.standard_error or np.nan for gap in gaps]
    assert np.mean([gap.equal.estimate for gap in gaps]) == pytest.approx(bonus, abs=3 * np.mean(errors) / np.sqrt(6))


def test_the_differences_of_types_are_those_of_their_curves() -> None:
    outcomes, space = planted(0)
    found = difficulty_of([outcomes], Ratio(space))
    first, second = found.curves
    (gap,) = found.gaps
    assert first.equal is not None
    assert second.equal is not None
    assert gap.plain.estimate == pytest.approx(first.plain.estimate - second.plain.estimate, abs=1e-6)
    assert gap.equal.estimate == pytest.approx(first.equal.estimate - second.equal.estimate, abs=1e-6)
    shares = np.array([curve.comparisons for curve in found.curves]) / [
        [sum(curve.comparisons)] for curve in found.curves
    ]
    for curve in found.curves:
        means = np.array([mean.estimate for mean in curve.grades if mean])
        assert curve.equal is not None
        assert curve.equal.estimate == pytest.approx(shares.mean(axis=0) @ means)
        own = np.array(curve.comparisons)
        assert curve.plain.estimate == pytest.approx(own @ means / own.sum())


def test_the_error_of_a_difference_of_types_is_that_of_all_pairs_that_share_people_or_images() -> None:
    rng = np.random.default_rng(3)
    trials = observe(rng, latent(rng, 12), {"3-choose-1": 60, "2-choose-1": 80}, 6)
    scored = outcomes_of("m", "d", trials, model(rng, latent(rng, 12), 1))
    (gap,) = difficulty_of([scored], Ratio(table_of([str(name) for name in trials.images], latent(rng, 12)))).gaps
    study = Study(trials)
    kind = np.array([str(trials.types[at]) for at in trials.type_index[study.comparisons.trial]])
    influence = np.zeros(len(kind))
    weight = np.zeros(len(kind))
    for name, sign in ((gap.first, 1), (gap.second, -1)):
        own = kind == name
        influence[own] = sign * (scored.credit[own] - scored.credit[own].mean()) / own.sum()
        weight[own] = 0.5 / own.sum()
    observed = study.compared
    share = observed.cluster[:, np.newaxis] == observed.cluster
    for one in observed.images.T:
        for other in observed.images.T:
            share |= one[:, np.newaxis] == other
    variance = influence @ share @ influence / (1 - weight @ share @ weight)
    one_way = observed.cluster[:, np.newaxis] == observed.cluster
    floor = influence @ one_way @ influence / (1 - weight @ one_way @ weight)
    alone = influence @ influence / (1 - weight @ weight)
    assert gap.plain.standard_error == pytest.approx(np.sqrt(max(variance, floor, alone)), rel=1e-5)


def test_whole_weights_count_like_repeated_trials() -> None:
    rng = np.random.default_rng(5)
    weight = rng.integers(1, 4, 360)
    kinds = {"8-rank-2": 60, "2-choose-1": 300}
    trials = observe(np.random.default_rng(1), MINDS, kinds, 10, weight=weight.astype(float))
    repeated = trials.take(np.repeat(np.arange(360), weight))
    repeated = Trials.build(
        repeated.images,
        [str(repeated.types[at]) for at in repeated.type_index],
        repeated.query,
        repeated.references,
        repeated.selected,
        participant=repeated.participant,
    )
    distances = model(np.random.default_rng(2), MINDS, 1)
    found = [
        difficulty_of(
            [outcomes_of("m", "d", own, distances)],
            Ratio(table_of([str(name) for name in own.images], MINDS)),
            own is trials,
        )
        for own in (trials, repeated)
    ]
    for one, other in zip(found[0].curves, found[1].curves, strict=True):
        assert one.plain.estimate == pytest.approx(other.plain.estimate)


def test_a_type_with_few_comparisons_has_no_curve() -> None:
    trials = observe(np.random.default_rng(0), MINDS, {"2-choose-1": 100, "3-odd-1": LEAST // 2 - 1}, 5)
    space = Ratio(table_of([str(name) for name in trials.images], MINDS))
    found = difficulty_of([outcomes_of("m", "d", trials, model(RNG, MINDS, 1))], space)
    assert {curve.trial_type for curve in found.curves} == {"2-choose-1"}
    assert (found.gaps, found.judges) == ((), ())


def test_the_people_of_two_types_are_counted() -> None:
    kinds = {"2-choose-1": 30, "3-choose-1": 30}
    who = [*["a", "b", "c"] * 10, *["c", "d", None] * 10]
    assert judges(observe(RNG, MINDS, kinds, participant=who), [0, 1]) == [
        Judges("participants", "2-choose-1", "3-choose-1", (3, 2), 1)
    ]
    nobody = observe(RNG, MINDS, kinds, 0)
    assert judges(nobody, [1, 0]) == [Judges(None, "3-choose-1", "2-choose-1", (0, 0), 0)]


def test_a_report_about_one_type_has_its_curves_only() -> None:
    scored = outcomes_of("m", "d", TRIALS, model(RNG, MINDS, 1))
    report = build_report([scored], FEW, measures=[Ratio(table_of(NAMES, MINDS))])
    (found,) = report.of_type("8-rank-2").difficulties
    assert {curve.trial_type for curve in found.curves} == {"8-rank-2"}
    assert (found.gaps, found.judges) == ((), ())
    assert report.of_type("all").difficulties == report.difficulties
