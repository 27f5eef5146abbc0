"""The gain of a network on birds-16 from learning, for images that it has seen and for new ones.

The vectors are those of EfficientNet-Lite2 with the weights of ImageNet, by PyTorch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool import stages
from simtool.tables.trials import Trials, read_trials
from tests.replication.accuracies import Run


@pytest.fixture(scope="module")
def trials(birds16: Path, folder: Path, run: Run) -> Trials:
    out = folder / "trials.parquet"
    run("import-trials", birds16 / "obs_2018.hdf5", "--catalog", birds16 / "catalog.csv", "--out", out)
    return read_trials(out)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hold_out", "penalty", "before", "after", "tolerance"),
    [("trial", 1000, 0.776, 0.809, 0.006), ("image", 300, 0.775, 0.781, 0.008)],
)
def test_a_network_gains_on_unseen_trials_and_hardly_on_unseen_images(
    vectors: Path, trials: Trials, hold_out: str, penalty: float, before: float, after: float, tolerance: float
) -> None:
    table = vectors / "efficientnet-lite2-pool.parquet"
    found = stages.reweight(table, trials, hold_out=hold_out, penalty=penalty).outcomes
    accuracy = [float(each.credit.mean(dtype=np.float64)) for each in found]
    assert accuracy[0] == pytest.approx(before, abs=0.005)
    assert accuracy[1] == pytest.approx(after, abs=tolerance)
    if hold_out == "image":  # the same comparisons, as much training, but on images that were seen
        assert accuracy[2] > accuracy[1] + 0.01
