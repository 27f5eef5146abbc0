"""Poolings turn maps into vectors: names, windows, and the numbers of every library."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.errors import UsageError
from simtool.models.errors import ModelError
from simtool.models.pooling import Pool, Pooling, split_layer, with_pooling

MAPS = np.random.default_rng(0).normal(size=(3, 6, 8, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("layer", "name", "pooling"),
    [
        ("conv4", "conv4", Pooling()),
        ("conv4:flat", "conv4", Pooling(Pool.FLAT)),
        ("dense:0", "dense:0", Pooling()),
        ("dense:0:pool=max", "dense:0", Pooling(Pool.MAX)),
        ("net/conv4:pool=mean+std,window=0.5", "net/conv4", Pooling(Pool.MEAN_STD, 0.5)),
        ("conv4:window=0.375", "conv4", Pooling(window=0.375)),
    ],
)
def test_a_layer_states_its_pooling_after_its_name(layer: str, name: str, pooling: Pooling) -> None:
    assert split_layer(layer) == (name, pooling)


@given(st.sampled_from(Pool), st.sampled_from([1.0, 0.5, 0.375]))
def test_a_layer_with_a_pooling_is_read_as_it_is_written(pool: Pool, window: float) -> None:
    assert split_layer(with_pooling("conv4", Pooling(pool, window))) == ("conv4", Pooling(pool, window))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pool=median", "--pool is mean, mean.std, max, flat, surprise, not median"),
        ("window=half", "--window is a number, not half"),
        ("window=0", "above 0 and at most 1, not 0"),
        ("window=1.5", "above 0 and at most 1, not 1.5"),
        ("window=nan", "above 0 and at most 1, not nan"),
        ("pool=max,pool=mean", "pool is stated twice, as max and as mean"),
        ("window=0.5,pool=max,window=0.5", "window is stated twice, as 0.5 and as 0.5"),
    ],
)
def test_an_unknown_pooling_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Pooling.parse(text)


@given(st.integers(1, 300), st.floats(0.01, 1))
def test_a_window_is_central_and_the_nearest_to_its_part_of_the_side(side: int, window: float) -> None:
    kept = range(side)[Pooling(window=window).kept(side)]
    assert kept[0] == side - 1 - kept[-1]
    assert len(kept) >= 1
    assert len(kept) <= 2 or abs(len(kept) - side * window) <= 1 + 1e-9


def test_half_of_sixteen_pixels_are_the_middle_eight() -> None:
    assert Pooling(window=0.5).kept(16) == slice(4, 12)


def test_vectors_hold_the_statistics_of_the_window() -> None:
    middle = MAPS[:, 1:5, 2:6]
    expected = {
        Pool.MEAN: middle.mean((1, 2)),
        Pool.MAX: middle.max((1, 2)),
        Pool.MEAN_STD: np.concatenate([middle.mean((1, 2)), middle.std((1, 2))], axis=1),
        Pool.FLAT: middle.reshape(3, -1),
    }
    for pool, values in expected.items():
        pooling = Pooling(pool, 0.5)
        found = pooling.vectors(MAPS, np)
        np.testing.assert_allclose(found, values, rtol=1e-6, atol=1e-6)
        assert found.shape[1] == np.prod(pooling.shape(MAPS.shape[1:], "conv4"))


def test_keras_computes_the_same_vectors() -> None:
    ops = pytest.importorskip("keras.ops")
    for pool in (Pool.MEAN, Pool.MEAN_STD, Pool.MAX, Pool.FLAT):
        pooling = Pooling(pool, 0.5)
        found = pooling.vectors(ops.convert_to_tensor(MAPS), ops)
        np.testing.assert_allclose(found, pooling.vectors(MAPS, np), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", [Pool.MEAN, Pool.FLAT])
def test_a_vector_stays_as_it_is(pool: Pool) -> None:
    pooling, vectors = Pooling(pool), MAPS[:, 0, 0]
    np.testing.assert_array_equal(pooling.vectors(vectors, np), vectors)
    assert pooling.shape((5,), "logits") == (5,)


@pytest.mark.parametrize("pooling", [Pooling(Pool.MEAN_STD), Pooling(Pool.MAX), Pooling(window=0.5)])
def test_what_needs_a_map_is_refused_for_a_vector(pooling: Pooling) -> None:
    with pytest.raises(
        ModelError, match=r"^layer logits has no map, but a vector of 5 values; leave out --pool and --"
    ):
        pooling.shape((5,), "logits")


@given(st.sampled_from([Pool.MEAN, Pool.MEAN_STD, Pool.MAX, Pool.FLAT]), st.integers(1, 3), st.sampled_from([1, 0.5]))
def test_channels_may_be_on_any_axis(pool: Pool, axis: int, window: float) -> None:
    pooling, moved = Pooling(pool, window), np.moveaxis(MAPS, 3, axis)
    found = pooling.vectors(moved, np, axis)
    expected = pooling.vectors(MAPS, np).reshape(3, *pooling.shape(MAPS.shape[1:], "conv4"))
    np.testing.assert_allclose(found, np.moveaxis(expected, -1, axis if pool is Pool.FLAT else -1).reshape(3, -1))
    assert found.shape[1] == np.prod(pooling.shape(moved.shape[1:], "conv4", axis - 1))


@pytest.mark.parametrize(
    ("pooling", "label"),
    [
        (Pooling(), ""),
        (Pooling(Pool.MEAN_STD, 0.5), "mean+std, window 0.5"),
        (Pooling(Pool.FLAT), "flat"),
        (Pooling(window=1 / 3), f"window {1 / 3}"),
    ],
)
def test_a_label_names_what_differs_from_the_mean_of_the_whole_map(pooling: Pooling, label: str) -> None:
    assert pooling.label == label


def test_tokens_are_pooled_but_have_no_window() -> None:
    tokens = MAPS[:, 0]
    np.testing.assert_allclose(Pooling().vectors(tokens, np), tokens.mean(1), rtol=1e-6)
    with pytest.raises(ModelError, match=r"layer tokens has no map of height and width, but 8 x 5 values"):
        Pooling(window=0.5).shape((8, 5), "tokens")
