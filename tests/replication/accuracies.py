"""Accuracies on birds-16, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["Accuracies", "Run", "accuracies"]

#: Triplet accuracy by model, distance and type of trial.
Accuracies = dict[tuple[str, str, str], float]
#: Runs a command and returns its standard output.
Run = Callable[..., str]


def accuracies(
    run: Run, folder: Path, trials: Path, tables: list[Path], distances: list[str], names: Sequence[str] = ()
) -> Accuracies:
    """Score tables and return what the report says.

    Args:
        run: runs a command.
        folder: for the table of outcomes.
        trials: all trials of birds-16.
        tables: of embeddings.
        distances: by their names.
        names: of the models, one for each table; none are those of the tables.
    """
    options = [word for distance in distances for word in ("--distance", distance)]
    options += [word for name in names for word in ("--name", name)]
    run("score", *tables, "--trials", trials, "--out", folder / "outcomes.parquet", *options)
    rows = json.loads(run("report", folder / "outcomes.parquet", "--json", "-", "--replicates", 100))
    chosen = [row for row in rows if row["metric"] == "triplet_accuracy" and row["stratum"] is None]
    assert {row["trials"] for row in chosen if row["trial_type"] == "all"} == {16_292}
    assert {row["comparisons"] for row in chosen if row["trial_type"] == "all"} == {121_556}
    return {(row["model"], row["distance"], row["trial_type"]): row["estimate"] for row in chosen}
