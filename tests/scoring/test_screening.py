from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.designs import parse_type
from simtool.scoring import plan, screening
from simtool.scoring.columns import HeldColumns
from simtool.scoring.distances import distance_named
from simtool.scoring.plan import Plan
from simtool.scoring.screening import is_screened, screen
from simtool.tables.trials import Trials
from tests.scoring.judged import WILD, exact_credit, some_trials, some_vectors, wild_vectors

NAMES = ("mse", "cosine", "euclidean", "correlation")
TRIALS = some_trials(200)
#: Choices of one of two references only.
CHOICES = (many := some_trials(800)).take(many.of_type(parse_type("2-choose-1")))
PLANS = pytest.mark.parametrize("way", ["list", "single", "double"])
SAMPLES = pytest.mark.parametrize("trials", [TRIALS, CHOICES], ids=["types", "choices"])


@pytest.fixture
def make(way: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Trials], Plan]:
    """Plans that use a list of pairs, a matrix in single precision wherever that is allowed, or in double precision."""
    monkeypatch.setattr(plan, "is_dense", lambda *_: way != "list")
    monkeypatch.setattr(screening, "_UNDECIDED", 1 if way == "single" else -1)
    return Plan.of


def screened(vectors: NDArray[np.floating], made: Plan, *names: str) -> NDArray[np.float32]:
    return screen(HeldColumns(vectors, made.used), made, [distance_named(name) for name in names])


def test_distances_that_follow_from_squared_ones_are_screened() -> None:
    assert all(is_screened(distance_named(name)) for name in NAMES)
    assert not any(is_screened(distance_named(name)) for name in ("dot", "manhattan", "mse/segments"))


@PLANS
@SAMPLES
@pytest.mark.parametrize("kind", ["gaussian", "pixels", "relu"])
def test_nothing_is_left_open_where_no_distances_are_near(
    kind: str, trials: Trials, make: Callable[[Trials], Plan]
) -> None:
    assert not np.isnan(screened(some_vectors(kind, dimension=300), make(trials), *NAMES)).any()


@PLANS
@SAMPLES
@pytest.mark.parametrize("kind", ["one-hot", "integers"])
def test_ties_of_whole_numbers_are_decided(kind: str, trials: Trials, make: Callable[[Trials], Plan]) -> None:
    vectors = some_vectors(kind)
    for name, found in zip(("mse", "cosine"), screened(vectors, make(trials), "mse", "cosine"), strict=True):
        assert (found == 0.5).any()
        np.testing.assert_array_equal(found, exact_credit(name, vectors, trials))


@PLANS
@SAMPLES
def test_ties_of_other_numbers_are_left_open_and_nothing_else(trials: Trials, make: Callable[[Trials], Plan]) -> None:
    vectors = some_vectors("duplicates")
    for name, found in zip(NAMES, screened(vectors, make(trials), *NAMES), strict=True):
        np.testing.assert_array_equal(np.isnan(found), exact_credit(name, vectors, trials) == 0.5)


@PLANS
@pytest.mark.parametrize("kind", WILD)
def test_what_is_decided_is_decided_as_in_exact_arithmetic(kind: str, make: Callable[[Trials], Plan]) -> None:
    vectors, trials = wild_vectors(kind, 12, 12), some_trials(16, images=12)
    for name, found in zip(NAMES, screened(vectors, make(trials), *NAMES), strict=True):
        known = ~np.isnan(found)
        np.testing.assert_array_equal(found[known], exact_credit(name, vectors, trials)[known], err_msg=name)


@pytest.mark.parametrize("way", ["single"])
@SAMPLES
def test_what_single_precision_cannot_tell_is_computed_again(
    trials: Trials, make: Callable[[Trials], Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = some_vectors("gaussian")
    vectors = vectors[:1] + vectors * np.float32(1e-3)
    vectors[-1] += 100  # an outlier, so that the others remain near each other when they are centered
    distances = [distance_named(name) for name in ("mse", "cosine")]
    made = make(trials)
    columns = HeldColumns(vectors, made.used)
    found = screening._by_single_matrix(columns, made, distances, None, lambda _: None)
    assert found is not None
    for distance, credit in zip(distances, found, strict=True):
        known = ~np.isnan(credit)
        assert known.mean() > 0.98
        np.testing.assert_array_equal(credit[known], exact_credit(distance.name, vectors, trials)[known])
    monkeypatch.setattr(screening, "_UNDECIDED", 0.1)
    assert screening._by_single_matrix(columns, made, distances, None, lambda _: None) is None


@PLANS
def test_blocks_of_columns_add_up(make: Callable[[Trials], Plan]) -> None:
    vectors, seen, made = some_vectors("pixels", dimension=70), list[int](), make(TRIALS)
    columns = HeldColumns(vectors, width=16)
    found = screen(columns, made, [distance_named("mse")], advance=seen.append)
    np.testing.assert_array_equal(found, screened(vectors, made, "mse"))
    assert seen == [16, 16, 16, 16, 6]


def test_columns_are_counted_once_where_single_precision_is_not_enough() -> None:
    seen = list[int]()
    near = some_vectors("duplicates", dimension=70)
    screen(HeldColumns(near), Plan.of(TRIALS), [distance_named("mse")], advance=seen.append)
    assert seen == [70]
