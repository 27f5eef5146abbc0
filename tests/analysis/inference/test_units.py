"""Images, classes of images, groups or nothing as the units that intervals resample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from simtool.analysis.inference.estimation import Measured, estimate
from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.units import ImageUnits, Units
from simtool.analysis.inference.values import Values
from simtool.analysis.study import Study
from simtool.errors import UsageError
from simtool.judgments.classes import with_classes
from simtool.tables.images import Images
from simtool.tables.trials import Trials
from tests.scored import latent, observe

NAMES = ["d", "b", "a", "c", "unused"]
CLASSES = {"a": "owl", "b": "tit", "c": "owl", "d": None, "unused": "wren"}
SHOWN = np.array([True, True, True, True, False])


def _trials() -> Trials:
    trials = Trials.build(
        NAMES, ["2-choose-1"] * 2, np.array([2, 0]), np.array([[3, 1], [1, 3]]), np.array([[0], [1]]),
        participant=["x", "y"],
    )  # fmt: skip
    table = Images.build(NAMES, NAMES, class_name=[CLASSES[name] for name in NAMES], group_name=["bird"] * 5)
    return with_classes(trials, table)


@pytest.mark.parametrize(
    ("units", "count", "units_of"),
    [
        (Units.IMAGE, 4, [[0, 2, 1], [3, 2, 1]]),  # a c b, then d c b
        (Units.CLASS, 3, [[1, 3, 2], [0, 1, 2]]),  # owl, owl again, tit; then d, which has no class, owl, tit
        (Units.GROUP, 1, [[0, 1, 1], [0, 1, 1]]),
        (Units.NOTHING, 0, [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_an_observation_has_the_different_units_of_its_images(
    units: Units, count: int, units_of: list[list[int]]
) -> None:
    observed = Study(_trials(), units=units).compared
    assert observed.image_count == count
    assert observed.images.tolist() == units_of


def test_fixed_images_do_not_limit_the_effective_size() -> None:
    assert [Study(_trials(), units=units).compared.effective_size() for units in Units] == [2, 2, 1, 2]


def test_trials_without_classes_cannot_be_resampled_by_class() -> None:
    bare = replace(_trials(), extra={})
    with pytest.raises(UsageError, match=r"^--cluster group: the outcomes do not state the groups of their images; "):
        ImageUnits(bare, SHOWN, Units.GROUP)


def _clustered(seed: int) -> tuple[Observations, NDArray[np.float64], NDArray[np.intp]]:
    """Observations of 40 images in 8 classes; the values depend on classes and people. The class of each image."""
    rng = np.random.default_rng(seed)
    count, people, images = 300, 12, 40
    own = np.arange(images) % 8
    shown = np.array([rng.permutation(images)[:3] for _ in range(count)])
    judge = rng.integers(0, people, count)
    effect = rng.normal(scale=0.8, size=(8, 2))[own[shown]].sum(axis=1) + rng.normal(scale=0.4, size=(people, 2))[judge]
    values = (effect + rng.normal(size=(count, 2)) > 0).astype(float)
    units = np.sort(own[shown], axis=1)
    units[:, 1:][units[:, 1:] == units[:, :-1]] = 8
    return Observations(np.arange(count), judge, units, people, 8), values, own


def test_the_error_is_that_of_a_plain_sum_over_pairs_that_share_a_person_or_a_class() -> None:
    observations, values, _ = _clustered(0)
    found = estimate([Measured(observations, Values.of(list(values.T)), [np.ones(300, bool)])], 200, 0)[0][0]
    classes = [set(row) - {8} for row in observations.images.tolist()]
    influence = (values - values.mean(axis=0)) / len(values)
    total, pairs = np.zeros((2, 2)), 0
    for one, mine in enumerate(classes):
        for other, theirs in enumerate(classes):
            if mine & theirs or observations.cluster[one] == observations.cluster[other]:
                total += np.outer(influence[one], influence[other])
                pairs += 1
    assert found.covariance.multiway == pytest.approx(total / (1 - pairs / 300**2), abs=1e-12)


def test_the_replicates_are_those_of_a_plain_bootstrap_of_people_and_classes() -> None:
    observations, values, _ = _clustered(1)
    found = estimate([Measured(observations, Values.of(list(values.T)), [np.ones(300, bool)])], 3000, 0)[0][0]
    rng = np.random.default_rng(5)
    drawn = []
    for _ in range(3000):
        people, classes = rng.poisson(1, 12), rng.poisson(1, 8)
        weight = [
            people[judge] * np.prod([classes[unit] for unit in {*row} - {8}])
            for judge, row in zip(observations.cluster.tolist(), observations.images.tolist(), strict=True)
        ]
        drawn.append(np.average(values[:, 0], weights=weight) if sum(weight) else np.nan)
    assert found.replicates[0].std() == pytest.approx(np.nanstd(drawn), rel=0.06)
    assert found.replicates[0].mean() == pytest.approx(np.nanmean(drawn), abs=0.01)


def test_with_fixed_images_people_alone_make_the_error() -> None:
    rng = np.random.default_rng(3)
    trials = observe(rng, latent(rng, 12), {"2-choose-1": 240}, participants=12)
    values = rng.integers(0, 2, (240, 1)).astype(float)
    observed = Study(trials, units=Units.NOTHING).compared
    found = estimate([Measured(observed, Values.of(list(values.T)), [np.ones(240, bool)])], 100, 0)[0][0]
    sums = np.bincount(observed.cluster, (values[:, 0] - values.mean()) / 240)
    share = np.bincount(observed.cluster) / 240
    # The cluster-robust variance of a mean (Liang & Zeger 1986), with the correction for unequal clusters.
    assert found.covariance.multiway[0, 0] == pytest.approx((sums**2).sum() / (1 - (share**2).sum()))
    assert found.effective_size == 12
