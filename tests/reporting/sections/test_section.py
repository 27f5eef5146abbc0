"""A section is shown in every view: its tables, its figure and its records."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from simtool import stages
from simtool.analysis.report import Report
from simtool.reporting import exports, figure, formatting, sections, terminal
from simtool.reporting.look import Look
from simtool.reporting.page import page as html
from simtool.reporting.sections.section import Section, Sheet
from simtool.tables.provenance import Provenance
from tests.reporting.conftest import HOSTILE
from tests.scored import latent, model, observe, outcomes_of


def _counts(report: Report) -> dict[str, int]:
    models = [row.model for row in report.rows]
    return {model: models.count(model) for model in dict.fromkeys(models)}


def _sheets(report: Report) -> list[Sheet]:
    lines = [[formatting.name(model), str(count)] for model, count in _counts(report).items()]
    hidden = Sheet("Only in files", ["model"], [["every"]], texts=1, in_terminal=False)
    return [Sheet("Rows of each model", ["model", "rows"], lines, texts=1, caption="A caption."), hidden]


def _records(report: Report) -> list[dict[str, object]]:
    return [{"model": model, "metric": "rows", "rows": count} for model, count in _counts(report).items()]


def _draw(report: Report, _look: Look) -> Figure:
    drawn = Figure()
    drawn.subplots().bar(range(len(_counts(report))), list(_counts(report).values()))
    return drawn


@pytest.fixture(autouse=True)
def section(monkeypatch: pytest.MonkeyPatch) -> Section:
    """A section that counts the rows of each model."""
    added = Section("rows", _sheets, _records, _draw)
    for module in (sections, terminal, html, exports):
        monkeypatch.setattr(module, "SECTIONS", (added, Section("empty", draw=lambda _report, _look: None)))
    return added


def test_the_terminal_shows_its_tables_except_those_for_files(report: Report) -> None:
    file = io.StringIO()
    Console(file=file, width=100).print(terminal.terminal_report(report))
    shown = file.getvalue()
    assert "Rows of each model\nmodel" in shown
    assert "A caption." in shown
    assert "Only in files" not in shown


def test_hostile_names_act_in_no_view(hostile: Report) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=file, width=100).print(terminal.terminal_report(hostile))
    page = html.to_html(hostile, Provenance.of(("report",), []))
    markdown = exports.to_markdown(hostile)
    assert page.count("<script") == 1, "that of the page"
    assert "\x1b" not in markdown + page
    assert "a \\| b \\`c\\` \\$d\\$" in markdown[markdown.index("Rows of each model") :]
    assert len(_counts(hostile)) == len(HOSTILE)


def test_the_page_holds_its_tables_and_its_figure(report: Report) -> None:
    page = html.to_html(report, Provenance.of(("report",), []))
    assert "<h2>Rows of each model</h2>" in page
    assert "<h2>Only in files</h2>" in page
    assert 'aria-label="Rows of each model.' in page


def test_all_records_have_the_same_columns(report: Report) -> None:
    found = json.loads(exports.to_json(report))
    assert {tuple(record) for record in found} == {tuple(found[0])}
    assert found[0]["rows"] is None
    assert found[-1]["rows"] == list(_counts(report).values())[-1]
    assert found[-1]["estimate"] is None
    lines = list(csv.DictReader(io.StringIO(exports.to_csv(report))))
    assert lines[-1]["rows"] == str(found[-1]["rows"])


def test_equal_numbers_give_equal_figures(report: Report, section: Section) -> None:
    assert figure.section_bytes(section, report, "svg") == figure.section_bytes(section, report, "svg")
    assert figure.section_bytes(Section("none"), report, "svg") is None


def test_a_folder_gets_every_figure_that_there_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 10)
    outcomes = outcomes_of("model", "mse", observe(rng, minds, {"2-choose-1": 30}), model(rng, minds, 1))
    stages.report(outcomes, figures=tmp_path / "figures", figure_format="svg", replicates=100)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["accuracy.svg", "rows.svg"]
