"""Judgments from a file, folder or zip in any of the formats."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from simtool.errors import listed
from simtool.judgments import formats
from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.codebook import Codebook
from simtool.judgments.formats import AUTO, JudgmentFormat, Reading, format_names
from simtool.judgments.headings import recognize
from simtool.kinds import Expected, Kind, What, explain, kind_of, wrong_table
from simtool.tables.files import table_kind

__all__ = ["import_judgments", "refuse_judgments"]

#: The format of a lab's own table.
_OWN = "csv"
#: Formats without a header or names, whose numbers can also be vectors or distances.
_UNNAMED = frozenset(("triplets-odd-last", "triplets-odd-first", "triplets-near-far"))


def import_judgments(
    source: Path, format_name: str = AUTO, catalog: Path | None = None, codebook: Codebook | None = None
) -> Reading:
    """Read judgments in any of the formats.

    Args:
        source: a file, folder or zip.
        format_name: the name of the format; ``auto`` detects it from the content.
        catalog: the catalog that maps the numbers of a psiz file to images. The JSON sequences of psiz-datasets may
            bring their own.
        codebook: the names of columns and the meaning of answers of a CSV of judgments; it states this format.

    Raises:
        JudgmentsError: the source is in no known format, or is malformed.
        CatalogError: the catalog is malformed.
        OSError: a file cannot be read.
    """
    if format_name not in format_names():
        raise JudgmentsError(f"{source}: unknown format {format_name}: choose one of {listed(format_names(), 99)}")
    if codebook and format_name not in (AUTO, _OWN):
        raise JudgmentsError(f"{source}: --column and --answer describe the format {_OWN}, not {format_name}")
    kind = kind_of(source)
    if kind.damage or not any(kind.what in entry.kinds for entry in formats.FORMATS):
        raise JudgmentsError(_refusal(source, kind))
    if codebook:
        from simtool.judgments.csv_trials import read_csv_trials

        return Reading(read_csv_trials(source, codebook), [source], format=_OWN)
    named = next((entry for entry in formats.FORMATS if entry.name == format_name), None)
    found = named or _recognised(source, kind)
    return replace(found.reader.read(source, catalog), format=found.name)


def _refusal(source: Path, kind: Kind) -> str:
    """Explain why a source holds no judgments."""
    found = table_kind(source) if kind.what is What.PARQUET and not kind.damage else None
    return wrong_table(source, found, "judgments") if found else explain(source, Expected.JUDGMENTS)


def _recognised(source: Path, kind: Kind) -> JudgmentFormat:
    for entry in formats.FORMATS:
        if kind.what in entry.kinds and entry.reader.recognises(source, kind):
            return entry
    raise JudgmentsError(explain(source, Expected.JUDGMENTS))


def refuse_judgments(source: Path) -> None:
    """Refuse a text file or archive of arrays that holds judgments, where another content is expected.

    Raises:
        JudgmentsError: the names of its columns, keys or arrays are those of a format of judgments.
    """
    kind = kind_of(source)
    if kind.text is None and kind.what is not What.NPZ:
        return
    for entry in formats.FORMATS:
        if entry.name not in _UNNAMED and kind.what in entry.kinds and _holds(entry, source, kind):
            raise JudgmentsError(
                f"{source}: these are judgments (format {entry.name}); simtool import-trials takes them"
            )


def _holds(entry: JudgmentFormat, source: Path, kind: Kind) -> bool:
    try:
        if entry.name == "csv":
            recognize(kind.keys)
        return entry.reader.recognises(source, kind)
    except (JudgmentsError, ValueError):
        return False
