"""The stage report, called from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simtool import stages
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
