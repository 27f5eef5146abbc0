"""Shares of simulated studies, with their Monte Carlo error."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simtool.validity.share import Share


def test_a_share_counts_the_studies_that_have_a_property() -> None:
    assert Share.of(np.array([True, False, True, True])) == Share(3, 4)
    assert Share(3, 4).value == 0.75


def test_the_error_is_that_of_a_binomial_share_and_never_0() -> None:
    assert Share(950, 1000).error == pytest.approx(math.sqrt(0.95 * 0.05 / 1000), rel=0.03)
    assert 0 < Share(200, 200).error < 0.01
    assert Share(0, 50).error == pytest.approx(Share(50, 50).error)
