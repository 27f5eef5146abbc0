"""The views of checks: every number of a check is in the JSON, and tables name models safely."""

from __future__ import annotations

import io
import json
import math

import pytest
from rich.console import Console

from simtool.analysis.inference.units import Units
from simtool.analysis.report import Sample
from simtool.reporting.validity import records, sheets, terminal_check, to_json
from simtool.validity.check import Check
from simtool.validity.coverage import Coverage, Found
from simtool.validity.null import Shuffled
from simtool.validity.population import Redrawn
from simtool.validity.power import Detectable
from simtool.validity.recovery import Recovered, Vectors
from simtool.validity.setting import Setting
from simtool.validity.share import Share


def made(accuracy: float = 0.501) -> Check:
    same, new = Redrawn.NOTHING, Redrawn.IMAGES
    return Check(
        sample=Sample("participants", 12, 30, 240, 12, 0, 0),
        setting=Setting(),
        studies=100,
        best=0.7,
        detectable=(Detectable("all", 3, (0.01, 0.02, 0.03), (0.028, 0.056, 0.084)),),
        coverage=(
            Coverage(same, Units.IMAGE, "accuracy", "good", 0.7, Share(100, 100), None, 2.5),
            Coverage(same, Units.IMAGE, "difference", "equal", 0.01, Share(99, 100), Share(1, 100), math.inf),
            Coverage(new, Units.IMAGE, "accuracy", "good", 0.69, Share(95, 100), None, 1.0),
            Coverage(new, Units.IMAGE, "difference", "equal", 0.0, Share(94, 100), Share(6, 100), 1.1),
        ),
        power=(Found(new, Units.IMAGE, 0.05, 0.018, 0.79, Share(80, 100)),),
        shuffled=(Shuffled("[b]m\x1b[0m", "mse", accuracy, 0.001, Share(24, 25), 0.001),),
        recovered=(Recovered("[b]m\x1b[0m", "mse", Vectors.PLAIN, Vectors.PLAIN, 0.7, Share(20, 25), "rival", 0.02),),
    )


def shown(check: Check) -> str:
    screen = Console(file=io.StringIO(), width=80, markup=False)
    screen.print(terminal_check(check))
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_a_table_has_a_line_for_each_repetition_and_a_column_for_each_quantity() -> None:
    coverage = next(sheet for sheet in sheets(made()) if sheet.title.startswith("Coverage"))
    assert coverage.header == ["studies with", "good", "equal"]
    assert coverage.lines == [["same images", "1.000", ".990"], ["new images", ".950", ".940"]]
    errors = next(sheet for sheet in sheets(made()) if sheet.title.startswith("Type I"))
    assert errors.lines == [["same images", ".010"], ["new images", ".060"]]


def test_the_terminal_shows_names_without_their_controls() -> None:
    text = shown(made())
    assert "\x1b[0m" not in text
    assert "[b]m\\x1b[0m" in text
    assert "240 trials of 12 participants with 30 images" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_model_away_from_chance_is_told() -> None:
    assert "is not at chance on shuffled judgments" not in shown(made())
    assert "is not at chance on shuffled judgments" in shown(made(accuracy=0.52))


def test_the_json_holds_every_row_with_its_monte_carlo_error() -> None:
    check = made()
    rows = json.loads(to_json(check))
    assert rows == [dict(row) for row in records(check)]
    assert [row["check"] for row in rows] == ["detectable", *["coverage"] * 4, "power", "shuffled", "recovery"]
    new = rows[4]
    assert new["type_1"] == 0.06
    assert new["coverage_error"] == pytest.approx(Share(94, 100).error)
    assert rows[2]["width"] is None
    assert "type_1" not in rows[1]
