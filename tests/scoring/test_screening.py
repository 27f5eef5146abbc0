from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.scoring import plan
from simtool.scoring.columns import HeldColumns
from simtool.scoring.distances import distance_named
from simtool.scoring.plan import Plan
from simtool.scoring.screening import is_screened, screen
from tests.scoring.judged import WILD, exact_credit, some_trials, some_vectors, wild_vectors

NAMES = ("mse", "cosine", "euclidean", "correlation")
TRIALS = some_trials(200)
PLANS = pytest.mark.parametrize("dense", [False, True], ids=["list", "matrix"])


@pytest.fixture
def made(dense: bool, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setattr(plan, "is_dense", lambda *_: dense)
    return Plan.of(TRIALS)


def screened(vectors: NDArray[np.floating], made: Plan, *names: str) -> NDArray[np.float32]:
    return screen(HeldColumns(vectors), made, [distance_named(name) for name in names])


def test_distances_that_follow_from_squared_ones_are_screened() -> None:
    assert all(is_screened(distance_named(name)) for name in NAMES)
    assert not any(is_screened(distance_named(name)) for name in ("dot", "manhattan", "mse/segments"))


@PLANS
@pytest.mark.parametrize("kind", ["gaussian", "pixels", "relu"])
def test_nothing_is_left_open_where_no_distances_are_near(kind: str, made: Plan) -> None:
    assert not np.isnan(screened(some_vectors(kind, dimension=300), made, *NAMES)).any()


@PLANS
@pytest.mark.parametrize("kind", ["one-hot", "integers"])
def test_ties_of_whole_numbers_are_decided(kind: str, made: Plan) -> None:
    vectors = some_vectors(kind)
    for name, found in zip(("mse", "cosine"), screened(vectors, made, "mse", "cosine"), strict=True):
        assert (found == 0.5).any()
        np.testing.assert_array_equal(found, exact_credit(name, vectors, TRIALS))


@PLANS
def test_ties_of_other_numbers_are_left_open_and_nothing_else(made: Plan) -> None:
    vectors = some_vectors("duplicates")
    for name, found in zip(NAMES, screened(vectors, made, *NAMES), strict=True):
        np.testing.assert_array_equal(np.isnan(found), exact_credit(name, vectors, TRIALS) == 0.5)


@PLANS
@pytest.mark.parametrize("kind", WILD)
def test_what_is_decided_is_decided_as_in_exact_arithmetic(
    kind: str, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "is_dense", lambda *_: dense)
    vectors, trials = wild_vectors(kind, 12, 12), some_trials(16, images=12)
    for name, found in zip(NAMES, screened(vectors, Plan.of(trials), *NAMES), strict=True):
        known = ~np.isnan(found)
        np.testing.assert_array_equal(found[known], exact_credit(name, vectors, trials)[known], err_msg=name)


@PLANS
def test_blocks_of_columns_add_up(made: Plan) -> None:
    vectors, seen = some_vectors("pixels", dimension=70), list[int]()
    columns = HeldColumns(vectors, width=16)
    found = screen(columns, made, [distance_named("mse")], advance=seen.append)
    np.testing.assert_array_equal(found, screened(vectors, made, "mse"))
    assert seen == [16, 16, 16, 16, 6]
