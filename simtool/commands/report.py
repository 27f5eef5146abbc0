"""``simtool report``: outcomes become a table, a figure, a page and files of numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simtool import console
from simtool.analysis.metrics import Metric, Order
from simtool.stages.run import Stage, stage
from simtool.text import counted

if TYPE_CHECKING:
    from simtool.analysis.report import Report

__all__ = ["report"]

#: The suffixes of figures.
FORMATS = ("png", "svg", "pdf")
#: The least and the greatest level of an interval.
LEVELS = (0.01, 0.999999)
#: What stands for standard output.
STDOUT = Path("-")


def report(
    outcomes: Annotated[list[Path], typer.Argument(metavar="OUTCOMES", help="Tables that score wrote.")],
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="FILE", help="Draw a figure: .png, .svg or .pdf.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a self-contained page.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write all numbers as CSV.")] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers as JSON.")] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write tables to paste into Markdown.")
    ] = None,
    metric: Annotated[
        list[Metric] | None,
        typer.Option(
            "--metric",
            help="What terminal, figure and page's figures show; may be given several times. Files hold all.",
            show_choices=True,
        ),
    ] = None,
    trial_type: Annotated[
        str | None,
        typer.Option("--trial-type", metavar="TYPE", help="Only this type, for example 8-rank-2, or all (pooled)."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", metavar="MODEL", help="Compare the others with this model, distance by distance."),
    ] = None,
    weighted: Annotated[
        bool,
        typer.Option("--weighted", help="Let each trial count as much as its weight says; else all count the same."),
    ] = False,
    sort: Annotated[Order, typer.Option("--sort", help="The order of rows.")] = Order.ACCURACY,
    level: Annotated[float, typer.Option("--level", help="The level of the intervals.")] = 0.95,
    replicates: Annotated[
        int, typer.Option("--replicates", min=100, help="How often people and images are resampled.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The seed of the resampling.")] = 0,
) -> None:
    """Say how well each model predicts the judgments, with intervals, chance and, from 1,000 repeats, an upper bound.

    Prints a table for all trials and one for each trial type. Intervals resample the people who
    judged (or sessions, where people are not recorded) and the images together, because the
    comparisons of a trial are not independent. All models are scored on the same resamples.

    A FILE of - is standard output, which then holds nothing else. Several OUTCOMES are pooled: a model
    of one name that was scored on several experiments gets one row for all their trials.

    \b
    Example:
      simtool report outcomes.parquet
      simtool report outcomes.parquet --figure accuracy.pdf --html report.html --json - | jq .
    """
    written = {"--html": html, "--csv": csv, "--json": json, "--markdown": markdown}
    _check(figure, [path for path in written.values() if path is not None], level)

    from simtool.analysis.building import build_report
    from simtool.analysis.report import ReportError, Settings
    from simtool.reporting.exports import to_csv, to_json, to_markdown
    from simtool.tables.outcomes import read_outcomes

    with stage("report", reads=outcomes, writes=_files(figure, *written.values())) as run:
        tables = read_outcomes(outcomes)
        for path in outcomes:
            held = counted(len(tables), "models and distances", "model and distance")
            run.read(path, "outcomes" if len(outcomes) > 1 else held)
        metrics = metric or [Metric.TRIPLET_ACCURACY]
        needed = tuple(Metric) if any(written.values()) else metrics
        content = build_report(tables, Settings(level, replicates, seed, baseline, sort, weighted), needed)
        content = content if trial_type is None else content.of_type(trial_type)
        if not any(True for _ in content.blocks(metrics)):
            raise ReportError(f"no trial has {' or '.join(metrics)}: it takes several choices in a trial")
        if STDOUT not in written.values():
            _print(content, metrics)
        if figure is not None:
            _draw(run, figure, content, metrics[0])
        texts: dict[str, Callable[[], str]] = {
            "--html": lambda: _page(run, content, metrics),
            "--csv": lambda: to_csv(content),
            "--json": lambda: to_json(content),
            "--markdown": lambda: to_markdown(content),
        }
        for option, target in written.items():
            if target is not None:
                _write(run, target, texts[option](), counted(len(content.rows), "numbers"))


def _files(*targets: Path | None) -> list[Path]:
    """The outputs that are files."""
    return [target for target in targets if target not in (None, STDOUT)]


def _check(figure: Path | None, written: list[Path], level: float) -> None:
    """Refuse what cannot be done before anything is read."""
    if figure is not None and figure.suffix.lower().removeprefix(".") not in FORMATS:
        known = ", ".join(f".{suffix}" for suffix in FORMATS)
        raise typer.BadParameter(f"{figure}: a figure's name ends in one of {known}", param_hint="--figure")
    if written.count(STDOUT) > 1:
        raise typer.BadParameter("only one output can be standard output (-)")
    if not LEVELS[0] <= level <= LEVELS[1]:
        raise typer.BadParameter(
            f"{level} is not between {LEVELS[0]} and {LEVELS[1]} (0.95 means 95 %)", param_hint="--level"
        )


def _print(content: Report, metrics: list[Metric]) -> None:
    from simtool.reporting.terminal import terminal_report

    console.result(terminal_report(content, metrics))


def _draw(run: Stage, path: Path, content: Report, metric: Metric) -> None:
    from simtool.reporting.figure import write_figure
    from simtool.tables.files import atomic_path

    with atomic_path(path) as temporary:
        write_figure(temporary, content, path.suffix.lower().removeprefix("."), metric)
    run.wrote(path, "figure")


def _page(run: Stage, content: Report, metrics: list[Metric]) -> str:
    from simtool.reporting.html import to_html

    return to_html(content, run.provenance(), metrics)


def _write(run: Stage, path: Path, text: str, detail: str) -> None:
    if path == STDOUT:
        console.result_text(text)
        return
    from simtool.tables.files import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    run.wrote(path, detail)
