"""Unusual values that readers must handle."""

from __future__ import annotations

import math
from random import Random
from typing import Any

__all__ = ["ABSENT", "NEWLINE", "number", "scalar", "text"]

#: A text with a newline in it, as a message may quote it.
NEWLINE = "new\nline"
#: Texts that mean a missing value.
ABSENT = ("", "NA", "null", "None", "nan", "N/A", "NULL", "NaN", "none", " ")

_TEXTS = (
    *ABSENT[:5],
    NEWLINE,
    "a" * 5000,
    "\x1b[31mred\x1b[0m",
    "\u202eevil",
    "naïve",
    "nai\u0308ve",
    "\N{GRINNING FACE}",
    "../../etc/passwd",
    "/absolute",
    "C:\\images\\a.jpg",
    "=1+1",
    "$x^2$",
    "[bold]x[/bold]",
    "0",
    "-1",
    "1e5",
    "NaN",
    "a,b",
    'a"b',
    "a\tb",
    "a\x00b",
    "true",
    "8-rank-2",
    "8-rank-8",
    "0-choose-0",
    "999-rank-1",
    "\N{ARABIC-INDIC DIGIT TWO}-choose-1",
    "<b>&amp;",
    "%s{}{0}",
    "CON",
    ".",
)
_NUMBERS = (0, -1, 1, 2, 127, 128, 255, -129, 32767, 32768, 65536, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1)
_FLOATS = (0.0, -0.0, 0.5, 1e-320, 1e-170, 1e38, 3.5e38, 1e170, -1e300, math.nan, math.inf, -math.inf, 0.1)


def text(chance: Random) -> str:
    """A text that is unusual."""
    return chance.choice(_TEXTS)


def number(chance: Random) -> int | float:
    """A number that is unusual."""
    return chance.choice((*_NUMBERS, *_FLOATS))


def scalar(chance: Random) -> Any:
    """A value of any plain type."""
    return chance.choice(
        (None, True, False, text(chance), number(chance), number(chance), [], {}, [text(chance)], "\ud800", 2**70)
    )
