"""Report: from outcomes to a report, and to the files that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from simtool import console
from simtool.analysis.building import build_report
from simtool.analysis.difficulty import Agreement, Ratio
from simtool.analysis.inference.units import Units
from simtool.analysis.metrics import METRICS, USUAL, Order
from simtool.analysis.report import Report, ReportError, Settings
from simtool.analysis.strata import ALL
from simtool.errors import UsageError, listed
from simtool.ids import match_ids
from simtool.reporting.exports import to_csv, to_json, to_markdown
from simtool.stages import figures as figures_of
from simtool.stages.arguments import at_least
from simtool.stages.remarks import note_matches
from simtool.stages.run import Run, api, chosen, files_of, path_of, stage
from simtool.stages.scoring import Scores
from simtool.tables.atomic import atomic_path
from simtool.tables.embeddings import EmbeddingTable
from simtool.tables.images import Images
from simtool.tables.outcomes import Outcomes, read_outcomes
from simtool.text import counted, scaled
from simtool.training.folder import LOG, TRAINING
from simtool.training.history import History, read_history

__all__ = ["report"]

#: The lowest and the highest level of an interval.
LEVELS = (0.01, 0.999999)
LEAST_REPLICATES = 100
#: The path that means standard output.
STDOUT = Path("-")


@api
def report(
    outcomes: str | Path | Outcomes | Scores | Sequence[str | Path | Outcomes],
    *,
    figure: str | Path | None = None,
    figures: str | Path | None = None,
    figure_format: str = "png",
    figure_of: str = figures_of.ACCURACY,
    width: str | float | None = None,
    font_size: float | None = None,
    title: str | None = None,
    style: str | Path | None = None,
    html: str | Path | None = None,
    images: str | Path | Images | None = None,
    models: str | Path | Sequence[str | Path] = (),
    csv: str | Path | None = None,
    json: str | Path | None = None,
    markdown: str | Path | None = None,
    metrics: Sequence[str] = (),
    trial_type: str | None = None,
    baseline: str | None = None,
    compare: bool = False,
    cluster: str | None = None,
    fixed_images: bool = False,
    weighted: bool = False,
    by: Sequence[str] = (),
    difficulty: str | Path | EmbeddingTable | Sequence[str | Path | EmbeddingTable] = (),
    consistency: bool = False,
    sort: str = Order.ACCURACY,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
    show: Callable[[Report], object] | None = None,
) -> Report:
    """Compute how well each model predicts the judgments, with intervals and chance.

    Intervals resample participants (or sessions, where participants are not recorded) and images together, because
    the comparisons of a trial are not independent. All models are scored on the same resamples.

    Args:
        outcomes: tables of outcomes, outcomes in memory, or the result of :func:`~simtool.stages.score`. Several are
            pooled: a model that was scored on several experiments gets one row for all their trials.
        figure: a file to draw: ``.png``, ``.svg`` or ``.pdf``.
        figures: a folder for every figure of the report: the accuracies, and one for each section that has a figure.
        figure_format: of the files in that folder, ``png``, ``svg`` or ``pdf``.
        figure_of: the figure to draw to the file ``figure``: ``accuracy``, ``strata``, ``contrasts``, ``participants``,
            ``difficulty``, ``noise-ceiling``, ``consistency`` or ``predictions``.
        width: of figures: ``single`` (89 mm), ``double`` (183 mm), or millimeters; None for as wide as the content.
        font_size: of text in figures, in points; None for 8.5, or 7 with ``width``.
        title: of figures; None for none.
        style: a style sheet of matplotlib for figures: a file, or a name that matplotlib knows.
        html: a file for a self-contained page; as for the next three, ``-`` is standard output. It shows the judgments.
        images: a table of images. The judgments on the page then show small copies of them, else their ids.
        models: folders of models. The page shows the curves of their trainings.
        csv: a file for all numbers.
        json: a file for all numbers.
        markdown: a file for tables to paste into Markdown.
        metrics: names, see :data:`~simtool.analysis.metrics.METRICS`; none for triplet accuracy and, where it applies,
            odd-one-out accuracy. The figure shows the first metric. Where a file of numbers is written, all metrics are
            computed.
        trial_type: report only this type, for example ``8-rank-2``, or ``all`` (pooled).
        baseline: ``MODEL``, to compare each other model with this one at the same distance, or ``MODEL:DISTANCE``, to
            compare everything with this model and distance.
        compare: compare all pairs of models and distances; with a baseline, compare with it.
        cluster: ``class`` or ``group`` for intervals about new classes or groups of images: images of a class are
            resampled together. The outcomes must hold classes (:func:`~simtool.stages.score` with ``images``).
        fixed_images: resample participants only, for intervals about these very images.
        weighted: weigh each trial by its weight; else all trials count the same.
        by: columns of the trials, for example a condition: the report divides the accuracy by their values.
        difficulty: ``agreement``, or a table of embeddings, for example of a psychological embedding; or several. The
            report shows the accuracy as a function of this difficulty, and compares types of trials at equal
            difficulty.
        consistency: compute the error consistency of every two models, and of every model with people.
        sort: the order of rows, ``accuracy``, ``family`` (the models of one network, or of one kind of training,
            together; the family of the most accurate model first), ``given`` or ``name``.
        level: of the intervals.
        replicates: number of resamples.
        seed: of the resampling.
        show: a function that receives the report before any file is written, so that no failure to write loses it.

    Returns:
        The report. ``report.rows`` holds all numbers, ``report.blocks()`` groups them by trial type and metric.

    Raises:
        UsageError: an option has a value that is not valid.
        SimtoolError: the outcomes cannot be read or pooled, or have no trial of the type or metric.

    Example:
        >>> from simtool import stages
        >>> report = stages.report("outcomes.parquet", csv="numbers.csv")  # doctest: +SKIP
        >>> [(row.model, row.estimate, row.low, row.high) for row in report.rows]  # doctest: +SKIP
        [('pixels', 0.613, 0.598, 0.629)]
    """
    texts = {"html": path_of(html), "csv": path_of(csv), "json": path_of(json), "markdown": path_of(markdown)}
    written = [path for path in texts.values() if path is not None]
    drawn, drawings = path_of(figure), figures_of.files_in(path_of(figures), figure_format)
    _check(drawn, written, level)
    if images is not None and html is None:
        raise UsageError("--images shows images in the page: give --html, too")
    folders = [Path(models)] if isinstance(models, str | Path) else [*map(Path, models)]
    if folders and html is None:
        raise UsageError("--models shows trainings in the page: give --html, too")
    chosen(figures_of.figure_names(), "--show", figure_of)
    look = figures_of.look_of(title, width, font_size, style)
    asked = {"contrasts": compare and baseline is None, "difficulty": bool(difficulty), "consistency": consistency}
    figures_of.check_drawn(drawn, path_of(figures), figure_of, figure_format, look, asked)
    at_least(LEAST_REPLICATES, replicates=replicates)
    at_least(0, seed=seed)
    wanted = [METRICS[chosen(METRICS, "--metric", name)] for name in metrics] or list(USUAL)
    settings = Settings(
        level,
        replicates,
        seed,
        baseline,
        Order(chosen(Order, "--sort", sort)),
        weighted,
        by=tuple(dict.fromkeys([by] if isinstance(by, str) else by)),
        trial_type=None if trial_type == ALL else trial_type,
        consistency=consistency,
        compare=compare,
        units=_units(cluster, fixed_images),
    )
    outcomes = outcomes.sources if isinstance(outcomes, Scores) else outcomes
    sources = [outcomes] if isinstance(outcomes, str | Path | Outcomes) else list(outcomes)
    if not sources:
        raise UsageError("there are no outcomes to report; give a table of outcomes")
    paths = [path for source in sources if (path := path_of(source)) is not None]
    measured = [difficulty] if isinstance(difficulty, str | Path | EmbeddingTable) else list(difficulty)
    spaces = [path for each in measured if each != Agreement.name and (path := path_of(each)) is not None]
    outputs = [drawn, *drawings.values(), *(path for path in written if path != STDOUT)]
    logs = [folder / TRAINING / LOG for folder in folders]
    with stage("report", reads=[*paths, *spaces, path_of(images), *logs], writes=outputs) as run:
        thumbnails = None if images is None else partial(_thumbnails, images, run.read_images(images))
        histories = [_history(run, folder) for folder in folders]
        tables = read_outcomes([source if isinstance(source, Outcomes) else Path(source) for source in sources])
        for path in paths:
            held = counted(len(tables), "pairs of model and distance", "pair of model and distance")
            run.read(path, "outcomes" if len(sources) > 1 else held)
        measures = [Agreement() if each == Agreement.name else Ratio(run.read_embeddings(each)) for each in measured]
        computed = list(METRICS.values()) if written else wanted
        content = build_report(tables, settings, computed, _progress, measures)
        content = content if trial_type is None else content.of_type(trial_type)
        if not any(True for _ in content.blocks(wanted)):
            raise UsageError(f"no trial has {' or '.join(map(str, wanted))}: it takes trials of another type")
        drawing = None if drawn is None else figures_of.drawing(drawn, figure_of, content, wanted[0], look)
        if show is not None:
            show(content)
        if drawn is not None and drawing is not None:
            figures_of.save(run, drawn, drawing)
        figures_of.draw_all(run, drawings, content, wanted[0], look)
        formats: dict[str, tuple[Callable[[], str], str]] = {
            "html": (lambda: _page(run, content, tables, thumbnails, histories), "page to open in a browser"),
            "csv": (lambda: to_csv(content), "all numbers"),
            "json": (lambda: to_json(content), "all numbers"),
            "markdown": (lambda: to_markdown(content), "tables"),
        }
        for name, target in texts.items():
            if target is not None:
                text, detail = formats[name]
                _write(run, target, text(), detail)
    return content


def _units(cluster: str | None, fixed_images: bool) -> Units:
    """The units in which intervals resample images."""
    if cluster is None:
        return Units.NOTHING if fixed_images else Units.IMAGE
    if fixed_images:
        raise UsageError("--cluster asks about new images, and --fixed-images about these; give one of them")
    return Units(chosen((Units.CLASS, Units.GROUP), "--cluster", cluster))


@contextmanager
def _progress(observations: int) -> Iterator[Callable[[int], object]]:
    """Show the progress of the intervals."""
    with console.progress("computing intervals", observations, "observations") as bar:
        yield bar.advance


def _check(figure: Path | None, written: Sequence[Path], level: float) -> None:
    """Refuse options that are not valid, before anything is read."""
    if figure is not None and figure.suffix.lower().removeprefix(".") not in figures_of.FORMATS:
        known = ", ".join(f".{suffix}" for suffix in figures_of.FORMATS)
        raise UsageError(f"--figure {figure}: the name of a figure ends in {known}")
    if written.count(STDOUT) > 1:
        raise UsageError("only one output can be standard output (-)")
    if not LEVELS[0] <= level <= LEVELS[1]:
        raise UsageError(f"--level {level} is not between {LEVELS[0]} and {LEVELS[1]} (0.95 means 95 %)")


def _history(run: Run, folder: Path) -> History:
    """The log of the training of a model, which need not be complete."""
    from simtool.models.folder import MANIFEST, read_manifest

    own = folder.resolve().name
    name = f"{read_manifest(folder).name} ({own})" if (folder / MANIFEST).exists() else own
    history = read_history(folder, name)
    run.read(folder, f"training of {counted(len(history.epochs), 'epochs')}", [folder / TRAINING / LOG])
    return history


def _page(
    run: Run,
    content: Report,
    outcomes: Sequence[Outcomes],
    thumbnails: Callable[[Sequence[str]], Mapping[str, bytes]] | None,
    histories: Sequence[History],
) -> str:
    from simtool.reporting.page.gallery import gallery
    from simtool.reporting.page.page import to_html

    shown = gallery(outcomes, content, thumbnails)
    return to_html(content, run.provenance(), shown, histories)


def _thumbnails(images: str | Path | Images, table: Images, ids: Sequence[str]) -> Mapping[str, bytes]:
    """Small copies of images, by id."""
    from simtool.images.pipeline import BadImage, described
    from simtool.images.thumbnails import side_of, thumbnails

    place = path_of(images) or Path("the table of images")
    matches = match_ids(ids, table.image_id)
    note_matches(place, matches)
    if missing := [name for name, row in zip(ids, matches.rows, strict=True) if row < 0]:
        raise ReportError(f"{place}: {counted(len(missing), 'judged images')} are not in it: {listed(missing)}")
    skipped: list[BadImage] = []
    files = files_of(images, table)
    found = thumbnails(ids, [files[row] for row in matches.rows], side_of(len(ids)), skipped.append)
    if skipped:
        console.warn(f"{described(skipped)}; the page shows their ids")
    return found


def _write(run: Run, path: Path, text: str, detail: str) -> None:
    if path == STDOUT:
        console.result_text(text)
        return
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    run.wrote(path, f"{detail} ({scaled(path.stat().st_size, 'B')})")
