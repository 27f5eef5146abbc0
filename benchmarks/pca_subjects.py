"""The subjects of benchmarks/pca.py: each solver in a separate process.

    python benchmarks/pca_subjects.py SUBJECT FOLDER COMPONENTS

FOLDER holds ``matrix.npy``, or ``images.txt`` with the arguments of ``simtool fit-pca`` for the subject of that name.
The last line of standard output is a JSON object. It includes the variances and the components' deviation from
orthonormality, which measure the accuracy.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SUBJECTS", "peak_bytes"]

#: Number of rows that streaming subjects read at a time.
BATCH = 64


def peak_bytes() -> int:
    """Peak memory of this process. ``getrusage`` would include the memory of the parent process."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def simtool(folder: Path, count: int) -> dict[str, Any]:
    """simtool: read the matrix from its file in blocks, as it reads images."""
    from simtool.models.pca.fit import fit_components

    matrix = np.load(folder / "matrix.npy", mmap_mode="r")
    (rows, columns), offset = matrix.shape, int(matrix.offset)
    del matrix
    before = peak_bytes()
    started = time.perf_counter()
    fit = fit_components(_streamed(folder / "matrix.npy", offset, rows, columns), rows, columns, count, folder)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "peak_bytes": peak_bytes(),
        "above_data_bytes": peak_bytes() - before,
        "ratio": (fit.variance / fit.total_variance).tolist(),
        "orthogonality": fit.orthogonality,
        "residual": fit.residual,
    }


class _WholeMatrix:
    """The matrix of inner products in one array, for solvers that need it whole; only the lower half is kept up."""

    def __init__(self, size: int, workers: Any) -> None:
        self.size, self.values, self._workers = size, np.zeros((size, size)), workers
        self._tiles = [
            (slice(top, top + 512), slice(left, left + 512))
            for top in range(0, size, 512)
            for left in range(0, top + 1, 512)
        ]

    def add_product(self, factor: NDArray[Any]) -> None:
        def add(tile: tuple[slice, slice]) -> None:
            self.values[tile] += factor[tile[0]] @ factor[tile[1]].T

        self._workers.each(add, self._tiles)

    def trace(self) -> float:
        return float(self.values.trace())

    def mirrored(self) -> NDArray[np.float64]:
        for rows, columns in self._tiles:
            self.values[columns, rows] = self.values[rows, columns].T
        return self.values


def _dense(matrix: _WholeMatrix, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """LAPACK, in place: the lower half of rows is the upper half of columns."""
    from scipy.linalg import eigh

    some = (matrix.size - count, matrix.size - 1)
    return eigh(matrix.values.T, lower=False, subset_by_index=some, driver="evr", overwrite_a=True)  # type: ignore[no-any-return]


def _arpack(matrix: _WholeMatrix, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy.sparse.linalg import eigsh

    start = np.random.default_rng(0).uniform(-1, 1, matrix.size)
    return eigsh(matrix.mirrored(), count, which="LA", v0=start)  # type: ignore[no-any-return]


def simtool_with(solver: Callable[[_WholeMatrix, int], tuple[Any, Any]]) -> Callable[[Path, int], dict[str, Any]]:
    """Simtool's fit with a solver of SciPy for the eigenpairs of the inner products."""

    def run(folder: Path, count: int) -> dict[str, Any]:
        import simtool.models.pca.fit as module
        from simtool.models.pca.eigen import EigenPairs

        def pairs(matrix: Any, count: int, workers: Any, seed: int) -> EigenPairs:  # noqa: ARG001
            with workers.together():
                values, vectors = solver(matrix, count)
            order = np.argsort(-values)
            return EigenPairs(values[order], vectors[:, order], 0.0, solver.__name__)

        vars(module).update(leading_eigenpairs=pairs, SymmetricMatrix=_WholeMatrix)
        return simtool(folder, count)

    return run


def _streamed(path: Path, offset: int, rows: int, columns: int) -> Iterator[NDArray[np.float32]]:
    with path.open("rb") as file:
        file.seek(offset)
        for start in range(0, rows, BATCH):
            batch = min(BATCH, rows - start)
            yield np.fromfile(file, np.float32, batch * columns).reshape(batch, columns)


def fit_pca(folder: Path, count: int) -> dict[str, Any]:
    """The whole command ``fit-pca``: image files to a model folder, including the import of TensorFlow."""
    from simtool.cli import main

    arguments = json.loads((folder / "images.txt").read_text())
    sys.argv = ["simtool", "fit-pca", *arguments, "--components", str(count), "--out", str(folder / "model")]
    sys.argv += ["--scratch", str(folder)]
    before = peak_bytes()
    started = time.perf_counter()
    try:
        main()
    except SystemExit as end:  # a command exits with 0 at its end
        if end.code:
            raise
    seconds = time.perf_counter() - started
    log = json.loads((folder / "model" / "fit.json").read_text())
    return {
        "seconds": seconds,
        "peak_bytes": peak_bytes(),
        "above_data_bytes": peak_bytes() - before,
        "ratio": log["explained_variance_ratio"],
        "orthogonality": log["orthogonality"],
        "residual": log["residual"],
    }


def scikit_learn(solver: str, **options: Any) -> Callable[[Path, int], dict[str, Any]]:
    """A solver of scikit-learn. It may overwrite the matrix in memory."""

    def run(folder: Path, count: int) -> dict[str, Any]:
        from sklearn.decomposition import PCA, IncrementalPCA

        matrix = np.load(folder / "matrix.npy")
        if solver == "incremental":
            model = IncrementalPCA(count, batch_size=max(count, 500), copy=False)
        else:
            model = PCA(count, svd_solver=solver, copy=False, random_state=0, **options)
        before = peak_bytes()
        started = time.perf_counter()
        model.fit(matrix)
        seconds = time.perf_counter() - started
        peak = peak_bytes()
        components = model.components_.astype(np.float64)
        return {
            "seconds": seconds,
            "peak_bytes": peak,
            "above_data_bytes": peak - before,
            "ratio": np.asarray(model.explained_variance_ratio_, np.float64).tolist(),
            "orthogonality": float(np.abs(components @ components.T - np.eye(len(components))).max()),
        }

    return run


SUBJECTS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "simtool": simtool,
    "simtool with SciPy dense": simtool_with(_dense),
    "simtool with SciPy ARPACK": simtool_with(_arpack),
    "simtool fit-pca": fit_pca,
    "scikit-learn randomized": scikit_learn("randomized"),
    "scikit-learn randomized 16": scikit_learn("randomized", iterated_power=16),
    "scikit-learn randomized 32": scikit_learn("randomized", iterated_power=32),
    "scikit-learn randomized 64": scikit_learn("randomized", iterated_power=64),
    "scikit-learn arpack": scikit_learn("arpack"),
    "scikit-learn incremental": scikit_learn("incremental"),
    "scikit-learn covariance": scikit_learn("covariance_eigh"),
    "scikit-learn full": scikit_learn("full"),
}


if __name__ == "__main__":
    subject, place, components = sys.argv[1:]
    found = SUBJECTS[subject](Path(place), int(components))
    sys.stdout.write("\n" + json.dumps(found) + "\n")
