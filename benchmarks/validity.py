"""Measure coverage of intervals, type I error and power over simulated studies of four designs.

People, images and models are simulated as ``simtool check`` does it. All intervals are those of ``simtool report``.
docs/validity.md has the results.

    python benchmarks/validity.py [--studies 1000] [--others 300] [--design NAME] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simtool.designs import parse_type
from simtool.judgments.classes import with_classes
from simtool.tables.images import Images
from simtool.tables.trials import Trials
from simtool.validity.coverage import Simulated, simulate
from simtool.validity.displays import Displays
from simtool.validity.population import Population, Redrawn
from simtool.validity.setting import Setting
from simtool.validity.world import World

#: The accuracy of the latent space, and of a good model.
TRUTH, BEST = 0.832, 0.776


@dataclass(frozen=True)
class Design:
    """A study.

    Attributes:
        counts: number of trials of each type.
        people: number of people.
        named: whether the table names participants; else it names sessions.
        images: number of images.
        classes: number of classes of equal size; 0 if they are unknown.
        groups: number of groups of classes.
        displays: number of different displays of the last type; 0 if all differ.
    """

    counts: Mapping[str, int]
    people: int
    images: int
    named: bool = True
    classes: int = 0
    groups: int = 0
    displays: int = 0

    def trials(self, seed: int) -> Trials:
        """Random displays; who judges them is random, too."""
        rng = np.random.default_rng(seed)
        kinds = [kind for kind, count in self.counts.items() for _ in range(count)]
        longest = max(parse_type(kind).n_reference for kind in self.counts)
        most = max(parse_type(kind).n_select for kind in self.counts)
        shown = np.argsort(rng.random((len(kinds), self.images)), axis=1)[:, : longest + 1]
        if self.displays:
            last = list(self.counts.values())[-1]
            shown[-last:] = shown[len(kinds) - last + rng.integers(0, self.displays, last)]
        sizes = np.array([parse_type(kind).n_reference for kind in kinds])
        asks = np.array([parse_type(kind).has_query for kind in kinds])
        chosen = np.array([parse_type(kind).n_select for kind in kinds])
        who = [f"p{number:04}" for number in rng.integers(0, self.people, len(kinds))]
        participant, session = (who, None) if self.named else (None, who)
        trials = Trials.build(
            [f"i{number:04}" for number in range(self.images)],
            kinds,
            np.where(asks, shown[:, -1], -1),
            _padded(shown[:, :longest], sizes),
            _padded(np.tile(np.arange(most), (len(kinds), 1)), chosen),
            participant=participant,
            session=session,
        )
        return self._named(trials) if self.classes else trials

    def _named(self, trials: Trials) -> Trials:
        number = np.arange(self.images) * self.classes // self.images
        names = [f"c{own}" for own in number]
        groups = [f"g{own * self.groups // self.classes}" for own in number]
        ids = trials.images.tolist()
        return with_classes(trials, Images.build(ids, ids, class_name=names, group_name=groups))


def _padded(values: NDArray[np.integer], lengths: NDArray[np.integer]) -> NDArray[np.integer]:
    return np.where(np.arange(values.shape[1]) < lengths[:, np.newaxis], values, -1)


DESIGNS = {
    "birds-16": Design({"8-rank-2": 8772, "2-choose-1": 7520}, 406, 208, False, 16, 4, 2914),
    "small": Design({"8-rank-2": 300, "2-choose-1": 200}, 10, 30),
    "choices": Design({"2-choose-1": 25_000}, 100, 100),
    "odd-one-out": Design({"3-odd-1": 6000}, 60, 80),
}


def rows(name: str, redrawn: Redrawn, simulated: Simulated, seconds: float) -> Iterator[dict[str, Any]]:
    """The results as flat objects."""
    for each in simulated.coverage:
        yield {
            "design": name,
            "studies_with": redrawn.value,
            "units": each.units.value,
            "of": each.of,
            "quantity": each.quantity,
            "truth": each.truth,
            "coverage": each.held.value,
            "coverage_error": each.held.error,
            "type_1": each.rejected and each.rejected.value,
            "width": each.width,
            "studies": each.held.studies,
            "seconds": seconds,
        }
    found = simulated.power
    yield {
        "design": name,
        "studies_with": redrawn.value,
        "units": found.units.value,
        "of": "power",
        "difference": found.difference,
        "standard_error": found.error,
        "predicted": found.predicted,
        "observed": found.observed.value,
        "observed_error": found.observed.error,
        "studies": found.observed.studies,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="studies with new images")
    parser.add_argument("--others", type=int, default=300, help="studies of every other kind")
    parser.add_argument("--design", choices=DESIGNS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    for name in options.design or DESIGNS:
        trials, setting = DESIGNS[name].trials(options.seed), Setting(options.seed)
        population = Population.of(trials)
        world = World(Displays(trials), population, options.seed).calibrated(TRUTH, BEST, setting)
        for redrawn in population.repetitions:
            started = time.perf_counter()
            studies = options.studies if redrawn is Redrawn.IMAGES else options.others
            for simulated in simulate(world, redrawn, studies, setting):
                own = list(rows(name, redrawn, simulated, (time.perf_counter() - started) / studies))
                found += own
                sys.stdout.write("".join(json.dumps(row) + "\n" for row in own))
                sys.stdout.flush()
        if options.json:
            options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
