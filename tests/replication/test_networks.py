"""A network with the weights of ImageNet, on the judgments of birds-16.

EfficientNet-Lite2 (Tan & Le, 2019), exported by ``benchmarks/lite2.py``. Its vectors were also computed by PyTorch.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from simtool.tables.embeddings import open_embeddings
from tests.replication.accuracies import Accuracies, Run, accuracies

LAYERS = ("pool", "softmax")
#: By layer, distance and type of trial.
EXPECTED: Accuracies = {
    ("pool", "cosine", "all"): 0.7759,
    ("pool", "cosine", "8-rank-2"): 0.7806,
    ("pool", "cosine", "2-choose-1"): 0.7045,
    ("pool", "mse", "all"): 0.7578,
    ("pool", "mse", "8-rank-2"): 0.7623,
    ("pool", "mse", "2-choose-1"): 0.6888,
    ("softmax", "cosine", "all"): 0.7304,
    ("softmax", "cosine", "8-rank-2"): 0.7362,
    ("softmax", "cosine", "2-choose-1"): 0.6420,
    ("softmax", "mse", "all"): 0.6593,
    ("softmax", "mse", "8-rank-2"): 0.6637,
    ("softmax", "mse", "2-choose-1"): 0.5928,
}


@pytest.fixture
def network() -> Path:
    if "SIMTOOL_LITE2" not in os.environ:
        pytest.skip("SIMTOOL_LITE2 does not name the file that python benchmarks/lite2.py lite2.onnx writes")
    return Path(os.environ["SIMTOOL_LITE2"])


@pytest.fixture(scope="module")
def trials(birds16: Path, folder: Path, run: Run) -> Path:
    out = folder / "trials.parquet"
    run("import-trials", birds16 / "obs_2018.hdf5", "--catalog", birds16 / "catalog.csv", "--out", out)
    return out


@pytest.fixture
def by_torch(vectors: Path) -> list[Path]:
    return [vectors / f"efficientnet-lite2-{layer}.parquet" for layer in LAYERS]


def scores(run: Run, folder: Path, trials: Path, tables: list[Path]) -> Accuracies:
    found = accuracies(run, folder, trials, tables, ["mse", "cosine"], LAYERS)
    return {key: round(value, 4) for key, value in found.items()}


@pytest.mark.slow
def test_the_vectors_of_pytorch_predict_people(trials: Path, by_torch: list[Path], folder: Path, run: Run) -> None:
    assert scores(run, folder, trials, by_torch) == EXPECTED


@pytest.mark.slow
def test_the_exported_network_predicts_people(
    network: Path, trials: Path, images: Path, by_torch: list[Path], folder: Path, run: Run
) -> None:
    tables = [folder / f"{layer}.parquet" for layer in LAYERS]
    outputs = zip(("pooled", "softmax"), tables, strict=True)
    options = [word for layer, table in outputs for word in ("--layer", layer, "--out", table)]
    run("embed", images, "--model", network, *options)
    for ours, theirs in zip(tables, by_torch, strict=True):
        np.testing.assert_allclose(vectors_of(ours), vectors_of(theirs), atol=1e-4)
    assert scores(run, folder, trials, tables) == pytest.approx(EXPECTED, abs=0.002)


def vectors_of(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The vectors of a table, in the order of ids."""
    table = open_embeddings(path)
    return table.read()[np.argsort(table.image_id)]
