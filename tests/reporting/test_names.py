"""Names cut to a width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from simtool.reporting.names import shortened

WINDOWED = [f"Glow {seed} activations/level-{level} (mean+std, window 0.5)" for seed in (1, 2) for level in (1, 2)]
UNTRAINED = [f"Glow activations/level-{level} (mean+std, window 0.5), untrained, seed 0" for level in (1, 2)]


def test_names_that_fit_stay_whole() -> None:
    assert shortened(WINDOWED, 80) == dict(zip(WINDOWED, WINDOWED, strict=True))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["ResNet50 penultimate", "colour, whole image"], ["ResNet50 …", "colour, w…"]),
        (["a long name, pool", "a long name, softmax"], ["a lon… pool", "a lon…ftmax"]),
        (["pixels", "pixels, antialiased"], ["pixels", "pixels, a…"]),
    ],
)
def test_all_names_lose_the_same_part_if_they_stay_different(names: list[str], expected: list[str]) -> None:
    shown = shortened(names, len(expected[1]))
    assert shown is not None
    assert list(shown.values()) == expected


def test_long_names_keep_the_phrases_in_which_they_differ() -> None:
    shown = shortened([*WINDOWED, *UNTRAINED, "colour (window 0.5)"], 23)
    assert shown is not None
    assert list(shown.values()) == [
        "Glow 1 activat…level-1…",
        "Glow 1 activat…level-2…",
        "Glow 2 activat…level-1…",
        "Glow 2 activat…level-2…",
        "Glow activatio…level-1…",
        "Glow activatio…level-2…",
        "colour (window 0.5)",
    ]


@pytest.mark.parametrize("width", [17, 30, 60])
def test_twelve_names_that_differ_in_their_middle_show_where_they_differ(width: int) -> None:
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"]
    shown = shortened([f"efficientnet-lite2 {word} weights of imagenet, pool mean" for word in words], width)
    assert shown is not None
    assert all(word in text for word, text in zip(words, shown.values(), strict=True))
    assert len(set(shown.values())) == len(words)


def test_a_longer_name_shows_what_follows_a_shorter_one() -> None:
    controls = [f"{name}, untrained, seed 0" for name in WINDOWED[:2]]
    shown = shortened([*WINDOWED[:2], *controls], 28)
    assert shown is not None
    assert list(shown.values()) == [
        "Glow 1 activations/level-1 …",
        "Glow 1 activations/level-2 …",
        "Glow 1 ac…level-1…untrained…",
        "Glow 1 ac…level-2…untrained…",
    ]


def test_there_is_no_text_if_the_width_cannot_show_every_difference() -> None:
    assert shortened([f"{one}0{two}0{three}" for one in "ab" for two in "ab" for three in "ab"], 4) is None


letters = st.text("ab1/ (,…漢", max_size=14)


@given(st.lists(st.builds("{} {}/level-{}".format, letters, letters, letters), max_size=12), st.integers(3, 20))
def test_different_names_never_look_the_same(names: list[str], width: int) -> None:
    shown = shortened(names, width)
    if shown is not None:
        assert list(shown) == list(dict.fromkeys(names))
        assert len(set(shown.values())) == len(shown)
        assert all(cell_len(text) <= width for text in shown.values())
        assert all(shown[name] == name for name in shown if cell_len(name) <= width)
