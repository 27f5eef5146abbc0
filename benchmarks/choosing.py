"""The accuracy of a variant that is chosen on half of the sessions and tested on the other half.

    python benchmarks/choosing.py outcomes.parquet --family "colour=colour, *" --family "Glow=Glow 0, level 1*" \\
        --out chosen.parquet

Each family is a label and a pattern of names of models, for example one layer with several windows. In each half of the
sessions, the variant with the highest triplet accuracy is chosen, and its outcomes in the other half are kept. The
outcomes of both halves together form one model, which ``simtool report`` compares with others.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simtool import console
from simtool.judgments.folds import HoldOut, trial_folds
from simtool.tables.outcomes import Outcomes, read_outcomes
from simtool.tables.outcomes_writing import write_outcomes
from simtool.tables.provenance import Provenance


def main() -> None:
    """Choose, report what was chosen, and write the outcomes."""
    options = _options()
    outcomes = read_outcomes(options.outcomes)
    chosen: list[Outcomes] = []
    for label, pattern in (family.split("=", 1) for family in options.family):
        for distance, variants in _by_distance(outcomes, pattern):
            found, counts = _cross_fitted(variants, label, range(options.seed, options.seed + options.splits))
            chosen.extend(found)
            mean = np.mean([each.credit.mean(dtype=np.float64) for each in found])
            console.result_text(
                f"{label}, {distance}: {mean:.4f} on held-out sessions; chosen {dict(counts.most_common())}"
            )
    write_outcomes(options.out, chosen[0].trials, chosen, Provenance.of(sys.argv, options.outcomes))


def _cross_fitted(variants: Sequence[Outcomes], label: str, seeds: range) -> tuple[list[Outcomes], Counter[str]]:
    """The outcomes of the variants that are best in the other half of the sessions, for each split into halves.

    Args:
        variants: outcomes of one distance on the same trials.
        label: of the result.
        seeds: of the splits.

    Returns:
        The outcomes for each seed, and how often each variant was chosen.
    """
    trials = variants[0].trials
    owner = np.repeat(np.arange(len(trials)), trials.implied)
    found, counts = [], Counter[str]()
    for seed in seeds:
        credit = np.empty_like(variants[0].credit)
        for fold in trial_folds(trials, HoldOut.SESSION, 2, seed):
            best = max(variants, key=lambda one: _mean(one, fold.train[owner]))
            credit[fold.test[owner]] = best.credit[fold.test[owner]]
            counts[best.model] += 1
        name = label if len(seeds) == 1 else f"{label}, split {seed}"
        found.append(replace(variants[0], model=name, credit=credit))
    return found, counts


def _mean(outcomes: Outcomes, kept: NDArray[np.bool_]) -> float:
    return float(outcomes.credit[kept].mean(dtype=np.float64))


def _by_distance(outcomes: Sequence[Outcomes], pattern: str) -> Iterator[tuple[str, list[Outcomes]]]:
    family = [one for one in outcomes if fnmatchcase(one.model, pattern)]
    if not family:
        raise SystemExit(f"no model is called {pattern}")
    for distance in dict.fromkeys(one.distance for one in family):
        yield distance, [one for one in family if one.distance == distance]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outcomes", type=Path, nargs="+", help="tables of outcomes")
    parser.add_argument("--family", action="append", required=True, metavar="LABEL=PATTERN")
    parser.add_argument("--out", type=Path, required=True, help="the table of outcomes to write")
    parser.add_argument("--splits", type=int, default=1, help="splits into halves; each gives one model")
    parser.add_argument("--seed", type=int, default=0, help="of the first split")
    return parser.parse_args()


if __name__ == "__main__":
    main()
