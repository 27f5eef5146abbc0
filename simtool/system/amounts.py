"""Amounts of memory as people write them."""

from __future__ import annotations

import re

from simtool.errors import SimtoolError

__all__ = ["AmountError", "bytes_of"]

_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(b|ib)?\s*", re.IGNORECASE)
_POWERS = ("", "k", "m", "g", "t")


class AmountError(SimtoolError):
    """Text that is no amount of memory."""


def bytes_of(text: str) -> int:
    """The bytes that a text such as ``2G``, ``500M``, ``1.5 GiB`` or ``3GB`` means.

    K, M, G and T count in 1,024, as SLURM does, with or without iB; KB, MB, GB and TB count in 1,000.

    Raises:
        AmountError: it means none, or 0.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None or not float(found[1]):
        raise AmountError(f"{text!r} is no amount of memory; write 500M or 2G")
    base = 1000 if (found[3] or "").lower() == "b" and found[2] else 1024
    return int(float(found[1]) * base ** _POWERS.index(found[2].lower()))
