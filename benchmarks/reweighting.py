"""How much a learned transform gains on held-out judgments, and how much of it is leakage.

    python benchmarks/reweighting.py network.parquet --trials trials.parquet --images images.parquet --json FILE

Each case is a kind of transform, a scheme of held-out folds and a penalty. ``before`` is the accuracy of the vectors
before they learn, on the same comparisons; ``control`` that of as little training on trials that show the same images.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simtool import console, stages
from simtool.tables.outcomes import Outcomes


class Case(NamedTuple):
    """A kind of transform, a scheme, a number of components, and a penalty (None: nested folds choose it)."""

    kind: str
    scheme: str
    components: int = 64
    penalty: float | None = None


#: The gain of each kind; then the leakage, with a weak and a strong penalty.
CASES = (
    *(
        Case(kind, scheme)
        for kind in ("diagonal", "full")
        for scheme in ("trial", "session", "query", "image", "class")
    ),
    *(
        Case("asymmetric", scheme, 200, penalty)
        for penalty in (1.0, 3000.0)
        for scheme in ("comparison", "trial", "session")
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--trials", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--distance", default="cosine")
    parser.add_argument("--only", default="", help="run only the cases whose name contains this")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for case in CASES:
        if arguments.only in name_of(case):
            rows.append(measured(case, arguments))
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
            sys.stdout.flush()
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def name_of(case: Case) -> str:
    """For example ``full by trial`` or ``asymmetric by comparison, 200 components, penalty 1``."""
    settings = "" if case.penalty is None else f", {case.components} components, penalty {case.penalty:g}"
    return f"{case.kind} by {case.scheme}{settings}"


def measured(case: Case, arguments: argparse.Namespace) -> dict[str, Any]:
    """The accuracies of a case."""
    start = time.perf_counter()
    with console.quiet():
        scores = stages.reweight(
            arguments.table,
            arguments.trials,
            kind=case.kind,
            hold_out=case.scheme,
            distance=arguments.distance,
            components=case.components,
            penalty=case.penalty,
            images=arguments.images,
        )
    seconds = time.perf_counter() - start
    names = ("before", "after", "control")
    accuracies = [dict(accuracies_of(each)) for each in scores.outcomes]
    return {
        "case": name_of(case),
        "subject": "simtool",
        "seconds": round(seconds, 2),
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "comparisons": scores.outcomes[0].credit.size,
        **dict(zip(names, accuracies, strict=False)),
    }


def accuracies_of(outcomes: Outcomes) -> Iterator[tuple[str, float]]:
    """The accuracy of all comparisons, and of those of each trial type."""
    trials = outcomes.trials
    kinds = np.array([str(kind) for kind in trials.types])[trials.type_index]
    if "source_trial_type" in trials.extra:
        kinds = np.array(trials.extra["source_trial_type"].to_pylist())
    kind = np.repeat(kinds, trials.implied)
    yield "all", round(float(outcomes.credit.mean(dtype=np.float64)), 4)
    for name in sorted(set(kinds), reverse=True):
        yield name, round(float(outcomes.credit[kind == name].mean(dtype=np.float64)), 4)


if __name__ == "__main__":
    main()
