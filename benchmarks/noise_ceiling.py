"""Coverage and bias of the noise ceiling, where simulated people make the truth known.

    python benchmarks/noise_ceiling.py --studies 400 --json noise-ceiling.json

Each study draws new people, new images and new judgments. The truth is that of the population the studies are drawn
from. The column ``majority`` is the bias of another definition, the accuracy of the majority of all judgments.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from simtool.analysis.ceilings import noise_ceilings
from simtool.analysis.inference.intervals import Interval
from simtool.analysis.metrics import TRIPLET_ACCURACY
from simtool.analysis.noise_ceiling import NoiseCeiling, highest_accuracy
from simtool.analysis.study import Study
from simtool.judgments.comparisons import Comparisons
from simtool.tables.outcomes import Outcomes
from simtool.tables.trials import Trials
from simtool.toy.observers import simulate_judgments
from simtool.toy.population import draw_population
from simtool.toy.truth import preferences

IMAGES = 60


@dataclass(frozen=True)
class Judged:
    """The judgments of a study, and the probability of each that the first image in the order of numbers is nearer."""

    trials: Trials
    probability: NDArray[np.float64]


def pairs(
    rng: np.random.Generator,
    clear: Callable[[int], NDArray[np.float64]],
    judgments: int = 4,
    care: tuple[float, float] = (1, 1),
    of_query: float = 0,
) -> Judged:
    """2-choose-1 judgments of 500 comparisons.

    Args:
        rng: of everything random.
        clear: draws the probabilities of the first answer, if all are careful.
        judgments: of each comparison.
        care: the range of the care of 30 people; without care they guess.
        of_query: how much the care of all depends on the query; from 0 to 1.
    """
    shown = np.argsort(rng.random((1200, IMAGES)), axis=1)[:, :3]
    shown[:, 1:].sort(axis=1)
    shown = rng.permutation(np.unique(shown, axis=0))[:500]
    display, person = np.repeat(np.arange(500), judgments), rng.integers(0, 30, 500 * judgments)
    heed, ease = rng.uniform(*care, 30), 1 - of_query * rng.random(IMAGES)
    half = (clear(500) - 0.5)[display] * ease[shown[display, 0]]
    first = rng.random(display.size) < 0.5 + heed[person] * half
    trials = Trials.build(
        [f"image-{number:02}" for number in range(IMAGES)],
        ["2-choose-1"] * display.size,
        shown[display, 0],
        shown[display, 1:],
        (~first).astype(int)[:, np.newaxis],
        participant=[f"person-{number}" for number in person],
    )
    return Judged(trials, 0.5 + np.mean(care) * half)


def demo(rng: np.random.Generator, kind: str) -> Judged:
    """The trials of one type in a demo."""
    seed = int(rng.integers(2**31))
    population = draw_population(seed, images_per_species=12)
    judged = simulate_judgments(population, 60, seed)
    kinds = np.where((judged.references >= 0).sum(axis=1) == 8, "8-rank-2", "2-choose-1").tolist()
    trials = Trials.build(
        population.image_id, kinds, judged.query, judged.references, judged.selected, participant=judged.participant
    )
    rows = trials.of_type(next(each for each in trials.types if str(each) == kind))
    trials, known = trials.take(rows), preferences(population, judged)[rows]
    found = Comparisons.of(trials)
    shown = trials.references[found.trial]
    near, far = ((shown == side[:, np.newaxis]).argmax(axis=1) for side in (found.near, found.far))
    nearer = known[found.trial, near, far]
    return Judged(trials, np.where(found.near < found.far, nearer, 1 - nearer))


DESIGNS: dict[str, Callable[[np.random.Generator], Judged]] = {
    "Beta(0.7), 4 judgments": lambda rng: pairs(rng, lambda n: rng.beta(0.7, 0.7, n)),
    "Beta(0.7), 2 judgments": lambda rng: pairs(rng, lambda n: rng.beta(0.7, 0.7, n), 2),
    "Beta(2), 4 judgments": lambda rng: pairs(rng, lambda n: rng.beta(2, 2, n)),
    "people differ in care": lambda rng: pairs(rng, lambda n: rng.beta(0.7, 0.7, n), care=(0.3, 1)),
    "queries differ in ease": lambda rng: pairs(rng, lambda n: rng.beta(0.7, 0.7, n), of_query=0.8),
    "people and queries differ": lambda rng: pairs(rng, lambda n: rng.beta(0.7, 0.7, n), care=(0.3, 1), of_query=0.8),
    "all comparisons alike": lambda rng: pairs(rng, lambda n: np.where(rng.random(n) < 0.5, 0.2, 0.8)),
    "half coins, half certain": lambda rng: pairs(rng, lambda n: rng.choice([0.02, 0.5, 0.5, 0.98], n)),
    "coins": lambda rng: pairs(rng, lambda n: np.full(n, 0.5)),
    "demo, 2-choose-1": lambda rng: demo(rng, "2-choose-1"),
    "demo, 8-rank-2": lambda rng: demo(rng, "8-rank-2"),
}


@dataclass(frozen=True)
class Result:
    """One study: the noise ceiling, the truth on its repeated judgments, and the majority of all judgments."""

    found: NoiseCeiling
    agreement: float
    best: float
    majority: float


def run(judged: Judged) -> Result:
    """Estimate the noise ceiling of a study, with a model that is always right."""
    compared = Comparisons.of(judged.trials)
    right = Outcomes("right", "mse", judged.trials, np.ones(len(compared), np.float32))
    (found,) = noise_ceilings(Study(judged.trials), [right], [TRIPLET_ACCURACY], 0.95, enough=2)
    sides = np.minimum(compared.near, compared.far), np.maximum(compared.near, compared.far)
    _, code = np.unique(np.stack([compared.anchor, *sides]), axis=1, return_inverse=True)
    code = code.ravel()
    count = np.bincount(code)
    mean = np.bincount(code, judged.probability) / count
    votes = np.bincount(code, compared.near < compared.far) / count
    repeated = (count > 1)[code]
    agreement, best, majority = (
        float(values[code][repeated].mean())
        for values in (mean**2 + (1 - mean) ** 2, np.maximum(mean, 1 - mean), np.maximum(votes, 1 - votes))
    )
    return Result(found, agreement, best, majority)


@dataclass(frozen=True)
class Line:
    """The results for a design. Coverages are of 95 % intervals.

    ``limits`` is the share of studies in which the truth is within the limits of the best model at the ends of the
    interval of the agreement.
    """

    design: str
    studies: int
    agreement: float
    agreement_bias: float
    agreement_coverage: float
    best: float
    best_bias: float
    best_coverage: float
    limits_coverage: float
    majority_bias: float


def line(name: str, studies: list[Result]) -> Line:
    """Compare estimates with the means of the truth."""
    agreement, best = (float(np.mean([getattr(one, part) for one in studies])) for part in ("agreement", "best"))
    return Line(
        name,
        len(studies),
        agreement,
        float(np.mean([end(one.found.agreement).estimate for one in studies])) - agreement,
        float(np.mean([end(one.found.agreement).low <= agreement <= end(one.found.agreement).high for one in studies])),
        best,
        float(np.mean([end(one.found.best).estimate for one in studies])) - best,
        float(np.mean([end(one.found.best).low <= best <= end(one.found.best).high for one in studies])),
        float(np.mean([within(one.found, best) for one in studies])),
        float(np.mean([one.majority for one in studies])) - best,
    )


def end(found: Interval | None) -> Interval:
    """The interval, which exists here."""
    if found is None:
        raise ValueError("too few judgments")
    return found


def within(found: NoiseCeiling, best: float) -> bool:
    """Whether the limits of the best model, at the ends of the interval of the agreement, hold the truth."""
    people = end(found.agreement)
    return max(people.low, 0.5) <= best <= highest_accuracy(people.high, 2)


def lines(studies: int, seed: int) -> Iterator[Line]:
    """The results of each design."""
    for name, design in DESIGNS.items():
        rng = np.random.default_rng([seed, *name.encode()])
        yield line(name, [run(design(rng)) for _ in range(studies)])


def main(
    studies: Annotated[int, typer.Option(help="Simulated studies of each design.")] = 400,
    seed: Annotated[int, typer.Option(help="Seed of the studies.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all numbers.")] = None,
) -> None:
    """Print the coverage and the bias in each design."""
    found = []
    table = Table("design", "agreement", "bias", "coverage", "best", "bias", "coverage", "limits", "majority")
    for each in lines(studies, seed):
        found.append(each)
        numbers = [
            f"{value:+.3f}" if "bias" in key else f"{value:.3f}" for key, value in list(asdict(each).items())[2:]
        ]
        table.add_row(each.design, *numbers)
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
