"""The same numbers in every file."""

from __future__ import annotations

import csv
import io
import json

import pytest

from simtool.reporting import words
from simtool.reporting.exports import records, to_csv, to_json, to_markdown
from simtool.reporting.report import Report

PINNED = [
    "model",
    "distance",
    "trial_type",
    "metric",
    "estimate",
    "low",
    "high",
    "chance",
    "trials",
    "comparisons",
    "ties",
]


def test_json_holds_every_row_with_the_pinned_columns_first(report: Report) -> None:
    content = json.loads(to_json(report))
    assert len(content) == len(report.rows)
    for record, row in zip(content, report.rows, strict=True):
        assert list(record)[: len(PINNED)] == PINNED
        assert [record[name] for name in PINNED] == [getattr(row, name) for name in PINNED]
        assert record["observers"] == "human"


def test_csv_holds_what_json_holds(report: Report) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(report))))
    for line, record in zip(lines, json.loads(to_json(report)), strict=True):
        assert list(line) == list(record)
        for name, value in record.items():
            read = line[name]
            assert read == ("" if value is None else str(value))


def test_columns_of_a_comparison_appear_with_a_baseline_only(report: Report, simulated: Report) -> None:
    assert "p_holm" in records(report)[0]
    assert "p_holm" not in records(simulated)[0]


def test_what_does_not_apply_is_null(report: Report) -> None:
    by_key = {(each["model"], each["metric"]): each for each in records(report) if each["trial_type"] == "8-rank-2"}
    assert by_key["pixels", "triplet_accuracy"]["difference"] is None
    assert by_key["pixels", "top_1"]["ceiling_upper"] is None
    assert by_key["Glöw", "top_1"]["difference"] is not None


def test_markdown_holds_the_rounded_numbers_in_tables_of_equal_columns(report: Report) -> None:
    text = to_markdown(report)
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("| model")]
    blocks = list(report.blocks())
    assert len(tables) == len(blocks)
    for table, block in zip(tables, blocks, strict=True):
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1
        assert len({len(line) for line in table}) == 1
        for row, line in zip(block.rows, table[2:], strict=True):
            for cell in (words.accuracy(row.estimate), words.interval(row), f"{row.comparisons:,}", f"{row.ties:,}"):
                assert f" {cell} " in line


def test_markdown_takes_no_markup_from_names(report: Report) -> None:
    text = to_markdown(report)
    assert "\\<b>R\\&D\\</b> \\| \\*x\\*\\_1" in text
    assert "<b>" not in text.replace("\\<b>", "")


@pytest.mark.parametrize("render", [to_json, to_csv, to_markdown])
def test_every_file_says_when_observers_were_simulated(simulated: Report, report: Report, render: object) -> None:
    assert callable(render)
    assert "simulated" in render(simulated)
    assert "simulated" not in render(report)
