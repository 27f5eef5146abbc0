"""The colors of all figures."""

from __future__ import annotations

__all__ = ["BAND", "COLORS", "INK", "QUIET"]

#: The palette of Okabe & Ito, which is safe for color-blind people. Dark and light alternate, for grey prints.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999", "#000000")
INK = "#222222"
QUIET = "#666666"
BAND = "#D4D4D4"
