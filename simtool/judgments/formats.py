"""The table of judgment formats.

A new format is a new module with a :class:`Reader`, and one entry in :data:`FORMATS`.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from simtool.kinds import Kind, What

if TYPE_CHECKING:
    from pathlib import Path

    from simtool.judgments.assembly import Judgments
    from simtool.judgments.catalog import Catalog

__all__ = ["AUTO", "FORMATS", "JudgmentFormat", "Reader", "Reading", "format_names"]

#: The name that asks for detection by content.
AUTO = "auto"


@dataclass(frozen=True)
class Reading:
    """Judgments as a reader returns them.

    Attributes:
        judgments: the judgments.
        files: the files that were read.
        catalog: the catalog that maps stimulus numbers to images; None for formats that name their images.
        format: the name of the format; the reader leaves it out.
    """

    judgments: Judgments
    files: list[Path]
    catalog: Catalog | None = None
    format: str = AUTO


class Reader(Protocol):
    """A reader of one format: a module or an object with two functions."""

    def recognises(self, source: Path, kind: Kind) -> bool:
        """Return whether a source whose kind fits is in this format.

        Raises:
            JudgmentsError: it looks like this format, but cannot be read.
        """

    def read(self, source: Path, catalog: Path | None) -> Reading:
        """Read judgments.

        Raises:
            JudgmentsError: the source is malformed.
            CatalogError: the catalog is missing or malformed.
        """


@dataclass(frozen=True)
class JudgmentFormat:
    """A format of judgments.

    Attributes:
        name: the value of ``--format``.
        kinds: the kinds of file that can hold it.
        place: where its reader is, ``module`` or ``module:object``; it is imported when it is needed.
    """

    name: str
    kinds: frozenset[What]
    place: str

    @property
    def reader(self) -> Reader:
        """The reader of the format."""
        return cast("Reader", pkgutil.resolve_name(self.place))


_PSIZ_HDF5 = frozenset(
    (What.HDF5, What.PSIZ_OBSERVATIONS, What.PSIZ_TRIALS, What.PSIZ_DOCKET, What.PSIZ_RATINGS, What.PSIZ_CATALOG)
)
_PSIZ_JSON = frozenset((What.PSIZ_JSON, What.PSIZ_FOLDER, What.PSIZ_ZIP, What.FOLDER, What.EMPTY_FOLDER))

_CELLS = frozenset((What.CSV, What.NUMBERS, What.TEXT))
_TRIPLETS = _CELLS | {What.NPY}
_LEVELS = frozenset((What.JSON_LINES, What.JSON, What.FOLDER))

#: All formats. The first entry that recognises a source reads it.
FORMATS: tuple[JudgmentFormat, ...] = (
    JudgmentFormat("psiz-2018", _PSIZ_HDF5, "simtool.judgments.psiz.observations:Layout.PSIZ_2018"),
    JudgmentFormat("psiz-0.6", _PSIZ_HDF5, "simtool.judgments.psiz.observations:Layout.PSIZ_06"),
    JudgmentFormat("levels", _LEVELS, "simtool.judgments.levels"),
    JudgmentFormat("psiz-npz", frozenset((What.NPZ,)), "simtool.judgments.psiz.saved"),
    JudgmentFormat("psiz-json", _PSIZ_JSON, "simtool.judgments.psiz.sequences"),
    JudgmentFormat("bapps", frozenset((What.BAPPS_FOLDER, What.IMAGE_FOLDER)), "simtool.judgments.bapps"),
    JudgmentFormat("meadows", frozenset((What.CSV, What.JSON)), "simtool.judgments.meadows"),
    JudgmentFormat("nights", frozenset((What.CSV,)), "simtool.judgments.nights"),
    JudgmentFormat("things-raw", frozenset((What.CSV,)), "simtool.judgments.things"),
    JudgmentFormat("hebart2023", frozenset((What.CSV,)), "simtool.judgments.hebart2023"),
    JudgmentFormat("alignet", frozenset((What.NPZ,)), "simtool.judgments.alignet"),
    JudgmentFormat("cblearn", frozenset((What.NPY, What.NPZ)), "simtool.judgments.cblearn"),
    JudgmentFormat("most-central", frozenset((What.CSV,)), "simtool.judgments.most_central"),
    JudgmentFormat("musicseer", _CELLS, "simtool.judgments.musicseer"),
    JudgmentFormat("triplets-odd-last", _TRIPLETS, "simtool.judgments.triplets:Layout.ODD_LAST"),
    JudgmentFormat("triplets-odd-first", _TRIPLETS, "simtool.judgments.triplets:Layout.ODD_FIRST"),
    JudgmentFormat("triplets-near-far", _TRIPLETS, "simtool.judgments.triplets:Layout.NEAR_FAR"),
    JudgmentFormat("csv", _CELLS, "simtool.judgments.csv_trials"),
)


def format_names() -> list[str]:
    """Return the values of ``--format``."""
    return [AUTO, *(entry.name for entry in FORMATS)]
