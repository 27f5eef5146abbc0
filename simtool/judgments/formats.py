"""The formats that judgments come in."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Format"]


class Format(StrEnum):
    """A format of judgments, by the name that the command line gives it."""

    AUTO = "auto"
    PSIZ_2018 = "psiz-2018"
    PSIZ_06 = "psiz-0.6"
    PSIZ_JSON = "psiz-json"
    CSV = "csv"
