"""The tables of a page: distributions, and matrices of the models that fit."""

from __future__ import annotations

import re

import numpy as np

from simtool.reporting.page.axis import Axis
from simtool.reporting.page.tables import POINTS, Spread, Table, fitting
from simtool.reporting.sections.matrix import Cell, Matrix
from simtool.reporting.sections.section import Sheet
from simtool.reporting.sections.subject import NOTHING, Subject


def test_a_distribution_has_a_point_for_each_value_and_its_quartiles() -> None:
    axis = Axis.over([0.0, 1.0], 0.5)
    spread = Spread.of([0.0, 0.25, 0.5, 0.75, 1.0], axis)
    assert [int(right) for right in re.findall(r"M(\d+) \d+h0", spread.path)] == [20, 260, 500, 740, 980]
    assert (spread.low, spread.median, spread.low + spread.span) == (26.0, 50.0, 74.0)


def test_quantiles_stand_for_very_many_values() -> None:
    values = np.random.default_rng(0).normal(size=20 * POINTS).tolist()
    axis = Axis.over(values, 0.5)
    spread = Spread.of(values, axis)
    rights = [int(right) for right in re.findall(r"M(\d+) ", spread.path)]
    assert len(rights) == POINTS
    assert abs(np.median(rights) / 10 - spread.median) < 0.2


def test_lines_and_columns_keep_what_they_are_about() -> None:
    sheet = Sheet(
        "Rows", ["model", "distance", "a"], [["m", "d", ".5"]], subjects=[Subject(stratum="x")], strata={2: "y"}
    )
    table = Table.of(sheet)
    assert [line.subject.stratum for line in table.lines] == ["x"]
    assert table.strata == {2: "y"}
    assert table.minor == []


def test_matrices_that_are_too_large_together_show_the_first_models() -> None:
    names = [(f"m{at}", "mse") for at in range(100)]
    cells = {(one, other): Cell("+.1", "") for one in names for other in names if one != other}
    whole = Matrix.of("M", NOTHING, "mse", names, cells, "Numbers.")
    assert fitting([whole.first(70)]) == [whole.first(70)]
    first, second = fitting([whole, whole])
    assert first == second
    assert (len(first.models), len(first.names), len(first.short), *{len(line) for line in first.lines}) == (54,) * 4
    assert first.caption == "The first 54 of 100 models. Numbers."
