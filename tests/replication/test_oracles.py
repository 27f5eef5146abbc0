"""Models that know only the labels of the birds, on the real judgments: their accuracies follow from the data alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.analysis.tally import tally
from simtool.judgments.importing import import_judgments
from simtool.scoring.scoring import score_vectors
from simtool.tables.trials import Trials


@pytest.fixture(scope="module")
def trials(birds16: Path) -> Trials:
    return import_judgments(birds16 / "obs_2018.hdf5", catalog=birds16 / "catalog.csv").judgments.trials


def one_hot(trials: Trials, depth: int) -> NDArray[np.float32]:
    """(n, labels) from the ``depth``-th folder of each image's id: its family, or its species."""
    labels = [str(name).split("/")[depth] for name in trials.images]
    return np.eye(len(set(labels)), dtype=np.float32)[np.unique(labels, return_inverse=True)[1]]


FAMILY, SPECIES = -3, -2


@pytest.mark.parametrize("distance", ["mse", "cosine", "manhattan", "dot"])
@pytest.mark.parametrize(
    ("labels", "ranked", "chosen", "pooled"),
    [
        ((SPECIES,), 0.6010, 0.6028, 0.6011),
        ((FAMILY,), 0.7145, 0.6245, 0.7089),
        ((FAMILY, SPECIES), 0.7433, 0.6666, 0.7385),
    ],
)
def test_labels_alone_predict_so_much(
    labels: tuple[int, ...], ranked: float, chosen: float, pooled: float, distance: str, trials: Trials
) -> None:
    vectors = np.concatenate([one_hot(trials, depth) for depth in labels], axis=1)
    (outcomes,) = score_vectors(vectors, trials, [distance])
    found = {one.trials: (round(one.accuracy, 4), one.comparisons) for one in tally(outcomes)}
    assert found == {"8-rank-2": (ranked, 114_036), "2-choose-1": (chosen, 7_520), "all": (pooled, 121_556)}


def test_species_alone_leave_most_comparisons_tied(trials: Trials) -> None:
    (outcomes,) = score_vectors(one_hot(trials, SPECIES), trials, ["mse"])
    everything = next(one for one in tally(outcomes) if one.trials == "all")
    same = one_hot(trials, SPECIES).argmax(axis=1)
    shown = np.where(trials.references < 0, -1, same[trials.references])
    without = (shown != same[trials.query][:, None]).all(axis=1)
    for kind, count in (("8-rank-2", 4_670), ("2-choose-1", 4_098)):
        rows = np.flatnonzero([str(trials.types[index]) == kind for index in trials.type_index])
        assert without[rows].sum() == count
        assert (outcomes.take(rows[without[rows]]).credit == 0.5).all()
    assert everything.ties > everything.comparisons / 2
