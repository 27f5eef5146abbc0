"""Exports: a report as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from simtool.analysis.report import Block, Report, Row
from simtool.reporting import formatting
from simtool.reporting.sections import SECTIONS
from simtool.reporting.sections.section import Sheet

__all__ = ["records", "to_csv", "to_json", "to_markdown"]

#: Characters that begin a formula in a spreadsheet, also in full width. (Control characters are always escaped.)
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
#: Columns that identify a row, its numbers, and the fields of its difference from the baseline.
_KEY = ("model", "distance", "trial_type", "metric")
_NUMBERS = ("estimate", "low", "high", "chance", "trials", "comparisons", "ties")
_DIFFERENCE = {
    "difference": "estimate",
    "difference_low": "low",
    "difference_high": "high",
    "p_value": "p_value",
    "p_holm": "p_holm",
}


def records(report: Report) -> list[dict[str, Any]]:
    """One flat object for each row and for each number of a section; see docs/metrics.md for the columns.

    All objects have the same columns. Columns of differences exist only with a baseline, and those of a section only
    if the report holds it. A value that does not apply or is unknown is None.
    """
    found = [_record(row, report) for row in report.rows]
    found += [dict(record) for section in SECTIONS for record in section.records(report)]
    columns = dict.fromkeys(column for record in found for column in record)
    return [{column: record.get(column) for column in columns} for record in found]


def _record(row: Row, report: Report) -> dict[str, Any]:
    gain = row.difference
    record: dict[str, Any] = {name: getattr(row, name) for name in (*_KEY, *_NUMBERS)} | {
        "stratum": None,
        "metric": row.metric.name,
        "observers": report.observers,
        "weighted": report.settings.weighted,
        "p_chance": row.p_chance,
        "scope": formatting.scope(row.sample),
        "family": row.family,
    }
    if row.untrained is not None:
        record["untrained"] = row.untrained
    if report.settings.baseline is not None:
        record |= {column: gain and getattr(gain, name) for column, name in _DIFFERENCE.items()}
    return record


def to_json(report: Report) -> str:
    """A list of objects, with numbers in full."""
    return json.dumps(records(report), indent=1, ensure_ascii=False) + "\n"


def to_csv(report: Report) -> str:
    """The columns of :func:`records`, with a header. A value that does not apply is empty.

    Text that a spreadsheet would run as a formula begins with an apostrophe, which marks text in spreadsheets.
    """
    lines = [
        {column: _inert(value) if isinstance(value, str) else value for column, value in record.items()}
        for record in records(report)
    ]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


def _inert(text: str) -> str:
    """A cell that is text in every program."""
    shown = formatting.name(text)
    return f"'{shown}" if shown.startswith(FORMULA) else shown


def to_markdown(report: Report) -> str:
    """Tables that are readable as text and on GitHub."""
    parts = [f"### {report.title}"]
    for block in report.blocks():
        parts += [f"**{formatting.headline(block)}**", _markdown_table(block, report)]
        caption = formatting.block_caption(block, report.settings.level)
        parts += [] if caption is None else [caption]
    for sheet in (sheet for section in SECTIONS for sheet in section.sheets(report)):
        parts += [f"**{_escaped(sheet.title)}**", _markdown_sheet(sheet)]
        parts += [] if sheet.caption is None else [_escaped(sheet.caption)]
    parts += [_escaped(line) for line in [*formatting.method(report), *formatting.notes(report)]]
    return "\n\n".join(parts) + "\n"


def _markdown_table(block: Block, report: Report) -> str:
    header, lines = formatting.table(block, report)
    return _markdown_sheet(Sheet(formatting.headline(block), header, lines))


def _markdown_sheet(sheet: Sheet) -> str:
    escaped = [[_escaped(cell) for cell in line] for line in [sheet.header, *sheet.lines]]
    widths = [max(len(line[column]) for line in escaped) for column in range(len(sheet.header))]
    rule = ["-" * width if column < sheet.texts else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    form = " | ".join(f"{{:{'<' if column < sheet.texts else '>'}{width}}}" for column, width in enumerate(widths))
    return "\n".join(f"| {form.format(*line)} |" for line in [escaped[0], rule, *escaped[1:]])


def _escaped(cell: str) -> str:
    """Text without markup."""
    return re.sub(r"[\\|*_`<\[~&$]", r"\\\g<0>", cell)
