"""The figures of a report, as files."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simtool import stages
from simtool.analysis.report import ReportError
from simtool.errors import UsageError
from simtool.reporting.look import SIZES, Look
from simtool.stages.figures import figure_names, look_of
from simtool.tables.outcomes import Outcomes
from tests.scored import latent, model, observe, outcomes_of


@pytest.fixture(scope="module")
def outcomes() -> list[Outcomes]:
    rng = np.random.default_rng(0)
    minds = latent(rng, 12)
    trials = observe(rng, minds, {"2-choose-1": 60})
    return [outcomes_of(name, "mse", trials, model(rng, minds, noise)) for name, noise in (("a", 0.3), ("b", 2))]


def test_the_figure_is_the_part_that_was_asked_for(outcomes: list[Outcomes], tmp_path: Path) -> None:
    for name in ("accuracy", "contrasts"):
        stages.report(outcomes, figure=tmp_path / f"{name}.svg", figure_of=name, compare=True, replicates=100)
    assert "percentage points" in (tmp_path / "contrasts.svg").read_text()
    assert "percentage points" not in (tmp_path / "accuracy.svg").read_text()


def test_a_part_that_the_report_lacks_is_refused_with_advice(outcomes: list[Outcomes], tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"has no figure strata; score --images adds"):
        stages.report(outcomes, figure=tmp_path / "figure.png", figure_of="strata", replicates=100, show=_never)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["contrasts", "difficulty", "consistency"])
def test_a_part_that_no_option_asks_for_is_refused_before_anything_is_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"--show {name}: this report does not hold it; --[a-z]+ comp"):
        stages.report(tmp_path / "missing.parquet", figure=tmp_path / "figure.png", figure_of=name)


def _never(_report: object) -> None:
    raise AssertionError("the report is shown before the figure is refused")


def test_an_unknown_part_is_refused_with_the_names(outcomes: list[Outcomes], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--show is one of accuracy, .*strata.*did you mean strata\?"):
        stages.report(outcomes, figure=tmp_path / "figure.png", figure_of="strate")


@pytest.mark.parametrize(
    ("choices", "missing"),
    [
        ({"figure_of": "strata"}, "--figure, too"),
        ({"figure_format": "pdf"}, "--figures, too"),
        ({"width": "single"}, "--figure or --figures, too"),
        ({"style": "ggplot"}, "--figure or --figures, too"),
    ],
)
def test_a_choice_for_a_figure_that_is_not_drawn_is_refused(
    outcomes: list[Outcomes], choices: dict[str, Any], missing: str
) -> None:
    with pytest.raises(UsageError, match=f"give {missing}"):
        stages.report(outcomes, **choices)


def test_every_figure_has_a_name_for_a_file() -> None:
    assert figure_names()[0] == "accuracy"
    assert len(set(figure_names())) == len(figure_names()) == 8


@pytest.mark.parametrize(("width", "millimeters"), [("single", 89), ("double", 183), ("120", 120), (66.5, 66.5)])
def test_a_width_is_a_column_or_millimeters(width: str | float, millimeters: float) -> None:
    assert look_of(None, width, None, None) == Look(width=millimeters)


@pytest.mark.parametrize("width", ["triple", "5", "-1", "nan", "inf"])
def test_other_widths_are_refused(width: str) -> None:
    with pytest.raises(UsageError, match=r"--width is single, double or from 40 to 1000 millimeters, not"):
        look_of(None, width, None, None)


def test_text_that_nobody_can_read_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--font-size is from 3 to 40 points, not 0\.5"):
        look_of(None, None, 0.5, None)


def test_text_that_does_not_fit_in_the_width_is_refused() -> None:
    with pytest.raises(UsageError, match=r"text of 20 points does not fit in a width of 89 mm: use a --font-size"):
        look_of(None, "single", 20, None)


def test_the_size_of_text_is_that_of_the_option_then_of_the_style_sheet(tmp_path: Path) -> None:
    sheet = tmp_path / "lab.mplstyle"
    sheet.write_text("font.size: 11\n")
    assert [look_of(None, None, size, sheet).points for size in (None, 6)] == [11, 6]


@pytest.mark.parametrize("size", [3, None])
def test_the_narrowest_figures_of_long_names_can_be_drawn(size: float | None, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    minds = latent(rng, 12)
    trials = observe(rng, minds, {"2-choose-1": 60})
    names = ["a" * 200, "long name " * 20]
    scored = [outcomes_of(name, "y" * 90, trials, model(rng, minds, 1)) for name in names]
    stages.report(
        scored,
        compare=True,
        consistency=True,
        replicates=100,
        figures=tmp_path,
        figure_format="svg",
        width=40,
        font_size=size,
    )
    assert {"accuracy.svg", "consistency.svg", "contrasts.svg"} <= {path.name for path in tmp_path.iterdir()}


def test_a_style_sheet_is_a_file_or_a_name(tmp_path: Path) -> None:
    sheet = tmp_path / "lab.mplstyle"
    sheet.write_text("axes.edgecolor: red\n")
    assert look_of(None, None, None, sheet).style == {"axes.edgecolor": "red"}
    assert (look_of(None, None, None, "ggplot").style or {})["axes.facecolor"] == "#E5E5E5"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("font.sizee: 3", "line 1: matplotlib has no setting font.sizee"),
        ("axes.titlesize: huge", "line 1: bad value in 'axes.titlesize: huge' (huge is not a valid font size)"),
        ("no setting", "line 1: missing colon in 'no setting'"),
    ],
)
def test_a_bad_line_of_a_style_sheet_is_one_line(
    line: str, fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sheet = tmp_path / "lab.mplstyle"
    sheet.write_text(f"{line}\nfont.size: 9\n")
    with pytest.raises(UsageError) as refused:
        look_of(None, None, None, sheet)
    assert str(refused.value) == f"--style {sheet}: {fault}"
    assert not caplog.records


@pytest.mark.parametrize("silenced", ["level", "logger", "all"])
def test_a_bad_line_is_found_where_the_log_is_silent(
    silenced: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("matplotlib")
    if silenced == "level":
        monkeypatch.setattr(logger, "level", logging.CRITICAL)
        logger.manager._clear_cache()  # type: ignore[attr-defined] # the levels that loggers remember
    elif silenced == "logger":
        monkeypatch.setattr(logger, "disabled", True)
    else:
        monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    sheet = tmp_path / "lab.mplstyle"
    sheet.write_text("axes.titlesize: huge\n")
    with pytest.raises(UsageError, match="line 1: bad value"):
        look_of(None, None, None, sheet)


def test_a_size_that_is_asked_for_sets_all_sizes_of_a_style_sheet() -> None:
    for style in ("ggplot", "fivethirtyeight"):
        free, sized = (look_of(None, None, size, style).style or {} for size in (None, 10))
        assert "axes.labelsize" in free
        assert not SIZES.keys() & sized.keys()


def test_letters_without_a_font_and_a_figure_beyond_a_page_are_named(
    outcomes: list[Outcomes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [replace(each, model=f"{each.model} \u6f22\u0926") for each in outcomes]
    stages.report(named, figure=tmp_path / "figure.svg", replicates=100, width="single")
    shown = " ".join(capsys.readouterr().err.split())
    assert "figure.svg: no installed font has" in shown
    assert "\u0926 (Noto Sans Devanagari), \u6f22 (Noto Sans CJK)" in shown
    assert "more than a page" not in shown
    rows = [replace(outcomes[0], model=f"model {at}") for at in range(80)]
    stages.report(rows, figure=tmp_path / "figure.svg", replicates=100, width="single")
    assert "more than a page (247 mm): --trial-type" in " ".join(capsys.readouterr().err.split())


def test_a_file_without_settings_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("# nothing\n")
    with pytest.raises(UsageError, match="holds no setting of matplotlib"):
        look_of(None, None, None, tmp_path / "empty")
    with pytest.raises(UsageError, match=r"did you mean ggplot\?"):
        look_of(None, None, None, "ggplott")


@pytest.mark.parametrize("size", ["nan", "1e9", "0"])
def test_a_size_of_text_in_a_style_sheet_has_limits(tmp_path: Path, size: str) -> None:
    sheet = tmp_path / "own.mplstyle"
    sheet.write_text(f"font.size: {size}\n")
    with pytest.raises(UsageError, match=r"font\.size is from 3 to 40 points, not"):
        look_of(None, None, None, sheet)
