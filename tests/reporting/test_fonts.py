"""Fonts of figures."""

from __future__ import annotations

import warnings

import pytest

from simtool.reporting.figure import drawn
from simtool.reporting.fonts import USUAL, advice, fonts_with, missing_letters
from simtool.reporting.look import Look
from tests.reporting.conftest import make_report


def test_letters_that_the_usual_font_lacks_come_from_another_installed_font() -> None:
    """The font STIXGeneral comes with matplotlib, and has letters in circles."""
    assert "STIXGeneral" in fonts_with("\u24b6")
    assert fonts_with("a") == [USUAL]
    assert not drawn(make_report(None, ("\u24b6", "b"), pairs=30), "png").notes


def test_a_family_that_is_not_installed_is_told_once_and_not_looked_up(caplog: pytest.LogCaptureFixture) -> None:
    own = {"font.family": ["serif"], "font.serif": ["No such font"]}
    report = make_report(None, ("a", "b"), pairs=30)
    for style, name in (({"font.family": ["No such font"]}, "No such font"), (own, "serif")):
        notes = drawn(report, "svg", look=Look(style=style)).notes
        assert notes == (f"no font {name} of the style sheet is installed: the font is DejaVu Sans",)
    assert not drawn(report, "svg", look=Look(style={"font.family": ["serif"]})).notes
    assert not caplog.records


def test_only_warnings_about_letters_are_collected() -> None:
    with warnings.catch_warnings(record=True) as others, missing_letters() as found:
        warnings.warn("Glyph 2342 (\\N{DEVANAGARI LETTER DA}) missing from font(s) DejaVu Sans.", stacklevel=1)
        warnings.warn("another", stacklevel=1)
    assert found == {"\u0926"}
    assert [str(other.message) for other in others] == ["another"]


def test_the_advice_names_a_font_for_each_script() -> None:
    assert advice("\u0926\u6f22\u30e2\ud55c\U0001f426") == (
        "no installed font has \u0926 (Noto Sans Devanagari), \u30e2\u6f22\ud55c (Noto Sans CJK), "
        "\U0001f426 (Noto Emoji or Noto Sans Symbols): install these fonts and draw again"
    )
