"""A report as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from simtool.analysis.report import Block, Report, Row
from simtool.reporting import formatting

__all__ = ["records", "to_csv", "to_json", "to_markdown"]

#: What a formula begins with in a spreadsheet, also in full width. (Control characters are escaped in any case.)
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def records(report: Report) -> list[dict[str, Any]]:
    """One flat object for each row.

    After the columns that the contract pins come ``observers`` (``human`` or ``simulated``), the bounds
    ``ceiling_lower`` and ``ceiling_upper``, whether trials are ``weighted``, and, where there is a baseline,
    ``difference`` with its interval and p values; what does not apply, or cannot be told, is None.
    """
    return [_record(row, report) for row in report.rows]


def _record(row: Row, report: Report) -> dict[str, Any]:
    bound, gain = row.ceiling, row.difference
    record: dict[str, Any] = {
        "model": row.model,
        "distance": row.distance,
        "trial_type": row.trial_type,
        "metric": row.metric.value,
        "estimate": row.estimate,
        "low": row.low,
        "high": row.high,
        "chance": row.chance,
        "trials": row.trials,
        "comparisons": row.comparisons,
        "ties": row.ties,
        "observers": report.observers,
        "ceiling_lower": bound and bound.lower,
        "ceiling_upper": bound and bound.upper,
        "weighted": report.settings.weighted,
    }
    if report.settings.baseline is not None:
        record |= {
            "difference": gain and gain.estimate,
            "difference_low": gain and gain.low,
            "difference_high": gain and gain.high,
            "p_value": gain and gain.p_value,
            "p_holm": gain and gain.p_holm,
        }
    return record


def to_json(report: Report) -> str:
    """A list of objects, with numbers in full."""
    return json.dumps(records(report), indent=1, ensure_ascii=False) + "\n"


def to_csv(report: Report) -> str:
    """The same columns, with a header; what does not apply is empty.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, with which spreadsheets mark text.
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
    """Tables that read well as text and on GitHub."""
    parts = [f"### {report.title}"]
    for block in report.blocks():
        parts += [f"**{formatting.headline(block)}**", _markdown_table(block, report)]
        caption = formatting.block_caption(block)
        parts += [] if caption is None else [caption]
    parts += [_escaped(line) for line in [*formatting.method(report), *formatting.notes(report)]]
    return "\n\n".join(parts) + "\n"


def _markdown_table(block: Block, report: Report) -> str:
    level = formatting.percent(report.settings.level)
    header = ["model", "distance", "accuracy", f"{level} CI", "comparisons", "ties"]
    compared = report.settings.baseline is not None
    header += (
        [f"minus {formatting.name(report.settings.baseline or '')}", f"{level} CI", "p (Holm)"] if compared else []
    )
    lines = [header]
    for row in block.rows:
        line = [
            formatting.name(row.model),
            formatting.name(row.distance),
            formatting.accuracy(row.estimate),
            formatting.interval(row),
        ]
        line += [f"{row.comparisons:,}", f"{row.ties:,}"]
        lines.append([*line, *(formatting.difference(row.difference) if compared else [])])
    escaped = [[_escaped(cell) for cell in line] for line in lines]
    widths = [max(len(line[column]) for line in escaped) for column in range(len(header))]
    rule = ["-" * width if column < 2 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join(_markdown_line(line, widths) for line in [escaped[0], rule, *escaped[1:]])


def _markdown_line(cells: list[str], widths: list[int]) -> str:
    """Names to the left, numbers to the right."""
    padded = [
        cell.ljust(width) if column < 2 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _escaped(cell: str) -> str:
    """A text in which nothing is markup."""
    return re.sub(r"[\\|*_`<\[~&$]", r"\\\g<0>", cell)
