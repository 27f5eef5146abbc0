from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simtool.designs import parse_type
from simtool.judgments.comparisons import Comparisons
from simtool.scoring import columns, plan, scoring
from simtool.scoring.columns import least_memory
from simtool.scoring.distances import DISTANCES, SimilarityError
from simtool.scoring.plan import Plan
from simtool.scoring.scoring import room_for_vectors, score_table, score_vectors
from simtool.tables.embeddings import Segment, open_embeddings
from simtool.tables.files import TableError
from simtool.tables.trials import Trials
from tests.scoring.judged import (
    KINDS,
    WILD,
    exact_credit,
    sixty_digits,
    some_trials,
    some_vectors,
    wild_vectors,
)

TRIALS = some_trials(200)


@pytest.mark.parametrize("dense", [False, True], ids=["list", "matrix"])
@pytest.mark.parametrize("distance", ["mse", "cosine"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_decision_differs_from_exact_arithmetic(
    kind: str, distance: str, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "is_dense", lambda *_: dense)
    vectors = some_vectors(kind)
    (found,) = score_vectors(vectors, TRIALS, [distance])
    np.testing.assert_array_equal(found.credit, exact_credit(distance, vectors, TRIALS))


FEW = some_trials(16, images=12)
SEGMENTS = (Segment("long", 8), Segment("short", 2, 2))


@pytest.mark.parametrize("dense", [False, True], ids=["list", "matrix"])
@pytest.mark.parametrize("kind", WILD)
@given(seed=st.integers(0, 10**6))
@settings(
    max_examples=2,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture],
)
def test_every_decision_is_that_of_exact_arithmetic(
    kind: str, dense: bool, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(plan, "is_dense", lambda *_: dense)
    vectors = wild_vectors(kind, 12, 12, seed)
    for found in score_vectors(vectors, FEW, list(DISTANCES), SEGMENTS):
        expected = exact_credit(found.distance, vectors, FEW, SEGMENTS)
        np.testing.assert_array_equal(found.credit, expected, err_msg=found.distance)


@pytest.mark.parametrize("kind", WILD)
def test_decisions_are_those_of_60_digits(kind: str) -> None:
    vectors = wild_vectors(kind, 12, 12, 7)
    implied = Comparisons.of(FEW)
    for found in score_vectors(vectors, FEW, list(DISTANCES), SEGMENTS):
        for place, anchor in enumerate(implied.anchor):
            pair = (implied.near[place], implied.far[place])
            one, other = (sixty_digits(found.distance, vectors[anchor], vectors[end], SEGMENTS) for end in pair)
            if abs(one - other) > Decimal("1e-50") * max(abs(one), abs(other)):
                assert found.credit[place] == (one < other)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("kind", ["gaussian", "scales of values", "near parallel", "subnormal", "mean"])
def test_equal_vectors_are_tied_whatever_the_order_of_rows_and_columns(kind: str, distance: str) -> None:
    vectors = wild_vectors(kind, 40, 12)
    for trial in range(len(TRIALS)):
        vectors[TRIALS.references[trial, 1]] = vectors[TRIALS.references[trial, 0]]
    segments = (Segment("pair", 2, 6),)
    same = (vectors[TRIALS.references[:, 0]] == vectors[TRIALS.references[:, 1]]).all(axis=1)
    shuffled = vectors[:, np.random.default_rng(0).permutation(12)] if "segments" not in distance else vectors
    (one,), (other,) = (score_vectors(table, TRIALS, [distance], segments) for table in (vectors, shuffled))
    np.testing.assert_array_equal(one.credit, other.credit)
    of_two = TRIALS.of_type(parse_type("2-choose-1"))
    assert same[of_two].any()
    assert (one.of_type(parse_type("2-choose-1"))[same[of_two]] == 0.5).all()


def test_numbers_near_the_limits_decide_as_they_do_elsewhere() -> None:
    vectors = some_vectors("gaussian").astype(np.float64)
    for expected, *scaled in zip(
        score_vectors(vectors, TRIALS, list(DISTANCES), [Segment("s", 4, 6)]),
        score_vectors(vectors * 2.0**600, TRIALS, list(DISTANCES), [Segment("s", 4, 6)]),
        score_vectors(vectors * 2.0**-900, TRIALS, list(DISTANCES), [Segment("s", 4, 6)]),
        strict=True,
    ):
        for found in scaled:
            np.testing.assert_array_equal(found.credit, expected.credit)


@pytest.mark.parametrize("kind", ["integers", "duplicates", "one-hot"])
def test_tie_heavy_data_has_ties(kind: str) -> None:
    for found in score_vectors(some_vectors(kind), TRIALS):
        assert np.mean(found.credit == 0.5) > 0.01


def test_the_two_default_distances_are_mse_and_cosine() -> None:
    assert [found.distance for found in score_vectors(some_vectors("gaussian"), TRIALS)] == ["mse", "cosine"]


def test_euclidean_decides_as_mse_does() -> None:
    mse, euclidean = score_vectors(some_vectors("duplicates"), TRIALS, ["mse", "euclidean"])
    np.testing.assert_array_equal(mse.credit, euclidean.credit)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_the_order_of_trials_and_images_decides_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = some_vectors("integers", seed=seed % 50)
    rows, images = rng.permutation(len(TRIALS)), rng.permutation(len(vectors))
    place = np.argsort(images)
    moved = TRIALS.take(rows)
    moved = Trials(
        **{
            **vars(moved),
            "images": TRIALS.images[images],
            "query": place[moved.query].astype(np.int32),
            "references": np.where(moved.references < 0, -1, place[moved.references]).astype(np.int32),
        }
    )
    for one, other in zip(score_vectors(vectors, TRIALS), score_vectors(vectors[images], moved), strict=True):
        np.testing.assert_array_equal(one.take(rows).credit, other.credit)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_the_order_of_coordinates_decides_nothing(seed: int) -> None:
    vectors = some_vectors("duplicates", seed=seed % 50)
    shuffled = vectors[:, np.random.default_rng(seed).permutation(vectors.shape[1])]
    names = ["mse", "cosine", "manhattan", "dot", "correlation"]
    for one, other in zip(score_vectors(vectors, TRIALS, names), score_vectors(shuffled, TRIALS, names), strict=True):
        np.testing.assert_array_equal(one.credit, other.credit)


def table_frame(vectors: NDArray[np.floating]) -> pd.DataFrame:
    order = np.random.default_rng(5).permutation(len(vectors))
    return pd.DataFrame({"image_id": [f"image {row}" for row in order], "embedding": list(vectors[order])})


@pytest.mark.parametrize("writer", ["pandas", "polars"])
def test_a_table_of_another_program_is_joined_by_image_id(writer: str, tmp_path: Path) -> None:
    path, vectors = tmp_path / "my model.parquet", some_vectors("gaussian", count=50)
    frame = table_frame(vectors)
    if writer == "pandas":
        frame.to_parquet(path)
    else:
        pl.from_pandas(frame).write_parquet(path)
    found = list(score_table(open_embeddings(path), Plan.of(TRIALS)))
    assert {outcomes.model for outcomes in found} == {"my model"}
    for outcomes, expected in zip(found, score_vectors(vectors[:40], TRIALS), strict=True):
        np.testing.assert_array_equal(outcomes.credit, expected.credit)
        assert outcomes.trials is TRIALS


def test_missing_images_are_counted_and_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    frame = table_frame(some_vectors("gaussian"))
    frame[~frame.image_id.isin(["image 3", "image 7"])].to_parquet(path)
    with pytest.raises(TableError, match=r"lacks images that are needed \(2 of 40\): image 3, image 7; its ids are "):
        list(score_table(open_embeddings(path), Plan.of(TRIALS)))


def test_a_vector_without_a_direction_is_named_with_its_table(tmp_path: Path) -> None:
    path, vectors = tmp_path / "t.parquet", some_vectors("gaussian")
    vectors[11] = 0
    table_frame(vectors).to_parquet(path)
    with pytest.raises(SimilarityError, match=r"t\.parquet: no cosine for 1 image .* only zeros: image 11"):
        list(score_table(open_embeddings(path), Plan.of(TRIALS)))


def test_a_faulty_vector_of_an_image_that_no_trial_shows_does_no_harm(tmp_path: Path) -> None:
    path, vectors = tmp_path / "t.parquet", some_vectors("gaussian", count=41)
    vectors[40] = 0
    table_frame(vectors).to_parquet(path)
    assert len(list(score_table(open_embeddings(path), Plan.of(TRIALS)))) == 2


def test_nothing_fitted_means_no_likelihood() -> None:
    assert all(found.log_likelihood is None for found in score_vectors(some_vectors("relu"), TRIALS))


PLAN = Plan.of(some_trials(40))


def test_half_of_what_is_free_is_taken_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "available_memory", lambda: 2 << 30)
    assert room_for_vectors(PLAN, 2) == (1 << 30) - PLAN.footprint(2)
    monkeypatch.setattr(columns, "available_memory", lambda: None)
    assert room_for_vectors(PLAN, 2) == (4 << 30) - PLAN.footprint(2)


def test_what_the_process_has_taken_counts_where_a_limit_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "used_memory", lambda: 300 << 20)
    assert room_for_vectors(PLAN, 2, 1 << 30) == (1 << 30) - (300 << 20) - PLAN.footprint(2)


