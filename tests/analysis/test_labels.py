"""Strata by the labels of the display, and models that know labels only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.analysis.labels import CLASS, GROUP, LABELS, SAME, SILENT, label_strata, oracles, told
from simtool.analysis.study import Study
from simtool.judgments.classes import with_classes
from simtool.judgments.comparisons import Comparisons
from simtool.scoring.scoring import score_vectors
from simtool.tables.images import Images
from simtool.tables.labels import Labels
from simtool.tables.trials import Trials
from tests.scored import latent, observe

IMAGES = 18


def labelled(trials: Trials, classes: int = 6, groups: int = 3) -> Trials:
    """Trials whose images have classes within groups: the number in their names counts the classes in turn."""
    number = [int(str(name)[-3:]) % classes for name in trials.images]
    names = list(trials.images)
    images = Images.build(
        names,
        names,
        class_name=[f"class-{each}" for each in number],
        group_name=[f"group-{each % groups}" for each in number],
    )
    return with_classes(trials, images)


def judged(seed: int = 0, **counts: int) -> Trials:
    rng = np.random.default_rng(seed)
    kinds = {name.replace("_", "-").lstrip("-"): count for name, count in counts.items()}
    return labelled(observe(rng, latent(rng, IMAGES), kinds))


TRIALS = judged(_8_rank_2=30, _2_choose_1=60, _3_odd_1=40)


def test_one_image_shares_the_class_of_the_anchor_or_else_one_shares_its_group_or_else_labels_are_silent() -> None:
    comparisons = Comparisons(
        *(np.array(each, np.int32) for each in ([0] * 6, [0] * 6, [1, 2, 2, 4, 1, 5], [2, 1, 4, 2, 3, 4]))
    )
    # Images 0, 1 and 3 are of one class; 2 is of another class of its group; 4 and 5 of a class of another group.
    classes, groups = Labels.of(["a", "a", "b", "a", "c", "c"]), Labels.of(["g", "g", "g", "g", "h", "h"])
    labels = told(comparisons, classes, groups)
    assert labels.by_class.tolist() == [1, 0, 0.5, 0.5, 0.5, 0.5]
    assert labels.by_group.tolist() == [0.5, 0.5, 1, 0, 0.5, 0.5]
    assert labels.by_both.tolist() == [1, 0, 1, 0, 0.5, 0.5]
    assert {each.name: np.flatnonzero(each.mask).tolist() for each in label_strata(labels)} == {
        CLASS: [0, 1],
        GROUP: [2, 3],
        SILENT: [4, 5],
    }


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=30), st.data())
def test_strata_depend_on_the_display_and_not_on_the_choice(
    shown: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    names = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=6, max_size=6)
    classes, groups = Labels.of(data.draw(names)), Labels.of(data.draw(names))
    anchor, near, far = np.array(shown, np.int32).T
    trial = np.arange(len(shown), dtype=np.int32)
    one, other = (told(Comparisons(trial, anchor, *ends), classes, groups) for ends in ((near, far), (far, near)))
    assert [each.mask.tolist() for each in label_strata(one)] == [each.mask.tolist() for each in label_strata(other)]
    assert np.array_equal(one.by_both, 1 - other.by_both)
    strata = label_strata(one)
    assert not strata or (np.sum([each.mask for each in strata], axis=0) == 1).all()


def test_an_image_of_unknown_class_shares_it_with_none() -> None:
    comparison = Comparisons(*(np.array([each], np.int32) for each in (0, 0, 1, 2)))
    for classes in ([None, None, "a"], ["a", None, "b"], [None, "a", "a"]):
        assert told(comparison, Labels.of(classes), None).by_class.tolist() == [0.5]


def test_oracles_equal_models_whose_vectors_are_the_labels() -> None:
    study = Study(TRIALS)
    assert study.labels is not None
    found = {each.model: each for each in oracles(TRIALS, study.labels)}
    number = np.array([int(str(name)[-3:]) % 6 for name in TRIALS.images])
    classes, groups = np.eye(6, dtype=np.float32)[number], np.eye(3, dtype=np.float32)[number % 3]
    vectors = {"class labels": classes, "group labels": groups, "class and group labels": np.hstack([classes, groups])}
    assert list(found) == list(vectors)
    for name, own in vectors.items():
        (scored,) = score_vectors(own, TRIALS, ["mse"])
        assert found[name].distance == SAME
        assert np.array_equal(found[name].credit, scored.credit), name


def test_any_image_is_an_anchor_where_there_is_no_query() -> None:
    odd = judged(_3_odd_1=40)
    labels = Study(odd).labels
    assert labels is not None
    number = np.array([int(str(name)[-3:]) for name in odd.images])
    for row, comparisons in enumerate(np.arange(80).reshape(-1, 2)):
        shown = number[odd.references[row]] % 6
        left = np.delete(shown, odd.selected[row, 0])
        out = shown[odd.selected[row, 0]]
        expected = [0.5 + 0.5 * (left[0] == left[1]) - 0.5 * (one == out) for one in left]
        assert labels.by_class[comparisons].tolist() == expected


def test_labels_that_tell_nothing_make_no_strata_and_no_oracle() -> None:
    for classes in (1, IMAGES):
        labels = Study(labelled(TRIALS, classes, groups=1)).labels
        assert labels is not None
        assert label_strata(labels) == []
        assert oracles(TRIALS, labels) == []
    assert Study(replace(TRIALS, extra={})).labels is None
    assert Study(replace(TRIALS, extra={})).unlabelled is None


def test_a_single_kind_of_label_has_one_oracle() -> None:
    labels = Study(labelled(TRIALS, groups=1)).labels
    assert labels is not None
    assert [each.model for each in oracles(TRIALS, labels)] == ["class labels"]
    assert [int(each.mask.any()) for each in label_strata(labels)] == [1, 0, 1]


def test_labels_that_contradict_each_other_are_a_reason_and_no_error() -> None:
    column = TRIALS.extra["query_class"].to_pylist()
    wrong = Labels.of(["another" if at == 3 else name for at, name in enumerate(column)]).to_arrow()
    study = Study(replace(TRIALS, extra={**TRIALS.extra, "query_class": wrong}))
    assert study.labels is None
    assert study.unlabelled is not None
    assert str(TRIALS.images[TRIALS.query[3]]) in study.unlabelled
    assert "another" in study.unlabelled


@pytest.mark.parametrize("kind", ["8-rank-2", None])
def test_the_strata_of_a_study_divide_all_trials_or_those_of_a_type(kind: str | None) -> None:
    study = Study(TRIALS)
    study.divide(trial_type=kind)
    parts = [stratum for stratum in study.strata if stratum.by == LABELS]
    whole = next(stratum for stratum in study.strata if stratum.name == (kind or "all"))
    assert {stratum.within for stratum in parts} == {whole.name}
    assert np.array_equal(np.sum([part.mask for part in parts], axis=0), whole.over(study.comparisons))
