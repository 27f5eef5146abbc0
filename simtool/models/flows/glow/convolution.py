"""The invertible 1x1 convolution, by its PLU factors (Kingma & Dhariwal, 2018, section 3.2).

W = P L (U + diag(s)), with P a fixed permutation, L unit lower and U strictly upper triangular, and s = sign exp(log s)
with a fixed sign. Then log|det W| = sum log s. One square matrix of weights holds L, U and log s: below, above and on
its diagonal. All functions take any leading axes: the weights of one step, or of all steps of a level.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import scipy.linalg
from keras import ops
from numpy.typing import NDArray

__all__ = ["constant_shapes", "initial", "inverse_matrix", "log_det", "matrix", "shapes"]

_FACTORS, _PERMUTATION, _SIGN = "convolution/factors", "convolution/permutation", "convolution/sign"


def shapes(channels: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the trained weights of one convolution."""
    return {_FACTORS: (channels, channels)}


def constant_shapes(channels: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the constants of one convolution: P and the sign of s."""
    return {_PERMUTATION: (channels, channels), _SIGN: (channels,)}


def initial(
    channels: int, generator: np.random.Generator
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """The factors of a random rotation.

    Returns:
        The weights of :func:`shapes`, and the constants: the permutation P (c, c) and the sign of s (c,).
    """
    rotation = np.linalg.qr(generator.standard_normal((channels, channels)))[0]
    permutation, lower, upper = scipy.linalg.lu(rotation)
    diagonal = np.diag(upper)
    factors = np.tril(lower, -1) + np.triu(upper, 1) + np.diag(np.log(np.abs(diagonal)))
    return {_FACTORS: factors}, {_PERMUTATION: permutation, _SIGN: np.sign(diagonal)}


def log_det(weights: Mapping[str, Any]) -> Any:
    """log|det W| of one pixel, (...,)."""
    return ops.sum(_log_scale(weights), axis=-1)


def matrix(weights: Mapping[str, Any], constants: Mapping[str, Any]) -> Any:
    """W^T, (..., c, c): a pixel is a row, and y = x W^T."""
    lower, upper = _triangles(weights, constants)
    return _transposed(constants[_PERMUTATION] @ (lower @ upper))


def inverse_matrix(weights: Mapping[str, Any], constants: Mapping[str, Any]) -> Any:
    """W^-T, (..., c, c), by triangular solves: W^-1 = (U + diag(s))^-1 L^-1 P^T."""
    lower, upper = _triangles(weights, constants)
    halfway = ops.linalg.solve_triangular(lower, _transposed(constants[_PERMUTATION]), lower=True)
    return _transposed(ops.linalg.solve_triangular(upper, halfway, lower=False))


def _log_scale(weights: Mapping[str, Any]) -> Any:
    return ops.diagonal(weights[_FACTORS], axis1=-2, axis2=-1)


def _triangles(weights: Mapping[str, Any], constants: Mapping[str, Any]) -> tuple[Any, Any]:
    """L and U + diag(s), (..., c, c) each."""
    factors = weights[_FACTORS]
    dtype = keras.backend.standardize_dtype(factors.dtype)
    channels = factors.shape[-1]
    below = ops.convert_to_tensor(np.tri(channels, k=-1), dtype)
    identity = ops.convert_to_tensor(np.eye(channels), dtype)
    diagonal = constants[_SIGN] * ops.exp(_log_scale(weights))
    return factors * below + identity, factors * ops.transpose(below) + identity * ops.expand_dims(diagonal, -1)


def _transposed(square: Any) -> Any:
    return ops.swapaxes(square, -1, -2)
