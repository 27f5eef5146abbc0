"""``simtool fit-psych``: a psychological embedding from judgments alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console, stages
from simtool.commands.options import number, whole, word

if TYPE_CHECKING:
    from rich.table import Table

    from simtool.tables.checks import Check

__all__ = ["fit_psych"]


def fit_psych(
    trials: Annotated[Path, typer.Argument(metavar="TRIALS", help="Table of trials.")],
    out: Annotated[Path, typer.Option(metavar="TABLE", help="The Parquet table of embeddings to write.")],
    dimensions: Annotated[
        int | None, whole(min=1, help="Coordinates of an image. [chosen by the likelihood of held-out trials]")
    ] = None,
    outcomes: Annotated[
        Path | None, typer.Option(metavar="OUTCOMES", help="Predict all trials out of fold, and write this table.")
    ] = None,
    hold_out: Annotated[
        str | None,
        word(help="The unit that a fold holds out: trial, session, query or participant. [trial, with --outcomes]"),
    ] = None,
    folds: Annotated[int, whole(min=2, help="Number of folds.")] = 5,
    groups: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column of trials with groups of participants; each has its own weights."),
    ] = None,
    exponent: Annotated[float, number(help="Exponent of the distance: 1 is exponential, 2 is Gaussian.")] = 1.0,
    restarts: Annotated[int, whole(min=1, help="Random starts of each fit.")] = 2,
    seed: Annotated[int, whole(min=0, help="Seed of starts, folds and simulated choices.")] = 0,
    name: Annotated[str | None, word(help="Label in reports. [psychological K]")] = None,
) -> None:
    """Fit coordinates of images to judgments alone, so that near images are chosen as similar.

    The similarity of two images is exp(-scale x distance ** exponent) + floor. People choose by
    Luce's rule: in proportion to similarity, one choice after the other. Each type of trials has
    its own scale. TABLE holds the coordinates, as of any model.

    With --outcomes, each trial is predicted by an embedding that was fitted without it. The same
    embeddings then predict choices that they make themselves, before and after a new fit to such
    choices. The loss by fitting gives a noise ceiling: held out + (own choices - fitted again).

    \b
    Example:
      simtool fit-psych trials.parquet --out psych.parquet
      simtool fit-psych trials.parquet --dimensions 8 --out psych.parquet --outcomes psych-outcomes.parquet
    """
    fit = stages.fit_psych(
        trials,
        out,
        dimensions=dimensions,
        outcomes=outcomes,
        hold_out=hold_out,
        folds=folds,
        groups=groups,
        exponent=exponent,
        restarts=restarts,
        seed=seed,
        name=name,
    )
    if fit.checks:
        console.result(_table(fit.checks))


def _table(checks: Sequence[Check]) -> Table:
    """The accuracies on held-out trials of each type, and on simulated choices."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("trials")
    for heading in ("held out", "nats", "own choices", "fitted again", "noise ceiling"):
        table.add_column(heading, justify="right")
    for check in checks:
        shares = (check.own, check.again, check.noise_ceiling)
        cells = (f"{check.accuracy:.4f}", f"{check.loss:.3f}", *(f"{share:.4f}" for share in shares))
        table.add_row(check.trial_type, *cells)
    return table
