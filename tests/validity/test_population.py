"""Populations of images: what stays the same in a repetition, and what is new."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from simtool.judgments.classes import with_classes
from simtool.tables.images import Images
from simtool.validity.population import Population, Redrawn
from tests.scored import latent, observe

CLASSES = np.repeat(np.arange(6), 4).astype(np.int32)
GROUPS = (CLASSES // 2).astype(np.int32)
KNOWN = Population(CLASSES, GROUPS, len(CLASSES))


def drawn(population: Population, redrawn: Redrawn, study: int) -> NDArray[np.float64]:
    return population.draw(np.random.default_rng(0), np.random.default_rng([1, study]), redrawn)


def test_the_same_images_are_the_same_in_every_study() -> None:
    np.testing.assert_array_equal(drawn(KNOWN, Redrawn.NOTHING, 1), drawn(KNOWN, Redrawn.NOTHING, 2))


@pytest.mark.parametrize("redrawn", [Redrawn.IMAGES, Redrawn.CLASSES, Redrawn.GROUPS])
def test_new_images_differ_within_what_stays(redrawn: Redrawn) -> None:
    level = {Redrawn.IMAGES: CLASSES, Redrawn.CLASSES: GROUPS, Redrawn.GROUPS: np.zeros_like(CLASSES)}[redrawn]
    studies = np.array([drawn(KNOWN, redrawn, study) for study in range(400)])
    means = np.array([[points[level == own].mean(axis=0) for own in np.unique(level)] for points in studies])
    spread = means.std(axis=0).mean()
    between = means.mean(axis=0).std(axis=0).mean()
    if redrawn is Redrawn.GROUPS:
        assert spread > 0.1  # nothing stays
    else:
        assert between > 2 * spread / np.sqrt(400)
    assert np.abs(np.diff(studies[:2], axis=0)).min() > 0


def test_distances_have_the_same_scale_with_and_without_classes() -> None:
    for population in (KNOWN, Population(CLASSES, None, 24), Population(None, None, 24)):
        squares = [np.mean(pdist(drawn(population, Redrawn.GROUPS, study), "sqeuclidean")) for study in range(200)]
        assert 0.8 < np.mean(squares) < 1.1


def test_images_of_a_class_are_nearer_than_others() -> None:
    points = np.array([drawn(KNOWN, Redrawn.GROUPS, study) for study in range(100)])
    within, group, across = (np.square(points[:, 0] - points[:, other]).sum(axis=1).mean() for other in (1, 4, 23))
    assert within < group < across


def test_the_kinds_of_repetition_are_those_that_the_trials_name() -> None:
    rng = np.random.default_rng(0)
    trials = observe(rng, latent(rng, 12), {"2-choose-1": 80})
    assert Population.of(trials).repetitions == [Redrawn.NOTHING, Redrawn.IMAGES]
    names, groups = [f"c{place // 3}" for place in range(12)], [f"g{place // 6}" for place in range(12)]
    named = with_classes(trials, Images.build(list(trials.images), list(trials.images), class_name=names))
    assert Population.of(named).repetitions == [Redrawn.NOTHING, Redrawn.IMAGES, Redrawn.CLASSES]
    images = Images.build(list(trials.images), list(trials.images), class_name=names, group_name=groups)
    found = Population.of(with_classes(trials, images))
    assert found.repetitions == list(Redrawn)
    assert found.classes is not None
    assert len(np.unique(found.classes)) == 4
