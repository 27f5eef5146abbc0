"""The stage report, called from Python."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from simtool import stages
from simtool.errors import UsageError
from simtool.stages.places import PlaceError
from simtool.training.outcome import TrainingError
from tests.scored import latent, model, observe, outcomes_of


def test_figures_that_an_earlier_report_left_are_named_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 10)
    trials = observe(rng, minds, {"2-choose-1": 30})
    one, other = (outcomes_of(f"model {at}", "mse", trials, model(rng, minds, at + 1)) for at in range(2))
    stages.report([one, other], figures=tmp_path, replicates=100, compare=True)
    assert "not of this report" not in capsys.readouterr().err
    stages.report(one, figures=tmp_path, figure_format="svg", replicates=100)
    said = capsys.readouterr().err
    left = f"{tmp_path}: contrasts.png is not of this report, which has no such figure; if an earlier report wrote it"
    assert left in said, said
    assert (tmp_path / "contrasts.png").is_file()


def test_trainings_are_for_the_page_and_their_folders_hold_logs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 10)
    outcomes = outcomes_of("a", "mse", observe(rng, minds, {"2-choose-1": 30}), model(rng, minds, 1))
    with pytest.raises(UsageError, match="--models shows trainings in the page: give --html, too"):
        stages.report(outcomes, models=tmp_path, replicates=100)
    with pytest.raises(TrainingError, match="no log of a training"):
        stages.report(outcomes, models=tmp_path, html=tmp_path / "page.html", replicates=100)
    (tmp_path / "net" / "training").mkdir(parents=True)
    log = tmp_path / "net" / "training" / "log.csv"
    log.write_text("epoch,loss,val_bits_per_dim\n1,3,2\n2,2,1\n")
    with pytest.raises(PlaceError):
        stages.report(outcomes, models=tmp_path / "net", html=log, replicates=100)
    stages.report(outcomes, models=tmp_path / "net", html=tmp_path / "page.html", replicates=100)
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "Training of net" in page
    assert sha256(log.read_bytes()).hexdigest() in page
