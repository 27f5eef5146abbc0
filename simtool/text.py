"""Text from outside, made safe to print: ids, names and metadata that other programs wrote."""

from __future__ import annotations

import unicodedata
from functools import cache

__all__ = ["counted", "plural", "printable", "scaled"]

#: Unicode categories that act instead of showing: controls, unpaired surrogates, line and paragraph separators.
_ACTING = frozenset(("Cc", "Cs", "Zl", "Zp"))
#: Marks that change the order of the text around them, so that a line reads as something else (Unicode's UAX #9).
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NAMED = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def counted(number: int, things: str, thing: str | None = None) -> str:
    """A number of things: ``1 trial``, ``2,000 sessions``, ``no images``.

    Args:
        number: how many there are.
        things: what they are, in the plural.
        thing: one of them; None where the plural less its ``s`` says it.
    """
    return f"{number:,} {plural(number, things, thing)}" if number else f"no {things}"


def plural(number: int, things: str, thing: str | None = None) -> str:
    """The word for so many things: ``row`` for 1, else ``rows``; the arguments are those of :func:`counted`."""
    return (thing or things.removesuffix("s")) if number == 1 else things


def scaled(amount: float, unit: str) -> str:
    """An amount in three digits with an SI prefix: ``1.15 GB``, ``73.4 MB``, ``512 B``."""
    for prefix, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if (part := amount / scale) >= 0.9995:
            return f"{part:,.0f} {prefix}{unit}" if part >= 999.5 else f"{part:.3g} {prefix}{unit}"
    return f"{amount:.0f} {unit}"


def printable(text: object, keep: str = "") -> str:
    """The text with every character that would act on the terminal or the layout written as an escape.

    Control characters, unpaired surrogates, line separators and marks that reorder text become what Python's
    string literals call them: ``\\x1b``, ``\\n``, ``\\u202e``. All other text stays as it is.

    Args:
        text: anything; its ``str`` is taken.
        keep: characters that stay although they act, for example a newline.
    """
    shown = str(text)
    if shown.isprintable():  # no acting character is printable; some harmless ones are not, either
        return shown
    return "".join(character if character in keep else _shown(character) for character in shown)


@cache
def _shown(character: str) -> str:
    if unicodedata.category(character) not in _ACTING and character not in _REORDERING:
        return character
    code = ord(character)
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
