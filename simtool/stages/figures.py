"""The figures of a report: which to draw, how they look, and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simtool import console
from simtool.analysis.metrics import Metric
from simtool.analysis.report import Report, ReportError
from simtool.errors import UsageError, listed
from simtool.reporting.look import COLUMNS, PLAIN, Look
from simtool.stages.run import Run, chosen
from simtool.tables.atomic import atomic_path
from simtool.text import plural

__all__ = ["ACCURACY", "FORMATS", "check_drawn", "draw", "draw_all", "figure_names", "files_in", "look_of"]

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
            settings = rc_params_from_file(path, use_default_template=False)
        except (OSError, UnicodeDecodeError) as failure:
            raise UsageError(f"--style {path}: no style sheet of matplotlib: {failure}") from failure
        if not settings:
            raise UsageError(f"--style {path}: it holds no setting of matplotlib, such as font.size: 8")
        return _plain(settings)
    name = chosen(matplotlib.style.available, "--style (an existing file, or a name)", str(style))
    return _plain(matplotlib.style.library[name])


def _plain(settings: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in settings.items()}


def files_in(folder: Path | None, kind: str) -> dict[str, Path]:
    """The files in a folder that figures of a report may be written to, by the name of the figure."""
    chosen(FORMATS, "--figure-format", kind)
    return {} if folder is None else {name: folder / f"{name}.{kind}" for name in figure_names()}


def check_drawn(figure: Path | None, folder: Path | None, name: str, kind: str, look: Look) -> None:
    """Refuse choices for figures that are not drawn.

    Raises:
        UsageError: a choice has no figure that it is for.
    """
    if figure is None and name != ACCURACY:
        raise UsageError(f"--show {name} chooses the figure of --figure: give --figure, too")
    if folder is None and kind != FORMATS[0]:
        raise UsageError(f"--figure-format {kind} is the format of --figures: give --figures, too")
    if figure is None and folder is None and look != PLAIN:
        raise UsageError("--title, --width, --font-size and --style are for figures: give --figure or --figures, too")


def draw(run: Run, path: Path, name: str, content: Report, metric: Metric, look: Look) -> None:
    """Draw one figure.

    Raises:
        ReportError: the report does not hold what the figure shows.
    """
    drawing = _drawing(name, content, path, metric, look)
    if drawing is None:
        raise ReportError(f"{path}: this report has no figure {name}; {_ADVICE.get(name, 'it holds no such part')}")
    _save(run, path, drawing)


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


def draw_all(run: Run, files: Mapping[str, Path], content: Report, metric: Metric, look: Look) -> None:
    """Draw every figure that the report has, and name files of an earlier report that are not of this one."""
    left: list[Path] = []
    for name, path in files.items():
        drawing = _drawing(name, content, path, metric, look)
        if drawing is not None:
            _save(run, path, drawing)
        else:
            left += [file for kind in FORMATS if (file := path.with_suffix(f".{kind}")).exists()]
    if left:
        them = plural(len(left), "them", "it")
        console.warn(
            f"{left[0].parent}: {listed((file.name for file in left), most=8)} {plural(len(left), 'are', 'is')} not of "
            f"this report, which has no such {plural(len(left), 'figures', 'figure')}; if an earlier report wrote "
            f"{them}, delete {them}"
        )


def _drawing(name: str, content: Report, path: Path, metric: Metric, look: Look) -> bytes | None:
    from simtool.reporting.figure import figure_bytes, section_bytes
    from simtool.reporting.sections import SECTIONS

    kind = path.suffix.lower().removeprefix(".")
    if name == ACCURACY:
        return figure_bytes(content, kind, metric, look)
    section = next(section for section in SECTIONS if section.name == name)
    return section_bytes(section, content, kind, look)


def _save(run: Run, path: Path, drawing: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(drawing)
    run.wrote(path, "figure")
