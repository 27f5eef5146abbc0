"""The page of a report, from its templates."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from platform import python_version
from typing import Any

import matplotlib as mpl
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from simtool import __version__
from simtool.analysis.noise_ceiling import ENOUGH
from simtool.analysis.report import Report
from simtool.reporting import formatting
from simtool.reporting.figure import section_bytes
from simtool.reporting.page import curves
from simtool.reporting.page.curves import training
from simtool.reporting.page.gallery import Gallery
from simtool.reporting.page.overview import overview
from simtool.reporting.page.result import ceiling, data, result
from simtool.reporting.page.tables import Accuracies, Table, fitting, slug
from simtool.reporting.palette import BAND, INK, QUIET
from simtool.reporting.sections import SECTIONS
from simtool.reporting.sections.matrix import Matrix
from simtool.reporting.sections.section import Section
from simtool.reporting.sections.subject import Subject
from simtool.tables.provenance import Provenance
from simtool.training.history import History

__all__ = ["to_html"]

#: The greatest number of letters of a drawing. A larger one is left out, since the tables hold its numbers.
_LARGEST = 400_000
#: The colors of drawings as those of the page, which follow its theme.
_THEMED = {
    INK: "var(--ink)",
    QUIET: "var(--quiet)",
    BAND.lower(): "var(--best)",
    "#000000": "var(--ink)",
    "#ffffff": "var(--paper)",
}


@dataclass(frozen=True)
class _Part:
    """A section of the page: its matrices, its tables and its drawing."""

    id: str
    title: str
    matrices: Sequence[Matrix]
    sheets: Sequence[Table]
    drawing: str | None

    @property
    def tables(self) -> list[Table | Matrix]:
        """Everything that is about a subject."""
        return [*self.matrices, *self.sheets]


def to_html(
    report: Report,
    provenance: Provenance,
    judgments: Gallery | None = None,
    histories: Sequence[History] = (),
) -> str:
    """Write a report as an HTML page. It fetches nothing. Its scripts sort and filter tables, and show judgments.

    Args:
        report: the numbers.
        provenance: the tables of outcomes that they come from.
        judgments: the judgments to show; None for none.
        histories: the logs of trainings to show.
    """
    templates = Environment(
        loader=PackageLoader("simtool.reporting.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters["name"] = formatting.name
    blocks = [Accuracies.of(block, report) for block in report.blocks()]
    sections = list(_parts(report))
    subjects = [*(block.subject for block in blocks), *_subjects(sections)]
    templates.filters["thousands"] = "{:,}".format
    templates.filters["json"] = _json
    return templates.get_template("page.html").render(
        report=report,
        result=result(report),
        ceiling=ceiling(report),
        data=data(report),
        notes=formatting.notes(report),
        method=formatting.method(report),
        blocks=blocks,
        sections=sections,
        overview=overview(report),
        contents=[*([("tables", "Accuracy")] if blocks else []), *((part.id, part.title) for part in sections)],
        distances=list(dict.fromkeys(row.cells[1] for block in blocks for row in block.rows)),
        trials=_different(each.trials for each in subjects),
        metrics=_different(each.metric for each in subjects),
        strata=_different(each.stratum for each in subjects),
        trainings=[training(history) for history in histories],
        plot=curves,
        enough=ENOUGH,
        origin=provenance,
        versions=f"simtool {__version__} (Python {python_version()}, numpy {np.__version__}, "
        f"matplotlib {mpl.__version__})",
        gallery=judgments,
        script_hashes=[_hash(templates, name) for name in ("script.js", "gallery.js")],
    )


def _hash(templates: Environment, name: str) -> str:
    """The source of a script for the security policy of the page."""
    script = templates.get_template(name).render()
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


def _json(content: Any) -> Markup:
    """JSON inside a script element, where ``<`` would begin markup."""
    text = json.dumps(content, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - the only text that could end the element is replaced


def _different(texts: Iterable[str | None]) -> list[str]:
    """The choices of a filter; none if there is one only."""
    found = list(dict.fromkeys(text for text in texts if text is not None))
    return found if len(found) > 1 else []


def _subjects(sections: Sequence[_Part]) -> Iterator[Subject]:
    """The subjects of the tables of sections, of their lines and of their columns."""
    for part in sections:
        yield from (table.subject for table in part.tables)
        for sheet in part.sheets:
            yield from (line.subject for line in sheet.lines)
            yield from (Subject(stratum=stratum) for stratum in sheet.strata.values())


def _parts(report: Report) -> Iterator[_Part]:
    for section in SECTIONS:
        whole = section.matrices(report)
        matrices = fitting(whole)
        is_whole = bool(whole) and all(
            len(own.names) == len(each.names) for own, each in zip(matrices, whole, strict=True)
        )
        sheets = [Table.of(sheet) for sheet in section.sheets(report) if not (sheet.is_summary and is_whole)]
        drawn = matrices or any(sheet.axis for sheet in sheets)
        drawing = None if drawn else _drawing(section, report)
        if sheets or drawing is not None:
            title = section.name.replace("-", " ").capitalize()
            yield _Part(slug(section.name), title, matrices, sheets, drawing)


def _drawing(section: Section, report: Report) -> str | None:
    """The figure of a section in the colors of the page; None if it has none, or if it is too large."""
    found = section_bytes(section, report, "svg")
    text = "" if found is None else found.decode()
    if not 0 < len(text) <= _LARGEST:
        return None
    colors = re.compile(f"(fill|stroke): ({'|'.join(_THEMED)})", re.IGNORECASE)
    return colors.sub(lambda found: f"{found[1]}: {_THEMED[found[2].lower()]}", text[text.index("<svg") :])
