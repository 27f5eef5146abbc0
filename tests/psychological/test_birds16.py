"""The real judgments of birds-16: one fold of five, with the known accuracies of eight dimensions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool.judgments.folds import HoldOut, trial_folds
from simtool.judgments.importing import import_judgments
from simtool.psychological.fitting import Settings, fitted
from simtool.psychological.sample import Sample


@pytest.mark.slow
def test_eight_dimensions_predict_held_out_trials(birds16: Path) -> None:
    trials = import_judgments(birds16 / "obs_v0.6.0.hdf5", catalog=birds16 / "catalog_v0.6.0.hdf5").judgments.trials
    fold = trial_folds(trials, HoldOut.TRIAL, 5)[0]
    sample = Sample.of(trials)
    test = sample.take(fold.test)
    embedding = fitted(sample.take(fold.train), 8, Settings(restarts=1))
    credit, _ = embedding.judged(test)
    nats = embedding.log_probability(test)
    kind = {str(each): number for number, each in enumerate(trials.types)}
    known = {"8-rank-2": (0.825, 2.69), "2-choose-1": (0.749, 0.50)}  # of all five folds: accuracy, highest loss
    for name, (accuracy, loss) in known.items():
        own = test.trials.type_index == kind[name]
        assert credit[np.repeat(own, test.trials.implied)].mean() == pytest.approx(accuracy, abs=0.02)
        assert -nats[own].mean() < loss + 0.03