def test_too_little_memory_is_refused_with_what_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "used_memory", lambda: 300 << 20)
    with pytest.raises(SimilarityError, match="--memory is too little with 315 MB: 315 MB are in use") as refusal:
        room_for_vectors(PLAN, 2, 300 << 20)
    enough = re.search(r"--memory (\d+)M would do", str(refusal.value))
    assert enough is not None
    assert room_for_vectors(PLAN, 2, int(enough[1]) << 20) >= least_memory(PLAN.used.size)


def test_a_machine_with_little_memory_gives_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    least = PLAN.footprint(1) + least_memory(PLAN.used.size)
    monkeypatch.setattr(columns, "available_memory", lambda: least)
    assert room_for_vectors(PLAN, 1) == least_memory(PLAN.used.size)
    monkeypatch.setattr(columns, "available_memory", lambda: least - 1)
    with pytest.raises(SimilarityError, match=r"these trials need 101 MB of memory, 101 MB are free; fewer trials"):
        room_for_vectors(PLAN, 1)


def test_more_distances_and_more_trials_take_more() -> None:
    more = Plan.of(some_trials(400))
    assert PLAN.footprint(1) < PLAN.footprint(2) < more.footprint(2)
    assert more.footprint(1) > np.zeros(len(more.pairs)).nbytes
