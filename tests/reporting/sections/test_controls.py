"""The section about controls, and how other parts of a report show them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from simtool.analysis.building import build_report
from simtool.analysis.metrics import TRIPLET_ACCURACY
from simtool.analysis.report import Report, Settings
from simtool.reporting.exports import to_csv, to_json, to_markdown
from simtool.reporting.figure import draw, figure_bytes, styled
from simtool.reporting.formatting import notes
from simtool.reporting.page.page import to_html
from simtool.reporting.sections.controls import CONTROLS
from simtool.reporting.sections.section import Sheet
from simtool.reporting.terminal import terminal_report
from simtool.tables.lineage import Lineage
from simtool.tables.outcomes import Outcomes
from simtool.tables.provenance import Provenance
from tests.analysis.test_labels import IMAGES, labelled
from tests.scored import latent, model, observe, outcomes_of

FLOW = Lineage("flow", "activations/level-1", "crop")
RNG = np.random.default_rng(2)
MINDS = latent(RNG, IMAGES)
TRIALS = labelled(observe(RNG, MINDS, {"8-rank-2": 30, "2-choose-1": 150}))
PROVENANCE = Provenance.of(("report",), [])
DIGITS = "0123456789"


def _scored(name: str, noise: float, lineage: Lineage | None) -> Outcomes:
    return replace(outcomes_of(name, "cosine", TRIALS, model(RNG, MINDS, noise)), lineage=lineage)


PIXELS = _scored("pixels", 3.0, None)
FLOWS = [_scored(f"flow, activations/level-1, trial {at}", 0.4, FLOW) for at in range(2)]
CONTROLS_OF_FLOW = [
    _scored(f"flow, activations/level-1, untrained, seed {at}", 1.5, replace(FLOW, untrained=at)) for at in range(3)
]


def _report(*outcomes: Outcomes) -> Report:
    return build_report(outcomes, Settings(replicates=100))


REPORT = _report(*CONTROLS_OF_FLOW, PIXELS, *FLOWS)


def _terminal(report: Report, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(terminal_report(report))
    return file.getvalue()


def _sheets(report: Report = REPORT) -> Sequence[Sheet]:
    return CONTROLS.sheets(report)


def test_a_line_holds_a_model_its_controls_and_their_difference() -> None:
    first = _sheets()[0]
    assert first.title == "Triplet accuracy, all trials: trained minus untrained"
    rows = {row.model: row for row in REPORT.rows if row.trial_type == "all"}
    accuracies = [rows[each.model].estimate for each in CONTROLS_OF_FLOW]
    lines = {line[0]: line for line in first.lines}
    assert set(lines) == {*(each.model for each in FLOWS), "mean of 2"}
    for each in FLOWS:
        cells = dict(zip(first.header[1:], lines[each.model][1:], strict=True))
        assert float(cells["trained"]) == pytest.approx(rows[each.model].estimate, abs=5e-5)
        assert float(cells["untrained"]) == pytest.approx(np.mean(accuracies), abs=5e-5)
        assert [float(end) for end in cells["range"].split("–")] == pytest.approx(
            [min(accuracies), max(accuracies)], abs=5e-4
        )
        assert cells["seeds"] == "3"
        gain = rows[each.model].estimate - np.mean(accuracies)
        assert float(cells["gain"]) == pytest.approx(gain, abs=5e-5)
        low, high = map(float, cells["95 % CI"].split(" to "))
        assert low < gain < high


def test_the_mean_of_several_models_comes_after_them() -> None:
    for sheet in _sheets()[:3]:
        assert [line[0] for line in sheet.lines][2] == "mean of 2"


def test_there_is_a_table_for_each_stratum_and_one_for_each_division_into_parts() -> None:
    sheets = _sheets()
    assert [sheet.title.removesuffix(": trained minus untrained") for sheet in sheets] == [
        "Triplet accuracy, all trials",
        "Triplet accuracy, 8-rank-2",
        "Triplet accuracy, 2-choose-1",
        "Triplet accuracy by the labels of the images, all trials",
    ]
    assert [line[2] for line in sheets[-1].lines] == [*["class"] * 3, *["group"] * 3, *["silent"] * 3]
    assert all(sheet.in_terminal for sheet in sheets)
    assert sheets[-1].caption == "Holm's method adjusts the p values over 3 differences in each part."


def test_several_means_are_named_by_the_words_that_their_models_share() -> None:
    levels = [replace(FLOW, layer=f"activations/level-{level}") for level in "12"]
    models = [
        replace(FLOWS[0], model=f"Glow level-{at} (window 0.5) ({name})", lineage=level)
        for at, level in enumerate(levels, 1)
        for name in ("g0-l1", "g1-l1")
    ]
    controls = [
        replace(CONTROLS_OF_FLOW[0], model=f"control {level.layer}", lineage=replace(level, untrained=0))
        for level in levels
    ]
    lines = _sheets(_report(*models, *controls))[0].lines
    means = [line[0] for line in lines if line[0].startswith("mean")]
    assert means == ["mean of 2: Glow level-1 (window 0.5)", "mean of 2: Glow level-2 (window 0.5)"]


def test_models_that_equal_their_controls_say_so() -> None:
    (line,) = _sheets(_report(FLOWS[0], replace(FLOWS[0], model="twin", lineage=replace(FLOW, untrained=0))))[0].lines
    assert line[4:] == ["", "1", "+.0000", "equal everywhere", ""]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_terminal_shows_numbers_in_whole_at_every_width(width: int) -> None:
    shown = _terminal(REPORT, width)
    assert max(map(len, shown.splitlines())) <= width
    table = shown[shown.index("Triplet accuracy, all trials: trained minus untrained") :]
    table = table[: table.index("Untrained: the mean")]
    for cell in _sheets()[0].lines[0][6:]:
        assert f" {cell}" in table
    optional = [word in table.splitlines()[1].split() for word in ("range", "seeds", "trained", "untrained")]
    assert optional == [width > 90, width > 70, width > 70, width > 70]
    assert table.count("mean of 2") == 1


def test_controls_stand_under_their_model_in_tables_of_accuracies() -> None:
    lines = _terminal(REPORT, 140).splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("model "))
    names = [line[:50].rstrip() for line in lines[start + 1 : start + 9]]
    flows = [at for at, name in enumerate(names) if name.startswith("flow")]
    assert flows == [flows[0], flows[0] + 1]
    for at in range(1, 4):
        assert names[flows[1] + at].startswith("  flow, activations/level-1, untrained, seed")
    for text in (to_markdown(REPORT), to_html(REPORT, PROVENANCE)):
        places = [text.index(each.model) for each in (*FLOWS, *CONTROLS_OF_FLOW)]
        assert max(places[:2]) < min(places[2:])
    rows = [row for block in REPORT.blocks() for row in block.rows]
    assert to_html(REPORT, PROVENANCE).count('<tr class="control" ') == sum("untrained" in row.model for row in rows)


def test_the_name_of_a_control_says_that_it_is_untrained() -> None:
    report = _report(FLOWS[0], replace(CONTROLS_OF_FLOW[0], model="start"))
    assert "start, untrained" in _terminal(report, 140)
    assert "start, untrained" in to_markdown(report)
    assert "untrained, seed 0, untrained" not in to_markdown(REPORT)


def test_files_hold_every_gain_and_the_seed_of_every_control() -> None:
    found = json.loads(to_json(REPORT))
    gains = [each for each in found if each["metric"] == "training_gain"]
    assert {each["difference_of"] for each in gains} == {"triplet_accuracy", "top_1", "ordered", "unordered"}
    assert {each["stratum"] for each in gains} == {None, "class", "group", "silent"}
    for each in gains:
        assert each["estimate"] == pytest.approx(each["trained_accuracy"] - each["control_accuracy"], abs=1e-12)
        assert each["control_least"] <= each["control_accuracy"] <= each["control_greatest"]
        assert (each["controls"], each["control_seeds"], each["tested"]) == (3, "0, 1, 2", 3)
    assert {each["models"] for each in gains} == {1, 2}
    seeds = {each["model"]: each["untrained"] for each in found if each["metric"] == "triplet_accuracy"}
    assert [seeds[each.model] for each in CONTROLS_OF_FLOW] == [0, 1, 2]
    assert seeds["pixels"] is None
    lines = list(csv.DictReader(io.StringIO(to_csv(REPORT))))
    assert len(lines) == len(found)


def test_the_figure_shows_controls_as_marks_on_the_bars_of_their_models() -> None:
    with styled():
        drawn = draw(REPORT)
    names = {label.get_text() for label in drawn.axes[0].get_yticklabels()}
    assert {each.model for each in (PIXELS, *FLOWS)} < names
    assert not names & {each.model for each in CONTROLS_OF_FLOW}
    assert "untrained" in [text.get_text() for text in drawn.legends[0].get_texts()]
    marks = [line.get_xdata() for line in drawn.axes[0].get_lines() if line.get_marker() == "o"]
    rows = {
        row.model: row.estimate for row in REPORT.rows if row.trial_type == "all" and row.metric is TRIPLET_ACCURACY
    }
    assert [list(map(float, np.asarray(mark))) for mark in marks] == [
        pytest.approx([rows[each.model] for each in CONTROLS_OF_FLOW])
    ] * 2


def test_a_report_without_controls_is_the_same_in_every_view() -> None:
    """Whether the outcomes state what their models are, or are of an older version."""
    stated = _report(PIXELS, *FLOWS)
    older = _report(PIXELS, *(replace(each, lineage=None) for each in FLOWS))
    for view in (to_json, to_csv, to_markdown):
        assert view(stated) == view(older)
    assert _terminal(stated, 80) == _terminal(older, 80)
    assert to_html(stated, PROVENANCE) == to_html(older, PROVENANCE)
    assert figure_bytes(stated, "svg") == figure_bytes(older, "svg")
    assert list(_sheets(stated)) == []
    assert "untrained" not in to_json(stated)


def test_a_note_names_controls_without_a_model() -> None:
    other = replace(CONTROLS_OF_FLOW[0], lineage=replace(FLOW, layer="latents", untrained=0))
    (found,) = [line for line in notes(_report(FLOWS[0], other)) if "No trained model" in line]
    assert found.endswith("with the same distance: flow, activations/level-1, untrained, seed 0 with cosine.")
    assert not any("No trained model" in line for line in notes(REPORT))
