"""A linear map of vectors, in the files of gLocal: to a space that predicts judgments of similarity.

Source: Muttenthaler et al., Improving neural network representations using human similarity judgments, Advances in
Neural Information Processing Systems 36, 2023; the files ``transform.npz`` of its repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.errors import listed
from simtool.kinds import Expected, What, explain, kind_of
from simtool.vectors.npy import npz_array
from simtool.vectors.vectors import VectorsError

__all__ = ["LinearMap"]


@dataclass(frozen=True)
class LinearMap:
    """A standardisation and a linear map.

    Attributes:
        mean: of all features; a scalar, or (D,).
        std: the standard deviation of all features; a scalar, or (D,).
        weights: (D, K); or (D,), factors that multiply the values, which gLocal's own files do not have.
        bias: (K,); zero in files without one.
        name: in labels of transformed vectors.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    name: str = "gLocal"

    @classmethod
    def read(cls, path: Path, dimension: int) -> LinearMap:
        """Read a ``transform.npz`` for vectors of a dimension.

        Raises:
            VectorsError: an array is missing, is not finite or does not fit the vectors.
        """
        kind = kind_of(path)
        if kind.damage or kind.what is not What.NPZ:
            raise VectorsError(explain(path, Expected.TRANSFORM))
        arrays = {name: npz_array(path, name) for name in ("weights", "mean", "std", "bias")}
        if missing := [name for name, array in arrays.items() if array is None and name != "bias"]:
            raise VectorsError(f"{path}: not a transform of gLocal: it lacks {listed(missing)}")
        mean, std, weights = (np.asarray(arrays[name], np.float64) for name in ("mean", "std", "weights"))
        if weights.ndim not in (1, 2) or len(weights) != dimension or not weights.size:
            raise VectorsError(
                f"{path}: its weights have the shape {weights.shape}; the vectors have {dimension:,} values: "
                "use the transform of the same network and layer"
            )
        bias = np.zeros(weights.shape[-1]) if arrays["bias"] is None else np.asarray(arrays["bias"], np.float64)
        if bias.shape != weights.shape[-1:] or any(each.shape not in ((), (1,), (dimension,)) for each in (mean, std)):
            raise VectorsError(
                f"{path}: a mean of shape {mean.shape}, a std of {std.shape} and a bias of {bias.shape} do not fit "
                f"weights of {weights.shape}"
            )
        if not all(np.isfinite(each).all() for each in (mean, std, weights, bias)) or not std.all():
            raise VectorsError(f"{path}: it holds NaN, infinity, or a std of 0")
        return cls(mean, std, weights, bias)

    @property
    def dimension(self) -> int:
        """K, the length of a transformed vector."""
        return int(self.weights.shape[-1])

    @property
    def arrays(self) -> dict[str, Any]:
        """The arrays of a file, by name."""
        return {"mean": self.mean, "std": self.std, "weights": self.weights, "bias": self.bias}

    def apply(self, vectors: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Transform (n, D) vectors to (n, K) vectors: ``((x - mean) / std) @ weights + bias``."""
        standard: NDArray[np.float64] = (vectors - self.mean) / self.std
        return (standard * self.weights if self.weights.ndim == 1 else standard @ self.weights) + self.bias
