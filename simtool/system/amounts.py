"""Amounts of memory in text, such as ``2G``."""

from __future__ import annotations

import re

from simtool.errors import SimtoolError

__all__ = ["AmountError", "bytes_of"]

_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(b|ib)?\s*", re.IGNORECASE)
_POWERS = ("", "k", "m", "g", "t")


class AmountError(SimtoolError):
    """A text is not an amount of memory."""


def bytes_of(text: str) -> int:
    """Return the bytes of a text such as ``2G``, ``500M``, ``1.5 GiB`` or ``3GB``.

    K, M, G and T (with or without iB) are powers of 1,024, as in SLURM; KB, MB, GB and TB are powers of 1,000.

    Raises:
        AmountError: the text is not an amount, or is 0.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None or not float(found[1]):
        raise AmountError(f"{text!r} is not an amount of memory; write for example 500M or 2G")
    base = 1000 if (found[3] or "").lower() == "b" and found[2] else 1024
    return int(float(found[1]) * base ** _POWERS.index(found[2].lower()))
