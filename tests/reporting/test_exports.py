"""The same numbers in every file."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from simtool.analysis.metrics import METRICS
from simtool.analysis.report import Report
from simtool.reporting import formatting
from simtool.reporting.exports import records, to_csv, to_json, to_markdown
from tests.reporting.conftest import HOSTILE, make_report

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
    content = [record for record in json.loads(to_json(report)) if record["metric"] in METRICS]
    for record, row in zip(content, report.rows, strict=True):
        assert list(record)[: len(PINNED)] == PINNED
        assert [record[name] for name in PINNED] == [
            str(row.metric) if name == "metric" else getattr(row, name) for name in PINNED
        ]
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
    assert by_key["Glöw", "top_1"]["difference"] is not None


def test_markdown_holds_the_rounded_numbers_in_tables_of_equal_columns(report: Report) -> None:
    text = to_markdown(report)
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("| model")]
    blocks = list(report.blocks())
    assert len(tables) >= len(blocks)
    for table, block in zip(tables, blocks, strict=False):
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1
        assert len({len(line) for line in table}) == 1
        for row, line in zip(block.rows, table[2:], strict=True):
            for cell in (formatting.accuracy(row.estimate), formatting.interval(row)):
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


def test_json_holds_names_as_they_are(hostile: Report) -> None:
    assert {each["model"] for each in json.loads(to_json(hostile))} - {None} == set(HOSTILE)


def test_csv_holds_no_control_character_and_no_formula(hostile: Report) -> None:
    content = to_csv(hostile)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", content)
    cells = {line["model"] for line in csv.DictReader(io.StringIO(content))}
    assert {"'=HYPERLINK(A1)", "'@SUM(1)", "'-2+3", r"\t=1+1", r"\x1b[2Jgone\r\nnext\u202e"} <= cells
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def test_csv_leaves_negative_numbers_numbers(hostile: Report) -> None:
    gains = [line["difference"] for line in csv.DictReader(io.StringIO(to_csv(hostile))) if line["difference"]]
    assert any(float(gain) < 0 for gain in gains)


def test_markdown_of_hostile_names_is_tables_and_text(hostile: Report) -> None:
    content = to_markdown(hostile)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", content)
    assert r"a \| b \`c\` \$d\$ \*\*e\*\* \<f>" in content
    assert r"--> \<script>" not in content
    assert not re.search(r"(?<!\\)<", content)
    assert r"\&lt;" in content
    for table in (part.splitlines() for part in content.split("\n\n") if part.startswith("| model")):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_what_was_too_few_to_test_is_null_in_files_and_words_in_markdown() -> None:
    report = make_report("pixels", ("pixels", "other"), pairs=30, participant=["p"] * 40 + [None] * 29 + ["q"])
    (record,) = (
        each
        for each in records(report)
        if (each["model"], each["distance"], each["trial_type"], each["metric"])
        == ("other", "mse", "8-rank-2", "triplet_accuracy")
    )
    tested = [record[name] for name in ("difference_low", "difference_high", "p_value", "p_holm")]
    assert tested == [None] * 4
    assert record["difference"] is not None
    assert record["weighted"] is False
    json.loads(to_json(report), parse_constant=lambda name: pytest.fail(name))
    assert "too few to test" in to_markdown(report)
    assert "nan" not in to_csv(report).lower()
