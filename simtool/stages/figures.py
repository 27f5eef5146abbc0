"""The figures of a report: which to draw, how they look, and the files that hold them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simtool import console
from simtool.analysis.metrics import Metric
from simtool.analysis.report import Report, ReportError
from simtool.errors import UsageError, listed
from simtool.reporting.look import COLUMNS, PLAIN, SIZES, Look
from simtool.stages.run import Run, chosen
from simtool.tables.atomic import atomic_path
from simtool.text import plural

if TYPE_CHECKING:
    from simtool.reporting.figure import Drawing

__all__ = ["ACCURACY", "FORMATS", "check_drawn", "draw_all", "drawing", "figure_names", "files_in", "look_of", "save"]

#: The suffixes of figures.
FORMATS = ("png", "svg", "pdf")
#: The name of the figure of the accuracies.
ACCURACY = "accuracy"
#: The least and the greatest width in millimeters, and size of text in points.
_WIDTHS, _SIZES = (40.0, 1000.0), (3.0, 40.0)
#: The greatest size of text for each millimeter of a given width.
_POINTS = 0.175


def figure_names() -> list[str]:
    """The names of all figures that a report can have."""
    from simtool.reporting.sections import SECTIONS

    return [ACCURACY, *(section.name for section in SECTIONS if section.draw is not None)]


def look_of(title: str | None, width: str | float | None, font_size: float | None, style: str | Path | None) -> Look:
    """How figures look, from the arguments of the stage.

    Raises:
        UsageError: an argument has a value that is not valid.
    """
    settings = None if style is None else _sheet(style)
    if font_size is not None and not _SIZES[0] <= font_size <= _SIZES[1]:
        raise UsageError(f"--font-size is from {_SIZES[0]:g} to {_SIZES[1]:g} points, not {font_size:g}")
    size = font_size or (settings or {}).get("font.size")
    if settings is not None and font_size is not None:  # all sizes follow from the size that was asked for
        settings = {name: value for name, value in settings.items() if name not in SIZES}
    if size is not None and not _SIZES[0] <= size <= _SIZES[1]:
        raise UsageError(f"--style {style}: font.size is from {_SIZES[0]:g} to {_SIZES[1]:g} points, not {size:g}")
    look = Look(title, None if width is None else _millimeters(width), size, settings)
    if look.width is not None and look.points > (most := look.width * _POINTS):
        raise UsageError(
            f"text of {look.points:g} points does not fit in a width of {look.width:g} mm: "
            f"use a --font-size of up to {most:.1f}, or a larger --width"
        )
    return look


def _millimeters(width: str | float) -> float:
    if isinstance(width, str) and width in COLUMNS:
        return COLUMNS[width]
    try:
        found = float(width)
    except ValueError:
        found = float("nan")
    if not _WIDTHS[0] <= found <= _WIDTHS[1]:
        known = ", ".join(COLUMNS)
        raise UsageError(f"--width is {known} or from {_WIDTHS[0]:g} to {_WIDTHS[1]:g} millimeters, not {width}")
    return found


def _sheet(style: str | Path) -> Mapping[str, Any]:
    """The settings of a style sheet of matplotlib: a file, or a name that matplotlib knows."""
    import matplotlib.style
    from matplotlib import rc_params_from_file

    path = Path(style)
    if path.is_file():
        try:
            with _faults() as faults:
                settings = rc_params_from_file(path, use_default_template=False)
        except (OSError, UnicodeDecodeError) as failure:
            raise UsageError(f"--style {path}: no style sheet of matplotlib: {failure}") from failure
        if faults:
            raise UsageError(f"--style {path}: {_fault(faults[0])}")
        if not settings:
            raise UsageError(f"--style {path}: it holds no setting of matplotlib, such as font.size: 8")
        return _plain(settings)
    name = chosen(matplotlib.style.available, "--style (an existing file, or a name)", str(style))
    return _plain(matplotlib.style.library[name])


@contextmanager
def _faults() -> Iterator[list[str]]:
    """Collect what matplotlib says about the lines of a style sheet, which it logs and leaves out.

    Another library may have silenced the logger.
    """
    found: list[str] = []
    logger, handler = logging.getLogger("matplotlib"), logging.Handler(logging.WARNING)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    before = logger.propagate, logger.disabled, logger.level, logging.root.manager.disable
    logger.propagate, logger.disabled = False, False
    logger.setLevel(logging.WARNING)
    logging.disable(logging.NOTSET)
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.propagate, logger.disabled = before[:2]
        logger.setLevel(before[2])
        logging.disable(before[3])


#: A message of matplotlib about a line of a style sheet.
_MESSAGE = re.compile(r"\s*(.+?) in file .*?, line (\d+) \((.{0,80}).*?\)(?:$|\n|: )(?:.*?: )?(.{0,120})", re.DOTALL)


def _fault(message: str) -> str:
    """The fault of a style sheet, in one line."""
    found = _MESSAGE.match(message)
    if found is None:
        return " ".join(message.split())[:200]
    fault, line, text, reason = found.groups()
    if fault.startswith("Bad key"):
        return f"line {line}: matplotlib has no setting {fault.removeprefix('Bad key ')}"
    more = f" ({' '.join(reason.split()).split('. ')[0]})" if reason and fault == "Bad value" else ""
    return f"line {line}: {fault.lower()} in {text}{more}"


def _plain(settings: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in settings.items()}


def files_in(folder: Path | None, kind: str) -> dict[str, Path]:
    """The files in a folder that figures of a report may be written to, by the name of the figure."""
    chosen(FORMATS, "--figure-format", kind)
    return {} if folder is None else {name: folder / f"{name}.{kind}" for name in figure_names()}


def check_drawn(
    figure: Path | None, folder: Path | None, name: str, kind: str, look: Look, computed: Mapping[str, bool]
) -> None:
    """Refuse choices for figures that are not drawn.

    Args:
        figure: the file of one figure.
        folder: the folder of all figures.
        name: of the one figure.
        kind: the format of the files in the folder.
        look: of all figures.
        computed: parts of a report that are computed only if an option asks for them, and whether it does.

    Raises:
        UsageError: a choice has no figure that it is for.
    """
    if figure is None and name != ACCURACY:
        raise UsageError(f"--show {name} chooses the figure of --figure: give --figure, too")
    if not computed.get(name, True):
        raise UsageError(f"--show {name}: this report does not hold it; {_ADVICE[name]}")
    if folder is None and kind != FORMATS[0]:
        raise UsageError(f"--figure-format {kind} is the format of --figures: give --figures, too")
    if figure is None and folder is None and look != PLAIN:
        raise UsageError("--title, --width, --font-size and --style are for figures: give --figure or --figures, too")


#: The options that add a figure to a report.
_ADVICE = {
    "contrasts": "--compare compares models, without --baseline",
    "strata": "score --images adds the classes of images, and report --by divides by a column",
    "difficulty": "--difficulty computes it",
    "consistency": "--consistency computes it",
    "predictions": "score --choice-model fits choice models",
    "noise-ceiling": "it takes repeated judgments of several people",
    "participants": "it takes trials that name participants or sessions",
}


def drawing(path: Path, name: str, content: Report, metric: Metric, look: Look) -> Drawing:
    """Draw one figure for a file.

    Raises:
        ReportError: the report does not hold what the figure shows.
    """
    found = _drawing(name, content, path, metric, look)
    if found is None:
        raise ReportError(f"{path}: this report has no figure {name}; {_ADVICE.get(name, 'it holds no such part')}")
    return found


def draw_all(run: Run, files: Mapping[str, Path], content: Report, metric: Metric, look: Look) -> None:
    """Draw every figure that the report has, and name files of an earlier report that are not of this one."""
    left: list[Path] = []
    for name, path in files.items():
        found = _drawing(name, content, path, metric, look)
        if found is not None:
            save(run, path, found)
        else:
            left += [file for kind in FORMATS if (file := path.with_suffix(f".{kind}")).exists()]
    if left:
        them = plural(len(left), "them", "it")
        console.warn(
            f"{left[0].parent}: {listed((file.name for file in left), most=8)} {plural(len(left), 'are', 'is')} not of "
            f"this report, which has no such {plural(len(left), 'figures', 'figure')}; if an earlier report wrote "
            f"{them}, delete {them}"
        )


def _drawing(name: str, content: Report, path: Path, metric: Metric, look: Look) -> Drawing | None:
    from simtool.reporting.figure import drawn, drawn_section
    from simtool.reporting.sections import SECTIONS

    kind = path.suffix.lower().removeprefix(".")
    if name == ACCURACY:
        return drawn(content, kind, metric, look)
    section = next(section for section in SECTIONS if section.name == name)
    return drawn_section(section, content, kind, look)


def save(run: Run, path: Path, found: Drawing) -> None:
    """Write a figure to its file, and say what its readers would miss."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(found.content)
    run.wrote(path, "figure")
    for note in found.notes:
        console.warn(f"{path}: {note}")
