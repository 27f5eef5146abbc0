"""Simulated observers, who judge toy birds by a known rule, so that the best possible prediction is known.

An observer has individual weights for the known attributes of birds, and computes distances from them. It chooses
among references by Luce's choice rule on the similarity of Roads & Mozer (2019), ``s = exp(-beta d^tau) + gamma``.
In a small share of trials it lapses and chooses at random.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simtool.tables.files import atomic_path
from simtool.toy.population import Population
from simtool.toy.traits import BLOCKS

__all__ = [
    "ATTENTION",
    "PREFIX",
    "Attributes",
    "Design",
    "Observer",
    "SimulatedJudgments",
    "draw_observer",
    "known_attributes",
    "simulate_judgments",
    "write_judgments",
]

#: The beginning of the names of simulated observers.
PREFIX = "simulated-"

#: The attention weights of the average observer; they sum to 1.
ATTENTION: Mapping[str, float] = {"family": 0.25, "species": 0.20, "shape": 0.10, "color": 0.30, "pattern": 0.15}

#: Maximum references and selections of a trial, as in birds-16: 8-rank-2 and 2-choose-1.
_REFERENCES, _SELECTIONS = 8, 2


@dataclass(frozen=True)
class Attributes:
    """The known attributes of n birds, in blocks with equal scale.

    Attributes:
        values: (n, D); in each block, the mean squared distance of two birds is 1.
        blocks: the name and length of each block, in order; the lengths sum to D.
    """

    values: NDArray[np.float64]
    blocks: tuple[tuple[str, int], ...]

    def weighted(self, attention: Mapping[str, float]) -> NDArray[np.float64]:
        """Return (n, D) coordinates; their squared distance is the attention-weighted sum over blocks."""
        scale = [math.sqrt(attention[name]) for name, length in self.blocks for _ in range(length)]
        return self.values * scale


def known_attributes(population: Population) -> Attributes:
    """Return the known attributes of n birds in blocks: family and species (one column each), and the traits."""
    parts = {
        "family": np.eye(len(population.family_names))[population.family],
        "species": np.eye(len(population.species_names))[population.species],
        **{name: population.traits[:, columns] for name, columns in BLOCKS.items()},
    }
    # The mean squared distance of two rows is twice the total variance; 0 if all birds are equal.
    spread = {name: math.sqrt(2.0 * float(part.var(axis=0).sum())) or 1.0 for name, part in parts.items()}
    values = np.concatenate([part / spread[name] for name, part in parts.items()], axis=1)
    return Attributes(values, tuple((name, part.shape[1]) for name, part in parts.items()))


@dataclass(frozen=True)
class Observer:
    """A simulated observer.

    Attributes:
        name: ``simulated-001``.
        attention: the weight of each block of attributes; sums to 1.
        beta: the decay of similarity with distance; ``math.inf`` always chooses the nearest reference.
        tau: the shape of the decay: 1 exponential, 2 Gaussian.
        gamma: the minimum similarity.
        lapse: the share of random answers.
    """

    name: str
    attention: Mapping[str, float]
    beta: float = 10.0
    tau: float = 1.0
    gamma: float = 1e-5
    lapse: float = 0.03

    def log_similarity(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logarithm of ``exp(-beta d^tau) + gamma`` (psiz's model up to a constant factor)."""
        with np.errstate(divide="ignore"):
            return np.logaddexp(-self.beta * distance**self.tau, np.log(self.gamma))

    def choose(self, rng: np.random.Generator, distance: NDArray[np.float64], n_select: int) -> NDArray[np.int8]:
        """Choose references in sequence by Luce's choice rule, each without the references already chosen.

        The distances, (T, N), are from the query of each trial; the choices, (T, n_select), are positions in them.
        """
        lapses = rng.random(len(distance)) < self.lapse
        # The maximum of log s + Gumbel noise is a draw by Luce's choice rule, and each next largest value is a draw
        # from the rest (Plackett-Luce; Yellott 1977).
        noise = rng.gumbel(size=distance.shape)
        appeal = -distance if math.isinf(self.beta) else self.log_similarity(distance) + noise
        ranked = np.argsort(-np.where(lapses[:, None], noise, appeal), axis=1, kind="stable")
        return ranked[:, :n_select].astype(np.int8)


def draw_observer(rng: np.random.Generator, number: int) -> Observer:
    """Draw an observer around the average observer: people differ in attention and care. The number names it."""
    shares = rng.dirichlet(40.0 * np.array(list(ATTENTION.values())))
    return Observer(
        name=f"{PREFIX}{number:03}",
        attention=dict(zip(ATTENTION, shares.tolist(), strict=True)),
        beta=float(10.0 * np.exp(0.2 * rng.standard_normal())),
        lapse=float(rng.beta(1.5, 40.0)),
    )


@dataclass(frozen=True)
class Design:
    """The trials of each observer; the two types of trial have the proportion of birds-16.

    Attributes:
        sessions: the number of sessions of each observer.
        rank_trials: the number of trials in a session with 8 references that ask for the two most similar, in order.
        choose_trials: the number of trials in a session with 2 references that ask for the more similar.
        repeats: the average number of presentations of a 2-choose-1 display.
        related: the share of 2-choose-1 displays that always have a reference of the query's species.
    """

    sessions: int = 2
    rank_trials: int = 21
    choose_trials: int = 18
    repeats: float = 2.6
    related: float = 0.4


