"""The page: self-contained, safe, and with the numbers of the other formats."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import numpy as np
import pytest

from simtool.analysis.building import build_report
from simtool.analysis.report import Report, Settings
from simtool.reporting import formatting
from simtool.reporting.page import page as module
from simtool.reporting.page import tables
from simtool.reporting.page.page import to_html
from simtool.tables.outcomes import Outcomes
from simtool.tables.provenance import InputFile, Provenance
from simtool.training.history import History
from tests.reporting.conftest import make_report
from tests.scored import latent, model, observe, outcomes_of

ORIGIN = Provenance(
    command=("simtool", "report", "<i>a & b</i>.parquet"),
    inputs=(InputFile("<i>a & b</i>.parquet", "ab" * 32),),
    created_by="simtool",
    created_at="2025-01-01T00:00:00+00:00",
)


def compared() -> tuple[list[Outcomes], Settings]:
    """Four models with two distances, which are compared with each other."""
    rng = np.random.default_rng(4)
    minds = latent(rng, 14)
    trials = observe(rng, minds, {"8-rank-2": 30, "2-choose-1": 300})
    outcomes = [
        outcomes_of(f"model {at}", distance, trials, model(rng, minds, 0.5 + at))
        for at in range(4)
        for distance in ("mse", "cosine")
    ]
    return outcomes, Settings(replicates=100, compare=True, consistency=True)


class _Reader(HTMLParser):
    """Collects the rows of tables after the figure, the elements, and the attributes that fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.elements: set[str] = set()
        self.fetched: list[str] = []
        self._open = False
        self._in_figure = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data") and not (value or "").startswith("#"):
                self.fetched.append(f"{tag} {name}={value}")
        if tag == "figure":
            self._in_figure = True
        if tag == "tr" and not self._in_figure:
            self.rows.append([])
        self._open = tag in ("td", "th") and not self._in_figure
        if self._open:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self._open:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag not in ("td", "th")
        self._in_figure = self._in_figure and tag != "figure"


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return to_html(report, ORIGIN)


def test_the_tables_hold_every_number(page: str, report: Report) -> None:
    reader = _Reader()
    reader.feed(page)
    rows = [row for row in reader.rows if row[0] != "model"]
    expected = [row for block in report.blocks() for row in block.rows]
    assert len(rows) > len(expected)
    for cells, row in zip(rows, expected, strict=False):
        assert cells[:4] == [row.model, row.distance, formatting.accuracy(row.estimate), formatting.interval(row)]


def test_the_headline_states_once_the_values_of_all_rows(page: str, report: Report) -> None:
    assert f"{report.rows[0].comparisons:,} comparisons, chance .500" in page
    reader = _Reader()
    reader.feed(page)
    assert not {"chance", "comparisons"} & {cell.strip() for cell in reader.rows[0]}
    rows = tuple(replace(row, comparisons=at) for at, row in enumerate(report.rows))
    reader = _Reader()
    reader.feed(to_html(replace(report, rows=rows), ORIGIN))
    assert "comparisons" in {cell.strip() for cell in reader.rows[0]}


def test_the_first_screen_says_the_result_the_noise_ceiling_and_the_size_of_the_data(page: str) -> None:
    start = page[: page.index("<nav")]
    assert re.search(r"Glöw with \w+ predicts \d\d\.\d\xa0% of the 2,020 comparisons \(95 % interval", start)
    assert "guessing predicts 50.0\xa0%" in start
    assert "one other person agrees in" in start
    assert re.search(r"<dt>participants</dt><dd>8</dd>.*<dt>images</dt><dd>14</dd>", start, re.DOTALL)


def test_the_first_screen_shows_the_best_models_with_the_noise_ceiling_and_its_legend(
    page: str, report: Report
) -> None:
    start = page[page.index("<figure") : page.index("</figure>")]
    best = max(row.estimate for row in next(report.blocks()).rows)
    assert f"<strong>{formatting.accuracy(best, 3)}</strong>" in start
    assert start.count('scope="row"') == len({row.model for row in report.rows})
    assert start.count("one other person gives the same answer") == 1
    assert start.count("the best model that knows only the images is in this band") == 1
    without = to_html(make_report(None, ("a", "b"), pairs=20), ORIGIN)
    assert "one other person gives the same answer" not in without[: without.index("</figure>")]


def test_the_legend_of_the_first_screen_explains_each_color_of_its_bars() -> None:
    text = to_html(make_report(None, pairs=20), ORIGIN)
    found = re.search(r'<figure class="overview".*?</figure>', text, re.DOTALL)
    assert found
    bars, legend = (set(re.findall(r'<i class="fill (\w+)"', part)) for part in found[0].split("<figcaption>"))
    assert bars == legend
    assert "unclear" in bars


