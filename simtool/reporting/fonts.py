"""Fonts of figures: those that are installed and have the letters of all names, and advice where there is none."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.font_manager import fontManager, get_font

from simtool.errors import listed

__all__ = ["USUAL", "advice", "fonts_with", "is_installed", "missing_letters"]

#: The font of all text that it has letters for.
USUAL = "DejaVu Sans"
#: Fonts that are preferred for other letters, where they are installed.
_PREFERRED = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Hiragino Sans", "Yu Gothic", "Microsoft YaHei", "Malgun Gothic"),
    *("WenQuanYi Zen Hei", "Noto Sans Devanagari", "Noto Sans Thai", "Arial Unicode MS"),
)
#: Fonts that have a sign for each script in place of its letters, and fonts of mathematics without letters.
_NO_LETTERS = re.compile(r"Last Resort|STIXSize|STIXNon|^cm")
#: The first words of the names of characters of Chinese, Japanese and Korean.
_CJK = frozenset(("CJK", "KANGXI", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "BOPOMOFO"))
_MISSING = re.compile(r"Glyph (\d+) .* missing from")


@contextmanager
def missing_letters() -> Iterator[set[str]]:
    """Collect the letters that a drawing has no font for, in place of the warnings about them."""
    found: set[str] = set()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield found
    for warning in caught:
        if letter := _MISSING.match(str(warning.message)):
            found.add(chr(int(letter[1])))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def fonts_with(letters: Iterable[str]) -> list[str]:
    """The names of installed fonts that together have as many of some letters as there are fonts for."""
    left = {ord(letter) for letter in letters}
    found = []
    plain = [font for font in fontManager.ttflist if font.style == "normal" and not _NO_LETTERS.search(font.name)]
    places = {name: at for at, name in enumerate(_PREFERRED)}
    for font in sorted(plain, key=lambda font: (places.get(font.name, len(places)), font.name != USUAL, font.name)):
        if left and (held := left & get_font(font.fname).get_charmap().keys()):
            found.append(font.name)
            left -= held
    return list(dict.fromkeys(found))


def is_installed(family: str) -> bool:
    """Whether a family of fonts is installed, or one of those that the settings give for a general one (``serif``)."""
    settings: Mapping[Any, Any] = mpl.rcParams
    general = settings.get(f"font.{family.replace(' ', '-')}")
    wanted = {name.casefold() for name in (general if isinstance(general, list) else [family])}
    return any(font.name.casefold() in wanted for font in fontManager.ttflist)


def advice(letters: Iterable[str]) -> str:
    """The letters that no installed font has, and the fonts to install."""
    scripts: dict[str, list[str]] = {}
    for letter in sorted(letters):
        scripts.setdefault(_font_of(letter), []).append(letter)
    shown = (f"{''.join(own[:5])}{'…' if len(own) > 5 else ''} ({font})" for font, own in scripts.items())
    return f"no installed font has {listed(shown, most=6)}: install {_such(list(scripts))} and draw again"


def _such(fonts: Sequence[str]) -> str:
    return "this font" if len(fonts) == 1 else "these fonts"


def _font_of(letter: str) -> str:
    """A free font that has a letter."""
    first = unicodedata.name(letter, "").split(" ")[0].partition("-")[0]
    if first in _CJK:
        return "Noto Sans CJK"
    if unicodedata.category(letter)[0] not in "LMN" or not first:
        return "Noto Emoji or Noto Sans Symbols"
    return f"Noto Sans {first.capitalize()}"
