"""``simtool report``: from outcomes to a table, a figure, a page and files of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console, stages
from simtool.analysis.metrics import METRICS, USUAL, Order
from simtool.commands.options import file, number, table, whole

if TYPE_CHECKING:
    from simtool.analysis.report import Report

__all__ = ["report"]


def report(
    outcomes: Annotated[list[Path], typer.Argument(metavar="OUTCOMES", help="Tables of outcomes.")],
    figure: Annotated[Path | None, file(help="Write a figure: .png, .svg or .pdf.")] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write every figure of the report into a folder, one file each."),
    ] = None,
    figure_format: Annotated[
        str, typer.Option(metavar="png|svg|pdf", help="Format of the files in --figures.")
    ] = "png",
    show: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The figure to draw: accuracy, or a part of the report: strata, contrasts, participants, difficulty, "
            "noise-ceiling, consistency or predictions.",
        ),
    ] = "accuracy",
    width: Annotated[
        str | None,
        typer.Option(
            metavar="single|double|MM",
            help="Width of figures: a column (89 mm), two columns (183 mm), or millimeters. [as the content needs]",
        ),
    ] = None,
    font_size: Annotated[float | None, number(help="Size of text in figures, in points. [8.5; 7 with --width]")] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Title of figures. [none]")] = None,
    style: Annotated[
        str | None,
        typer.Option(metavar="FILE|NAME", help="Style sheet of matplotlib for figures: a file, or its name."),
    ] = None,
    html: Annotated[Path | None, file(help="Write a self-contained HTML page.")] = None,
    images: Annotated[
        Path | None,
        table(help="Show the judged images in the page, from this table of images. [their ids]"),
    ] = None,
    models: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Show the training of a model in the page, from its folder; may be given several times.",
        ),
    ] = None,
    csv: Annotated[Path | None, file(help="Write all numbers as CSV.")] = None,
    json: Annotated[Path | None, file(help="Write all numbers as JSON.")] = None,
    markdown: Annotated[Path | None, file(help="Write tables to paste into Markdown.")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="|".join(METRICS), help="Metric to show; may be given several times. Files hold all metrics."
        ),
    ] = None,
    trial_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Report only this type, for example 8-rank-2, or all (pooled).")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL[:DISTANCE]",
            help="Model to compare the others with: for each distance, or all with one of its distances.",
        ),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare all models and distances with each other, or with --baseline.")
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="class|group", help="Resample classes or groups of images, for intervals about new ones. [images]"
        ),
    ] = None,
    fixed_images: Annotated[
        bool, typer.Option("--fixed-images", help="Resample participants only, for intervals about these very images.")
    ] = False,
    weighted: Annotated[
        bool, typer.Option("--weighted", help="Use the weights of the trials. [all trials count the same]")
    ] = False,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN", help="Divide the accuracy by a column of the trials; may be given several times."
        ),
    ] = None,
    difficulty: Annotated[
        list[str] | None,
        typer.Option(
            metavar="agreement|TABLE",
            help="Show accuracy as a function of difficulty: by the agreement of people, or by distances in a table of "
            "embeddings; may be given several times.",
        ),
    ] = None,
    consistency: Annotated[
        bool,
        typer.Option(
            "--consistency", help="Add the error consistency (Cohen's kappa) of models with each other and with people."
        ),
    ] = False,
    sort: Annotated[
        str, typer.Option(metavar="|".join(Order), help="Order of rows; family: models of one network together.")
    ] = Order.ACCURACY.value,
    level: Annotated[float, number(help="Level of the intervals.")] = 0.95,
    replicates: Annotated[int, whole(min=100, help="Number of resamples of participants and images.")] = 1000,
    seed: Annotated[int, whole(min=0, help="Seed of the resampling.")] = 0,
) -> None:
    """Report how well each model predicts the judgments, with intervals, chance and noise ceiling.

    Prints a table for all trials and one for each trial type. The intervals resample participants
    (or sessions, where participants are not recorded) and images together, because the comparisons
    of a trial are not independent. All models are scored on the same resamples. The intervals hold
    for new images that are drawn like these; --cluster and --fixed-images change this.
    The noise ceiling needs 1,000 repeated judgments.

    If FILE is -, the command writes to standard output and does not print the tables. Several OUTCOMES are pooled: a
    model that was scored on several experiments gets one row for all their trials.

    \b
    Example:
      simtool report outcomes.parquet
      simtool report outcomes.parquet --compare
      simtool report outcomes.parquet --figure strata.pdf --show strata --width single
      simtool report outcomes.parquet --html report.html --images images.parquet --models resnet
      simtool report outcomes.parquet --figure accuracy.pdf --html report.html --json - | jq .
    """

    def print_tables(content: Report) -> None:
        if Path("-") not in (html, csv, json, markdown):
            from simtool.reporting.terminal import terminal_report

            console.result(terminal_report(content, [METRICS[name] for name in metric or ()] or USUAL))

    stages.report(
        outcomes,
        figure=figure,
        figures=figures,
        figure_format=figure_format,
        figure_of=show,
        width=width,
        font_size=font_size,
        title=title,
        style=style,
        html=html,
        images=images,
        models=models or (),
        csv=csv,
        json=json,
        markdown=markdown,
        metrics=metric or (),
        trial_type=trial_type,
        baseline=baseline,
        compare=compare,
        cluster=cluster,
        fixed_images=fixed_images,
        weighted=weighted,
        by=by or (),
        difficulty=difficulty or (),
        consistency=consistency,
        sort=sort,
        level=level,
        replicates=replicates,
        seed=seed,
        show=print_tables,
    )
