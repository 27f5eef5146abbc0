"""Text for messages: counts, amounts, and escapes that make text of other programs safe to print."""

from __future__ import annotations

import unicodedata
from functools import cache

__all__ = ["counted", "duration", "plural", "printable", "scaled"]

#: Unicode categories without a visible form: controls, unpaired surrogates, line and paragraph separators.
_ACTING = frozenset(("Cc", "Cs", "Zl", "Zp"))
#: Marks that reorder the text around them, so that a line can be misread (Unicode UAX #9).
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def counted(number: int, things: str, thing: str | None = None) -> str:
    """Format a number of things: ``1 trial``, ``2,000 sessions``, ``no images``.

    Args:
        number: the number.
        things: the plural of the noun.
        thing: the singular of the noun; the default is the plural without its ``s``.
    """
    return f"{number:,} {plural(number, things, thing)}" if number else f"no {things}"


def plural(number: int, things: str, thing: str | None = None) -> str:
    """Return the singular or plural for a number: ``row`` for 1, else ``rows``; see :func:`counted`."""
    return (thing or things.removesuffix("s")) if number == 1 else things


def scaled(amount: float, unit: str) -> str:
    """Format an amount in three digits with an SI prefix: ``1.15 GB``, ``73.4 MB``, ``512 B``."""
    for prefix, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if (part := amount / scale) >= 0.9995:
            return f"{part:,.0f} {prefix}{unit}" if part >= 999.5 else f"{part:.3g} {prefix}{unit}"
    return f"{amount:.0f} {unit}"


def printable(text: object, keep: str = "") -> str:
    """Escape all characters that control the terminal or change the layout.

    Control characters, unpaired surrogates, line separators and marks that reorder text become escapes of Python's
    string literals: ``\\x1b``, ``\\n``, ``\\u202e``. All other text stays.

    Args:
        text: an object; its ``str`` is used.
        keep: control characters to keep, for example a newline.
    """
    shown = str(text)
    if shown.isprintable():  # no control character is printable; some harmless characters are not printable either
        return shown
    return "".join(character if character in keep else _shown(character) for character in shown)


@cache
def _shown(character: str) -> str:
    if unicodedata.category(character) not in _ACTING and character not in _REORDERING:
        return character
    return character.encode("unicode_escape").decode()


def duration(seconds: float) -> str:
    """A time in its two largest units: ``40 s``, ``3 min``, ``2 h 05 min``, ``3 d 04 h``."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{hours // 24} d {hours % 24:02} h"
