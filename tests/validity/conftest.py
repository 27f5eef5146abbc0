"""A small study, and models that were scored on it."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from tests.scored import latent, model, observe, outcomes_of


@pytest.fixture(scope="session")
def trials() -> Trials:
    """240 trials of 12 people with 30 images."""
    rng = np.random.default_rng(0)
    return observe(rng, latent(rng, 30), {"4-rank-2": 100, "3-odd-1": 70, "2-choose-1": 70}, participants=12)


@pytest.fixture(scope="session")
def scored(trials: Trials) -> list[Outcomes]:
    """A good model and a poor one."""
    rng = np.random.default_rng(0)
    minds = latent(rng, 30)
    return [
        outcomes_of(name, "mse", trials, model(rng, minds, noise)) for name, noise in (("good", 0.3), ("poor", 2.0))
    ]