@dataclass(frozen=True)
class SimulatedJudgments:
    """T judgments.

    Attributes:
        query: (T,) the index of a bird.
        references: (T, 8) indices of birds, in the order shown; -1 pads a 2-choose-1 trial.
        selected: (T, 2) positions in the references, first choice first; -1 pads the end.
        participant: (T,) the name of the observer.
        session: (T,) the name of the session.
        observers: the observers.
    """

    query: NDArray[np.intp]
    references: NDArray[np.intp]
    selected: NDArray[np.int8]
    participant: tuple[str, ...]
    session: tuple[str, ...]
    observers: tuple[Observer, ...]

    def __len__(self) -> int:
        return len(self.query)


def simulate_judgments(
    population: Population, observers: int = 60, seed: int = 0, design: Design | None = None
) -> SimulatedJudgments:
    """Show displays of birds to simulated observers, and return their judgments, sorted by observer.

    Args:
        population: the birds; at least nine.
        observers: the number of observers.
        seed: the seed of the observers, the displays and the choices.
        design: the trials of each observer.

    Raises:
        ValueError: there are too few birds for a display, or no observers.
    """
    if len(population) <= _REFERENCES or observers < 1:
        raise ValueError(f"needs at least one observer and {_REFERENCES + 1} birds, found {len(population)}")
    design = design or Design()
    rng = np.random.default_rng([seed, 3])
    attributes = known_attributes(population)
    pool = _choose_displays(rng, population, design, observers)
    people = tuple(draw_observer(rng, number) for number in range(1, observers + 1))
    judged, names = [], []
    for observer in people:
        place = attributes.weighted(observer.attention)
        for session in range(1, design.sessions + 1):
            rank = _draw_distinct(rng, design.rank_trials, len(population), 1 + _REFERENCES)
            choose = pool[rng.permutation(len(pool))[: design.choose_trials]]
            displays = rng.permutation(np.concatenate([rank, choose]))
            judged.append((displays, _judge(rng, observer, place, displays)))
            names += [(observer.name, f"{observer.name}-session-{session}")] * len(displays)
    displays, selected = map(np.concatenate, zip(*judged, strict=True))
    participant, session_name = zip(*names, strict=True)
    return SimulatedJudgments(displays[:, 0], displays[:, 1:], selected, participant, session_name, people)


def _draw_distinct(rng: np.random.Generator, count: int, birds: int, shown: int) -> NDArray[np.intp]:
    """Draw (count, shown) birds, all distinct in each display."""
    return np.argsort(rng.random((count, birds)), axis=1)[:, :shown]


def _choose_displays(
    rng: np.random.Generator, population: Population, design: Design, observers: int
) -> NDArray[np.intp]:
    """Draw (displays, 9), the 2-choose-1 displays that all observers share: a query, two references, padding."""
    shown = observers * design.sessions * design.choose_trials
    count = max(design.choose_trials, round(shown / design.repeats))
    displays = np.full((count, 1 + _REFERENCES), -1, np.intp)
    displays[:, :3] = _draw_distinct(rng, count, len(population), 3)
    for display in displays[rng.random(count) < design.related]:
        kin = np.flatnonzero(population.species == population.species[display[0]])
        kin = kin[(kin != display[0]) & (kin != display[2])]
        if kin.size:
            display[1] = rng.choice(kin)
    swapped = rng.random(count) < 0.5
    displays[swapped, 1:3] = displays[swapped, 2:0:-1]
    return displays


def _judge(
    rng: np.random.Generator, observer: Observer, place: NDArray[np.float64], displays: NDArray[np.intp]
) -> NDArray[np.int8]:
    """Return (T, 2), the selections of an observer for displays of both types."""
    selected = np.full((len(displays), _SELECTIONS), -1, np.int8)
    length = (displays[:, 1:] >= 0).sum(axis=1)
    for n_reference, n_select in ((_REFERENCES, _SELECTIONS), (2, 1)):
        rows = np.flatnonzero(length == n_reference)
        query, references = displays[rows, 0], displays[rows, 1 : 1 + n_reference]
        distance = np.linalg.norm(place[query][:, None] - place[references], axis=-1)
        selected[rows, :n_select] = observer.choose(rng, distance, n_select)
    return selected


def write_judgments(path: Path, judgments: SimulatedJudgments, image_id: Sequence[str]) -> None:
    """Write judgments as the CSV that ``simtool import-trials`` reads; ``image_id`` has the id of each bird."""
    references = [f"reference_{place}" for place in range(1, _REFERENCES + 1)]
    selections = [f"selected_{rank}" for rank in range(1, _SELECTIONS + 1)]
    names = [*image_id, ""]  # the last name is for the padding, -1
    chosen = np.take_along_axis(judgments.references, np.maximum(judgments.selected, 0), axis=1)
    chosen[judgments.selected < 0] = -1
    images = np.concatenate([judgments.query[:, None], judgments.references, chosen], axis=1)
    with atomic_path(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["query", *references, *selections, "participant", "session"])
        for row, participant, session in zip(images, judgments.participant, judgments.session, strict=True):
            writer.writerow([*(names[index] for index in row), participant, session])
