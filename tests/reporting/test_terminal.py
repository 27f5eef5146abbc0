"""The report on terminals of any width and any encoding."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from simtool.analysis.metrics import METRICS, TRIPLET_ACCURACY, Metric, Order
from simtool.analysis.report import Report
from simtool.reporting import formatting
from simtool.reporting.sections.section import Sheet
from simtool.reporting.terminal import SheetTable, terminal_report
from tests.reporting.conftest import make_report


def _lines(report: Report, width: int, encoding: str = "utf-8", *metrics: Metric) -> list[str]:
    return _printed(terminal_report(report, metrics or (TRIPLET_ACCURACY,)), width, encoding)


def _printed(shown: RenderableType, width: int, encoding: str) -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=file, width=width, highlight=False).print(shown)
    file.flush()
    file.seek(0)
    return file.read().splitlines()


def _table(lines: list[str], title: str) -> list[str]:
    """The lines below a headline, up to the next empty line."""
    start = next(at for at, line in enumerate(lines) if line.startswith(title))
    end = next(at for at in range(start, len(lines)) if not lines[at].strip())
    return lines[start:end]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_every_row_is_one_line_that_fits(report: Report, width: int) -> None:
    lines = _lines(report, width)
    assert max(len(line) for line in lines) <= width
    for block in report.blocks([TRIPLET_ACCURACY]):
        table = _table(lines, formatting.headline(block))
        for row, line in zip(block.rows, table[2:], strict=False):
            assert line.startswith(row.model[:11])
            for cell in (row.distance, formatting.accuracy(row.estimate), formatting.interval(row)):
                assert f" {cell} " in line
        (below,) = table[2 + len(block.rows) :][:1] or [""]
        beginnings = {"all": "", "8-rank-2": "No noise ceiling", "2-choose-1": "one other person"}
        assert below.startswith(beginnings[block.trial_type])


def test_bars_start_at_one_mark_of_chance_and_rank_the_models(report: Report) -> None:
    for width in (80, 120):
        table = _table(_lines(report, width), "Triplet accuracy, 2-choose-1")
        rows = table[2:10]
        (chance,) = {line.index("│") for line in rows}
        full = [line[chance:].count("█") for line in rows]
        assert full == sorted(full, reverse=True)
        assert full[0] > full[-1]
        (bound,) = {line.rindex("┊") for line in [rows[-1], table[10]]}
        assert bound > chance


def test_families_are_together_with_an_empty_line_between_them() -> None:
    report = make_report(None, ("net b", "pixels", "net a"), order=Order.FAMILY)
    table = _table(_lines(report, 80), "Triplet accuracy, all trials")[2:]
    assert [line.split("  ")[0].strip(" │") for line in table] == [*["net a"] * 2, *["net b"] * 2, "", *["pixels"] * 2]
    (chance,) = {line.index("│") for line in table}
    assert table[4].strip() == "│"
    assert chance > 0
    assert len(_table(_lines(make_report(None, ("net b", "pixels")), 80), "Triplet accuracy, all trials")) == 2 + 4


def test_a_column_of_ties_is_shown_only_if_there_are_ties(report: Report) -> None:
    tied = replace(report, rows=(replace(report.rows[0], ties=7), *report.rows[1:]))
    for shown, found in ((report, False), (tied, True)):
        header = _table(_lines(shown, 120), "Triplet accuracy, all trials")[1]
        assert ("ties" in header.split()) is found
        assert ("ties" in formatting.table(next(shown.blocks()), shown)[0]) is found


def test_no_scale_goes_beyond_what_an_accuracy_can_be(report: Report) -> None:
    widest = replace(report, rows=tuple(replace(row, low=0.0, high=1.0) for row in report.rows))
    header = _table(_lines(widest, 80), "Triplet accuracy, all trials")[1]
    assert header.split()[-2:] == [".00", "1.00"]


def test_the_ends_of_a_narrow_scale_differ(report: Report) -> None:
    rows = (replace(row, estimate=0.5, low=0.498, high=0.502) for row in report.rows)
    header = _table(_lines(replace(report, rows=tuple(rows)), 80), "Triplet accuracy, all trials")[1]
    assert header.split()[-2:] == [".498", ".502"]


def test_a_wide_terminal_gives_its_room_to_bars_and_names(report: Report) -> None:
    narrow, wide = (_table(_lines(report, width), "Triplet accuracy, all trials") for width in (80, 120))
    assert any("…" in line for line in narrow)
    assert any("trained from scratch" in line for line in wide)
    assert max(line.count("█") for line in wide) > max(line.count("█") for line in narrow)


def test_a_terminal_without_unicode_gets_none(report: Report) -> None:
    lines = _lines(report, 80, "ascii")
    assert max(len(line) for line in lines) <= 80
    table = _table(lines, "Triplet accuracy, all trials")
    assert "#" in table[2]
    assert "|" in table[2]
    assert any(line.startswith(r"Gl\xf6w ") for line in table)


def test_worse_than_chance_points_to_the_left(report: Report) -> None:
    flipped = [line for line in _table(_lines(report, 120), "Triplet accuracy, 2-choose-1") if "│" in line]
    assert all("█" not in line[: line.index("│")] for line in flipped[:4])


def test_other_metrics_come_on_demand(report: Report) -> None:
    assert not any("First choice" in line for line in _lines(report, 80))
    lines = _lines(report, 80, "utf-8", METRICS["top_1"], METRICS["ordered"])
    titles = [line for line in lines if "chance" in line]
    assert titles == [
        "First choice right, 8-rank-2: 40 trials, 520 comparisons, chance .125",
        "Choices right, in order, 8-rank-2: 40 trials, 520 comparisons, chance .018",
        "First choice right, 2-choose-1: 1,500 trials, 1,500 comparisons, chance .500",
    ]


def test_differences_from_the_baseline_follow_their_table(report: Report, simulated: Report) -> None:
    lines = _lines(report, 80)
    table = _table(lines, "Difference from pixels with the same distance, on the same comparisons")
    assert len(table) == 2 + 6
    assert "p (Holm)" in table[1]
    assert not any("Difference" in line for line in _lines(simulated, 80))


def test_a_baseline_with_a_distance_is_named_with_it() -> None:
    lines = _lines(make_report(baseline="pixels:mse"), 80)
    assert "Difference from pixels with mse, on the same comparisons" in lines


@pytest.mark.parametrize("width", [60, 80])
def test_a_wide_table_goes_to_several_lines_and_loses_no_word(width: int) -> None:
    numbers = [".990 (.985–.995)", ".848 (.822–.871)", ".602 (.589–.617)"]
    sheet = Sheet(
        "By labels", ["model", "distance", "class", "group", "silent"], [["pixels", "cosine/segments", *numbers]]
    )
    file = io.StringIO()
    Console(file=file, width=width).print(SheetTable(sheet))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    for word in " ".join(["cosine/segments" if width == 80 else "cosine", *numbers]).split():
        assert word in file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 140])
def test_numbers_are_never_cut_or_broken(width: int) -> None:
    models = [f"Glow {seed} activations/level-1 (mean+std, window 0.5)" for seed in range(3)]
    header = ["model", "distance", "minus model", "distance", "difference", "95 % CI", "p (Holm)"]
    texts = [[one, "cosine/segments", other, "mse"] for one, other in pairwise(models)]
    sheet = Sheet("Pairs", header, [[*cells, "+.0688", "+.055 to +.082", "<.001"] for cells in texts], texts=4)
    shown = _printed(SheetTable(sheet), width, "utf-8")
    assert max(map(len, shown)) <= width
    numbers = [line.split()[-5:] for line in shown if "+.0688" in line]
    assert numbers == [["+.0688", "+.055", "to", "+.082", "<.001"]] * 2


@pytest.mark.parametrize("width", [60, 66, 72])
def test_accuracies_in_a_narrow_terminal_are_whole(width: int) -> None:
    report = make_report(None)
    rows = tuple(replace(row, distance="cosine/segments") for row in report.rows if row.distance == "cosine")
    lines = _lines(replace(report, rows=rows, spreads=(), noise_ceilings=()), width)
    assert max(map(len, lines)) <= width
    cells = [line.split() for line in lines]
    for row in rows:
        if row.metric is TRIPLET_ACCURACY:
            assert any({formatting.accuracy(row.estimate), formatting.interval(row)} <= set(line) for line in cells)


@pytest.mark.parametrize("ends", [("pool", "softmax"), ("diagonal, held out by class", "identity, held out by class")])
def test_long_names_that_differ_at_their_end_stay_different(ends: tuple[str, str]) -> None:
    one, other = (f"efficientnet-lite2 with weights of imagenet, {end}" for end in ends)
    report = make_report(baseline=None, models=(one, other))
    table = _table(_lines(report, 80), "Triplet accuracy, all trials")
    assert len({line.split(" cosine")[0].split(" mse")[0].strip() for line in table[2:]}) == 2
    assert all("…" in line for line in table[2:])


@pytest.mark.parametrize("width", [60, 80, 100])
def test_different_names_never_look_the_same_in_one_table(width: int) -> None:
    models = [f"Glow {seed} activations/level-{level} (mean+std, window 0.5)" for seed in "01" for level in "12"]
    table = _printed(SheetTable(_numbers(models)), width, "utf-8")[2:]
    assert len({line.split(" mse")[0].strip() for line in table}) == len(table) == len(models)


def test_names_go_to_several_lines_where_no_cut_keeps_them_different() -> None:
    names = [f"{'-'.join('ab'[number >> bit & 1] * 2 for bit in range(7))}" for number in range(128)]
    table = _printed(SheetTable(_numbers(names)), 60, "utf-8")[2:]
    assert "".join(line[:12].strip() for line in table) == "".join(names)


def _numbers(models: Sequence[str]) -> Sheet:
    numbers = [".6522", ".5834", "+.0688", "+.055 to +.082"]
    return Sheet("Gains", ["model", "distance", *"abcd"], [[model, "mse", *numbers] for model in models])


def test_the_caption_names_the_resampled_data_and_the_repeated_judgments(report: Report) -> None:
    text = " ".join(" ".join(_lines(report, 80)).split())
    assert "95 % intervals from 100 replicates (seed 0) that resample 8 participants and 14 images together." in text
    assert "that several people judged" in text
    assert "It takes 1,000 such judgments" in text
    assert "human observers" in text


def test_simulated_observers_are_called_so(simulated: Report) -> None:
    lines = _lines(simulated, 80)
    assert "simulated observers" in lines[0]
    assert any("simulated: these are not judgments of people" in line for line in lines)


def test_models_on_different_trials_show_their_counts_and_a_warning() -> None:
    parts = [make_report(baseline=None, models=(name,), pairs=pairs) for name, pairs in (("one", 30), ("two", 50))]
    both = replace(parts[0], rows=parts[0].rows + parts[1].rows, samples=parts[0].samples + parts[1].samples)
    lines = _lines(both, 80)
    table = _table(lines, "Triplet accuracy, 2-choose-1: chance .500")
    assert "comparisons" in table[1]
    assert [" 30 " in line for line in table[2:6]] == [True, True, False, False]
    assert any("not comparable" in line for line in lines)
    assert max(len(line) for line in lines) <= 80


@pytest.mark.parametrize("width", [80, 140])
def test_hostile_names_are_printed_as_they_are_spelled(hostile: Report, width: int) -> None:
    lines = _lines(hostile, width)
    text = "\n".join(lines)
    assert not any(mark in text for mark in ("\x1b", "\r", "\t", "\u202e"))
    assert "[red]rich" in text
    assert max(cell_len(line) for line in lines) <= width
    table = [line for line in _table(lines, "Triplet accuracy, all trials") if "│" in line]
    assert len({cell_len(line[: line.index("│")]) for line in table}) == 1


def test_the_table_says_too_few_to_test_and_a_note_explains_it() -> None:
    report = make_report("pixels", ("pixels", "other"), pairs=30, participant=["p"] * 40 + ["q"] * 30)
    lines = _lines(report, 80)
    start = max(
        at
        for at, line in enumerate(
            lines[: lines.index("Triplet accuracy, 2-choose-1: 30 trials, 30 comparisons, chance .500")]
        )
        if line.startswith("Difference")
    )
    assert "too few to test" in lines[start + 2]
    assert "<.001" not in lines[start + 2]
    assert "has no standard error" in " ".join(lines)


def test_intervals_in_tables_of_a_terminal_without_unicode_have_a_hyphen() -> None:
    line = ["a model", "mse", ".746", ".701–.790"]
    sheet = Sheet("Accuracy", ["model", "distance", "accuracy", "95 % CI"], [line], caption="Named Glöw.")
    assert _printed(SheetTable(sheet), 80, "ascii")[2:] == ["a model  mse           .746  .701-.790", r"Named Gl\xf6w."]
