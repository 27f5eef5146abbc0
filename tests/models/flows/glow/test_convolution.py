"""The invertible 1x1 convolution, by its factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simtool.models.flows.glow import convolution
from simtool.tensorflow import load_tensorflow

tf = load_tensorflow()


def _tensors(channels: int, seed: int, moved: float, dtype: str = "float64") -> tuple[dict[str, Any], dict[str, Any]]:
    """The weights, ``moved`` away from the initial rotation, and the constants."""
    random = np.random.default_rng(seed)
    weights, constants = convolution.initial(channels, random)
    weights["convolution/factors"] += moved * random.standard_normal((channels, channels))
    return tuple({n: tf.constant(v, dtype) for n, v in part.items()} for part in (weights, constants))  # type: ignore[return-value]


@pytest.mark.parametrize("channels", [1, 2, 12, 96])
def test_it_starts_as_a_rotation(channels: int) -> None:
    weights, constants = _tensors(channels, seed=0, moved=0)
    matrix = convolution.matrix(weights, constants).numpy()
    assert matrix @ matrix.T == pytest.approx(np.eye(channels), abs=1e-12)
    assert convolution.log_det(weights).numpy() == pytest.approx(0, abs=1e-12)


def test_different_seeds_give_different_rotations_and_the_same_seed_the_same() -> None:
    first, again, other = (convolution.matrix(*_tensors(4, seed, 0)).numpy() for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("channels", [2, 5, 24])
def test_its_log_determinant_and_inverse_are_those_of_its_matrix(channels: int, seed: int) -> None:
    weights, constants = _tensors(channels, seed, moved=0.2)
    matrix = convolution.matrix(weights, constants).numpy()
    inverse = convolution.inverse_matrix(weights, constants).numpy()
    assert convolution.log_det(weights).numpy() == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-9)
    assert matrix @ inverse == pytest.approx(np.eye(channels), abs=1e-9)


def test_the_factors_are_those_that_the_module_names() -> None:
    weights, constants = _tensors(6, seed=3, moved=0.2)
    factors, permutation = (
        part[name].numpy() for part, name in ((weights, "convolution/factors"), (constants, "convolution/permutation"))
    )
    lower = np.tril(factors, -1) + np.eye(6)
    upper = np.triu(factors, 1) + np.diag(constants["convolution/sign"].numpy() * np.exp(np.diag(factors)))
    pixel = np.arange(6.0)
    assert pixel @ convolution.matrix(weights, constants).numpy() == pytest.approx(
        permutation @ lower @ upper @ pixel, abs=1e-12
    )


def test_stacked_weights_give_what_each_gives_alone() -> None:
    alone = [_tensors(8, seed, moved=0.1) for seed in range(3)]
    weights, constants = ({n: tf.stack([one[i][n] for one in alone]) for n in alone[0][i]} for i in (0, 1))
    for function in (convolution.matrix, convolution.inverse_matrix):
        assert function(weights, constants).numpy() == pytest.approx(
            np.stack([function(*one).numpy() for one in alone]), abs=1e-12
        )
    assert convolution.log_det(weights).numpy() == pytest.approx([convolution.log_det(w).numpy() for w, _ in alone])


def test_no_step_of_the_weights_can_make_it_singular() -> None:
    weights, constants = _tensors(4, seed=0, moved=0)
    moved = {"convolution/factors": weights["convolution/factors"] - 5 * tf.eye(4, dtype=tf.float64)}
    assert convolution.log_det(moved).numpy() == pytest.approx(
        np.linalg.slogdet(convolution.matrix(moved, constants).numpy())[1]
    )
    assert np.isfinite(convolution.inverse_matrix(moved, constants).numpy()).all()
