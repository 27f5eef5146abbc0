"""Reports to render."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simtool.analysis.building import build_report
from simtool.analysis.metrics import Order
from simtool.analysis.report import Report, Settings
from simtool.tables.observers import Observers
from tests.scored import latent, model, observe, outcomes_of

#: Models whose names try every format: long, with markup, with marks that separate cells.
NAMES = ("pixels", "ResNet50, penultimate layer, trained from scratch", "<b>R&D</b> | *x*_1", "Glöw")


def make_report(
    baseline: str | None = "pixels",
    models: tuple[str, ...] = NAMES,
    pairs: int = 200,
    order: Order = Order.ACCURACY,
    **columns: Any,
) -> Report:
    """Models of rising quality with two distances, on both of the usual trial types."""
    rng = np.random.default_rng(3)
    minds = latent(rng, 14)
    trials = observe(rng, minds, {"8-rank-2": 40, "2-choose-1": pairs}, **columns)
    outcomes = [
        outcomes_of(name, distance, trials, model(rng, minds, noise))
        for name, noise in zip(models, np.linspace(3, 0.2, len(models)), strict=True)
        for distance in ("mse", "cosine")
    ]
    return build_report(outcomes, Settings(replicates=100, baseline=baseline, order=order))


@pytest.fixture(scope="session")
def report() -> Report:
    """Human observers, four models, a baseline; enough judgments for a noise ceiling of 2-choose-1."""
    return make_report(pairs=1500, observers=Observers.HUMAN)


@pytest.fixture(scope="session")
def simulated() -> Report:
    """The same with simulated observers and no baseline."""
    return make_report(None, observers=Observers.SIMULATED)


#: Names as tables hold them: controls, markup of every kind, formulas, mathematics that does not parse.
HOSTILE = (
    "\x1b[2Jgone\r\nnext\u202e",
    "[red]rich[/red] [link=file:///etc]",
    "--><script>alert(1)</script>&lt;",
    "=HYPERLINK(A1)",
    "@SUM(1)",
    "-2+3",
    "\t=1+1",
    "a | b `c` $d$ **e** <f>",
    "漢字モデル",
)


@pytest.fixture(scope="session")
def hostile() -> Report:
    """Models with hostile names; the last is the baseline."""
    return make_report(HOSTILE[-1], HOSTILE, pairs=30)
