"""Text from outside, on its way to a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtool.text import counted, duration, plural, printable, scaled


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Blue_Grosbeak_0001.jpg", "Blue_Grosbeak_0001.jpg"),
        ("Möwe 鳥 \N{BIRD}\N{ZERO WIDTH JOINER}", "Möwe 鳥 \N{BIRD}\N{ZERO WIDTH JOINER}"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("bell\a, delete\x7f, next line\x85", r"bell\x07, delete\x7f, next line\x85"),
        ("fdp.\u202egpj", r"fdp.\u202egpj"),
        ("half\ud800", r"half\ud800"),
        ("line\u2028separator", r"line\u2028separator"),
    ],
)
def test_what_acts_is_escaped_and_what_shows_stays(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_newline_can_be_kept() -> None:
    assert printable("a\nb\tc", keep="\n") == "a\nb\\tc"


@given(st.text(alphabet=st.characters()))
def test_nothing_that_acts_is_left_and_all_can_be_encoded(text: str) -> None:
    shown = printable(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert shown.encode().decode() == shown


@pytest.mark.parametrize(
    ("number", "words", "shown"),
    [
        (0, ("images",), "no images"),
        (1, ("images",), "1 image"),
        (2, ("images",), "2 images"),
        (16292, ("trials",), "16,292 trials"),
        (1, ("classes", "class"), "1 class"),
        (3, ("classes", "class"), "3 classes"),
        (0, ("stimuli", "stimulus"), "no stimuli"),
    ],
)
def test_a_count_and_its_noun_agree(number: int, words: tuple[str, ...], shown: str) -> None:
    assert counted(number, *words) == shown


@pytest.mark.parametrize(("number", "word"), [(0, "do"), (1, "does"), (2, "do")])
def test_a_verb_agrees_with_its_count(number: int, word: str) -> None:
    assert plural(number, "do", "does") == word


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (512, "512 B"),
        (999, "999 B"),
        (999.9, "1 kB"),
        (1_150_585_339, "1.15 GB"),
        (73_404_280, "73.4 MB"),
        (999_700, "1 MB"),
        (999_499_999, "999 MB"),
        (2_500_000_000_000, "2,500 GB"),
    ],
)
def test_amounts_have_three_digits(amount: float, text: str) -> None:
    assert scaled(amount, "B") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3_569, "59 min"),
        (3_571, "1 h 00 min"),
        (7_500, "2 h 05 min"),
        (86_369, "23 h 59 min"),
        (86_371, "1 d 00 h"),
        (273_600, "3 d 04 h"),
    ],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