def test_no_title_is_there_twice_and_no_table_repeats_another(page: str) -> None:
    for content in (page, to_html(build_report(*compared()), ORIGIN)):
        titles = re.findall(r"<(?:h1|h2|summary)>(.*?)</(?:h1|h2|summary)>", content)
        assert len(titles) > 5
        assert sorted(set(titles)) == sorted(titles)
        tables = re.findall(r"<tbody>.*?</tbody>", content, re.DOTALL)
        assert len(set(tables)) == len(tables)
        assert "First choice right, 2-choose-1" not in content


def test_a_matrix_is_in_place_of_its_drawing_and_its_summary() -> None:
    outcomes, settings = compared()
    content = to_html(build_report(outcomes, settings), ORIGIN)
    part = content[content.index('<section id="contrasts"') :]
    part = part[: part.index('<section id="participants"')]
    assert "<svg" not in part
    assert "no difference found" not in part
    assert part.count("<details>") == part.count("<h2>") > 1


def test_a_report_of_very_many_models_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CELLS", 100)
    monkeypatch.setattr(tables, "LINES", 20)
    monkeypatch.setattr(module, "_LARGEST", 100)
    content = to_html(build_report(*compared()), ORIGIN)
    part = content[content.index('<section id="contrasts"') : content.index('<section id="participants"')]
    assert "The first 5 of 8 models." in part
    assert "The first 20 of 28 lines; --csv writes all numbers." in part
    assert "no difference found" in part, "the numbers of differences of all models"
    assert max(table.count("<tr") for table in re.findall(r"<tbody>.*?</tbody>", part, re.DOTALL)) == 20
    assert 'class="drawing"' not in content


def test_drawings_have_the_colors_of_the_theme(page: str) -> None:
    drawing = page[page.index('class="drawing"') :]
    drawing = drawing[: drawing.index("</figure>")]
    assert "fill: var(--ink)" in drawing
    assert not re.search("(fill|stroke): (#222222|#000000|#ffffff)", drawing)


def test_nothing_is_fetched(page: str) -> None:
    reader = _Reader()
    reader.feed(page)
    assert reader.fetched == []
    assert not {"iframe", "link", "img", "object", "embed"} & reader.elements
    assert "svg" in reader.elements
    assert not re.search(r"url\((?!#)|@import", page)


def test_only_the_script_of_the_page_may_run(page: str) -> None:
    script = page[page.index("<script>") + len("<script>") : page.index("</script>")]
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    assert page.count("<script") == 1
    assert not re.search(r"<[^>]* on[a-z]+=", page)


def test_names_are_text_and_never_markup(page: str) -> None:
    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;R&amp;D&lt;/b&gt; | *x*_1" in page
    assert "&lt;i&gt;a &amp; b&lt;/i&gt;.parquet" in page


def test_the_page_states_its_origin_and_method(page: str) -> None:
    assert "ab" * 32 in page
    assert "Owen &amp; Eckles 2012" in page
    assert "resample 8 participants and 14 images together" in page
    assert "simtool " in page


def test_the_training_of_a_model_is_drawn_and_listed(report: Report) -> None:
    columns = {"loss": [3.0, 2.0, 1.5], "val_cross_entropy": [3.0, math.nan, 2.5], "val_top_1": [0.2, math.nan, 0.1]}
    content = to_html(report, ORIGIN, histories=[History("<i>net</i>", [1, 2, 3], columns)])
    part = content[content.index('<section id="training"') : content.index('<section id="method"')]
    assert "<h2>Training of &lt;i&gt;net&lt;/i&gt;</h2>" in part
    assert "Epoch 1 (validation top-1 accuracy 0.2) is kept." in part
    assert part.count("<svg") == 2
    assert '<tr class="kept"><th scope="row" class="n">1</th><td class="n">3</td>' in part


def test_simulated_observers_are_called_so(simulated: Report, page: str) -> None:
    text = to_html(simulated, ORIGIN)
    assert "<title>Prediction of similarity judgments (simulated observers)</title>" in text
    assert "these are not judgments of people" in text
    assert "simulated" not in page


def test_hostile_names_are_text(hostile: Report) -> None:
    content = to_html(hostile, ORIGIN)
    reader = _Reader()
    reader.feed(content)
    assert not {"f", "red"} & reader.elements
    assert content.count("<script") == 1
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", content)
    assert r"\x1b[2Jgone\r\nnext\u202e" in {row[0] for row in reader.rows}
    assert "a | b `c` $d$ **e** <f>" in {row[0] for row in reader.rows}


def test_a_warning_is_shown_once() -> None:
    content = to_html(make_report(models=("a",), baseline=None, participant=["p", "q"] * 120), ORIGIN)
    assert content.count("the sample is small: 2 participants (fewer than 5)") == 1
