"""Families of models: facts decide before names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from simtool.analysis.kinship import kinship
from simtool.analysis.labels import SAME
from simtool.tables.lineage import Lineage
from simtool.tables.outcomes import Outcomes
from tests.scored import latent, model, observe, outcomes_of

RNG = np.random.default_rng(5)
MINDS = latent(RNG, 8)
TRIALS = observe(RNG, MINDS, {"2-choose-1": 10})


def _scored(name: str, distance: str = "mse", lineage: Lineage | None = None) -> Outcomes:
    found = outcomes_of(name, distance, TRIALS, model(RNG, MINDS, 1.0))
    return Outcomes(found.model, found.distance, TRIALS, found.credit, lineage=lineage)


def _network(weights: str | None, origin: str | None = None, untrained: int | None = None) -> Lineage:
    return Lineage(origin, untrained=untrained, weights=weights)


@pytest.mark.parametrize(
    ("models", "families"),
    [
        # layers of one network, whatever their names are
        ({"deep": _network("w"), "shallow": _network("w")}, {"deep": "deep", "shallow": "deep"}),
        # numbers of components, whose origins differ
        ({"PCA 10": _network("w", "ten"), "PCA 100": _network("w", "hundred")}, {"PCA 10": "PCA", "PCA 100": "PCA"}),
        # a control and a second training have other weights, and the same origin
        (
            {"net a": _network("1", "o"), "net b": _network("2", "o"), "net, untrained": _network("3", "o", 0)},
            dict.fromkeys(("net a", "net b", "net, untrained"), "net"),
        ),
        # equal names of networks that share nothing
        (
            {"net a": _network("1", "o"), "net b": _network("2", "p")},
            {"net a": "net a", "net b": "net b"},
        ),
        # a third model connects two
        (
            {"net a": _network("1", "o"), "net b": _network("2", "p"), "net c": _network("1", "p")},
            dict.fromkeys(("net a", "net b", "net c"), "net"),
        ),
        # names decide where tables state no weights
        (
            {
                "pixels": None,
                "PCA 10": _network(None, "ten"),
                "pca 20": None,
                "color (window 0.5)": None,
                "color": None,
            },
            {
                "pixels": "pixels",
                "PCA 10": "PCA 10",
                "pca 20": "PCA 10",
                "color (window 0.5)": "color",
                "color": "color",
            },
        ),
        ({"lite2-pool": None, "lite2-softmax": None}, {"lite2-pool": "lite2", "lite2-softmax": "lite2"}),
        ({"ResNet50 a": None, "ResNet20 a": None}, {"ResNet50 a": "ResNet50 a", "ResNet20 a": "ResNet20 a"}),
        # a sum of models belongs to none of them
        ({"color": None, "color + net": None}, {"color": "color", "color + net": "color + net"}),
        ({"漢字 1": None, "漢字 2": None, "": None, "…": None}, {"漢字 1": "漢字", "漢字 2": "漢字", "": "", "…": "…"}),
    ],
)
def test_models_of_a_family_share_facts_or_else_the_first_word(
    models: Mapping[str, Lineage | None], families: Mapping[str, str]
) -> None:
    assert kinship([_scored(name, lineage=lineage) for name, lineage in models.items()]) == families


def test_models_that_know_labels_only_are_one_family() -> None:
    names = ("class labels", "class and group labels", "group labels")
    assert kinship([*(_scored(name, SAME) for name in names), _scored("class")]) == {
        **dict.fromkeys(names, "labels"),
        "class": "class",
    }


def test_different_families_have_different_names() -> None:
    networks = {f"net {layer}{seed}": _network(str(seed)) for seed in range(2) for layer in "ab"}
    found = kinship([_scored(name, lineage=lineage) for name, lineage in networks.items()])
    assert found == {"net a0": "net (1)", "net b0": "net (1)", "net a1": "net (2)", "net b1": "net (2)"}
