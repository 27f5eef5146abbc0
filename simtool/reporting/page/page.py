"""The page of a report, from its templates."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
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
from simtool.analysis.report import Block, Report
from simtool.reporting import formatting
from simtool.reporting.figure import section_bytes
from simtool.reporting.page.axis import Axis, Bar
from simtool.reporting.page.gallery import Gallery
from simtool.reporting.page.result import ceiling, data, result
from simtool.reporting.sections import SECTIONS
from simtool.reporting.sections.section import Section, Sheet
from simtool.tables.provenance import Provenance

__all__ = ["to_html"]

#: Number of columns of a table of accuracies that a narrow screen shows: model, distance, accuracy and its interval.
_MAJOR = 4


@dataclass(frozen=True)
class _Row:
    """A row of a table of accuracies: its cells, its bar, and whether it is a control."""

    cells: Sequence[str]
    bar: Bar
    control: bool


@dataclass(frozen=True)
class _Accuracies:
    """A table of accuracies. ``minor`` holds the places of the columns that a narrow screen leaves out."""

    id: str
    title: str
    type: str
    metric: str
    header: Sequence[str]
    minor: Sequence[int]
    rows: Sequence[_Row]
    axis: Axis
    caption: str | None

    @classmethod
    def of(cls, block: Block, report: Report) -> _Accuracies:
        header, lines = formatting.table(block, report)
        axis = Axis.of(block)
        rows = [_Row(line, axis.bar(row), block.is_control(row)) for row, line in zip(block.rows, lines, strict=True)]
        return cls(
            _id(f"{block.metric.name}-{block.trial_type}"),
            formatting.headline(block),
            formatting.trials(block),
            block.metric.label,
            header,
            range(_MAJOR, len(header)),
            rows,
            axis,
            formatting.block_caption(block, report.settings.level),
        )


@dataclass(frozen=True)
class _Table:
    """A table of a section. It can be filtered if its first columns name a model and a distance."""

    title: str
    header: Sequence[str]
    lines: Sequence[Sequence[str]]
    texts: int
    caption: str | None

    @classmethod
    def of(cls, sheet: Sheet) -> _Table:
        return cls(sheet.title, sheet.header, sheet.lines, sheet.texts, sheet.caption)

    @property
    def named(self) -> bool:
        """Whether each line is about a model and a distance."""
        return list(self.header[:2]) == ["model", "distance"]


@dataclass(frozen=True)
class _Part:
    """A section of the page with its drawing."""

    id: str
    title: str
    sheets: Sequence[_Table]
    drawing: str | None


def to_html(report: Report, provenance: Provenance, judgments: Gallery | None = None) -> str:
    """Write a report as an HTML page. It fetches nothing. Its scripts sort and filter tables, and show judgments.

    Args:
        report: the numbers.
        provenance: the tables of outcomes that they come from.
        judgments: the judgments to show; None for none.
    """
    templates = Environment(
        loader=PackageLoader("simtool.reporting.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters["name"] = formatting.name
    blocks = [_Accuracies.of(block, report) for block in report.blocks()]
    sections = list(_parts(report))
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
        contents=[*([("tables", "Accuracy")] if blocks else []), *((part.id, part.title) for part in sections)],
        distances=list(dict.fromkeys(row.cells[1] for block in blocks for row in block.rows)),
        types=list(dict.fromkeys(block.type for block in blocks)),
        metrics=list(dict.fromkeys(block.metric for block in blocks)),
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


def _parts(report: Report) -> Iterator[_Part]:
    for section in SECTIONS:
        sheets = [_Table.of(sheet) for sheet in section.sheets(report)]
        drawing = _drawing(section, report)
        if sheets or drawing is not None:
            yield _Part(_id(section.name), section.name.replace("-", " ").capitalize(), sheets, drawing)


def _drawing(section: Section, report: Report) -> str | None:
    found = section_bytes(section, report, "svg")
    if found is None:
        return None
    text = found.decode()
    return text[text.index("<svg") :]


def _id(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
