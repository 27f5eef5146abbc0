"""Small valid tables to start from."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.tables.provenance import Provenance
from simtool.tables.trials import Trials


@pytest.fixture
def provenance() -> Provenance:
    return Provenance.of(["test", "--flag"], [])


@pytest.fixture
def trials() -> Trials:
    """Three trials over five images: two of 3-rank-2 and one of 2-choose-1."""
    return Trials.build(
        images=["a", "b", "c", "d", "e"],
        trial_type=["3-rank-2", "2-choose-1", "3-rank-2"],
        query=np.array([0, 1, 4]),
        references=np.array([[1, 2, 3], [0, 2, -1], [3, 2, 0]]),
        selected=np.array([[0, 2], [1, -1], [1, 0]]),
        participant=["p1", None, "p2"],
        weight=np.array([1.0, np.nan, 0.5]),
    )
