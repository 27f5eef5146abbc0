"""The variance of agreement, beside plain loops over all pairs of judgments."""

from __future__ import annotations

import numpy as np
import pytest

from simtool.analysis.inference.agreement import agreement_covariance
from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.values import Values


@pytest.mark.parametrize(("weighted", "fixed"), [(False, False), (True, False), (True, True)])
def test_people_count_twice_and_judgments_with_a_common_image_once(weighted: bool, fixed: bool) -> None:
    rng = np.random.default_rng(0)
    n, people, images = 60, 6, 30
    shown = np.stack([np.sort(rng.permutation(images)[:3]) for _ in range(20)])[np.repeat(np.arange(20), 3)].astype(
        np.int32
    )
    comparison, person = np.repeat(np.arange(20, dtype=np.int32), 3), rng.integers(0, people, n).astype(np.int32)
    values = rng.random((n, 2)).astype(np.float32)
    weight = rng.integers(1, 4, n).astype(float) if weighted else np.ones(n)
    units = np.zeros_like(shown) if fixed else shown
    observations = Observations(
        np.arange(n, dtype=np.int32), person, units.astype(np.int32), people, 0 if fixed else images
    )
    found = agreement_covariance(observations, comparison, Values.of(list(values.T)), weight if weighted else None)
    mean = np.average(values, axis=0, weights=weight)
    influence = weight[:, None] * (values - mean) / weight.sum()
    shown = comparison[:, None] if fixed else shown
    share = np.array([[bool(set(one) & set(other)) for other in shown.tolist()] for one in shown.tolist()])
    met = person[:, None] == person
    part = np.outer(weight, weight) / weight.sum() ** 2

    def pairs(mask: np.ndarray) -> np.ndarray:
        found: np.ndarray = influence.T @ mask @ influence / (1 - part[mask].sum())
        return found

    twice = np.array([[1, 2], [2, 4]])
    np.testing.assert_allclose(found.multiway, pairs(share) + twice * (pairs(share | met) - pairs(share)), rtol=1e-9)
    np.testing.assert_allclose(found.one_way, pairs(comparison[:, None] == comparison), rtol=1e-9)
    np.testing.assert_allclose(found.unclustered, pairs(share), rtol=1e-9)
