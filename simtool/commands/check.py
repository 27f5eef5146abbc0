"""``simtool check``: what a report on some judgments can be trusted with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console, stages
from simtool.commands.options import file, whole, word

if TYPE_CHECKING:
    from simtool.validity.check import Check

__all__ = ["check"]


def check(
    outcomes: Annotated[list[Path], typer.Argument(metavar="OUTCOMES", help="Tables of outcomes on the same trials.")],
    vectors: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="TABLE",
            help="A table of embeddings or distances that was scored; may be given several times. Needed to shuffle "
            "judgments, and for model recovery.",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        word(help="Model of a TABLE in OUTCOMES; give one --name for each TABLE, in order. [the name in the table]"),
    ] = None,
    json: Annotated[Path | None, file(help="Write all numbers as JSON.")] = None,
    studies: Annotated[
        int, whole(min=10, help="Number of simulated studies of each kind; a quarter of it for each TABLE.")
    ] = 200,
    reweight: Annotated[
        int,
        whole(min=0, help="Number of studies for each TABLE in which the models also learn from the judgments (slow)."),
    ] = 0,
    replicates: Annotated[int, whole(min=100, help="Number of resamples in each study.")] = 200,
    seed: Annotated[int, whole(min=0, help="Seed of the simulation.")] = 0,
) -> None:
    """Check intervals, tests and model recovery on simulated people who judge in your design.

    The simulated people see the displays of your trials, in the same sessions. They choose by Luce's
    rule, they differ in care and in taste, and they are as predictable as your best model finds real
    people. The truth is known. OUTCOMES alone tell

    \b
      the smallest difference between two models that your judgments can find
      coverage: how often a 95 % interval holds the truth, for the same images and for new ones
      type I error: how often a test finds a difference that does not exist
      power: how often a test finds a difference that exists

    With --vectors, the tables that were scored, also

    \b
      shuffled judgments: every model must be at chance
      model recovery: if people judged by one of your models, would the report name it?
      with --reweight N, the same if every model learns from the judgments first

    If OUTCOMES hold classes and groups (score --images), new classes and new groups are simulated, too. The Monte
    Carlo error follows each share. A study of 16,000 trials takes about 0.1 s, and progress is shown.
    If FILE is -, the command writes to standard output and does not print the tables.

    \b
    Example:
      simtool check outcomes.parquet
      simtool check outcomes.parquet --vectors pixels.parquet --vectors resnet.parquet --json check.json
    """

    def show(found: Check) -> None:
        if json != Path("-"):
            from simtool.reporting.validity import terminal_check

            console.result(terminal_check(found))

    stages.check(
        outcomes,
        vectors or (),
        names=name or (),
        json=json,
        studies=studies,
        reweight=reweight,
        replicates=replicates,
        seed=seed,
        show=show,
    )
