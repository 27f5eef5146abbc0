"""Judgments from whatever a person has: the format told by content, the catalog found or asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simtool.errors import listed
from simtool.judgments.assembly import Judgments, JudgmentsError
from simtool.judgments.catalog import Catalog, is_catalog, read_catalog
from simtool.judgments.csv_trials import read_triplets
from simtool.judgments.formats import Format
from simtool.judgments.psiz import Layout, find_documents, layout_of, read_observations, read_sequences
from simtool.kinds import Door, Kind, KindError, What, explain, kind_of

__all__ = ["Import", "catalogs_in", "detect", "import_judgments", "observations_in"]

_LAYOUTS = {Format.PSIZ_2018: Layout.PSIZ_2018, Format.PSIZ_06: Layout.PSIZ_06}
_FORMATS = {layout: kind for kind, layout in _LAYOUTS.items()}
_SEQUENCES = frozenset((What.PSIZ_JSON, What.PSIZ_FOLDER, What.PSIZ_ZIP))
_CATALOG_SUFFIXES = frozenset((".csv", ".tsv", ".txt", ".hdf5", ".h5"))
_HDF5_SUFFIXES = frozenset((".hdf5", ".h5"))


@dataclass(frozen=True)
class Import:
    """What an import brought.

    Attributes:
        judgments: the judgments.
        kind: the format that they were in.
        catalog: the catalog that named their images; None where they name them themselves.
        files: the files of the source that were read.
    """

    judgments: Judgments
    kind: Format
    catalog: Catalog | None
    files: list[Path]


def import_judgments(source: Path, kind: Format = Format.AUTO, catalog: Path | None = None) -> Import:
    """Read judgments in any of the formats.

    Args:
        source: a file; for JSON sequences also a folder or a zip.
        kind: the format; ``AUTO`` tells it by content.
        catalog: which images the numbers of a psiz file mean; JSON sequences may bring their own ``stimuli.txt``.

    Raises:
        JudgmentsError: the source is in no known format, or not what its format promises.
        CatalogError: the catalog is malformed.
        OSError: a file cannot be read.
    """
    kind = detect(source) if kind is Format.AUTO else _forced(source, kind)
    if kind is Format.CSV:
        return Import(read_triplets(source), kind, None, [source])
    if kind is Format.PSIZ_JSON:
        return _import_sequences(source, catalog)
    if catalog is None:
        found = catalogs_in(source.parent)
        hint = f"for example --catalog {found[0]}" if found else "a catalog of psiz, a stimuli.txt or a CSV"
        raise JudgmentsError(f"{source}: it shows stimuli by number: say which images they are with --catalog ({hint})")
    stimuli = read_catalog(catalog)
    return Import(read_observations(source, stimuli, _LAYOUTS[kind]), kind, stimuli, [source])


def _import_sequences(source: Path, catalog: Path | None) -> Import:
    documents = find_documents(source)
    if documents is None:
        raise JudgmentsError(f"{source}: no JSON sequences in it{_suggestion(source)}")
    stimuli = documents.catalog() if catalog is None else read_catalog(catalog)
    return Import(read_sequences(documents, stimuli), Format.PSIZ_JSON, stimuli, documents.files)


def _forced(source: Path, kind: Format) -> Format:
    """The format that was asked for, unless the source is nothing that can be in any."""
    _readable(source)
    return kind


def _readable(source: Path) -> Kind:
    kind = kind_of(source)
    if kind.what is What.FOLDER or kind.what is What.EMPTY_FOLDER:
        raise JudgmentsError(_without_sequences(source))
    if kind.damage or kind.what not in Door.JUDGMENTS.takes:
        raise JudgmentsError(explain(source, Door.JUDGMENTS))
    return kind


def detect(source: Path) -> Format:
    """Tell the format of a source by its content; never ``AUTO``.

    Raises:
        JudgmentsError: it is in no known format; the message says what it is.
        KindError: it cannot be read at all.
    """
    kind = _readable(source)
    if kind.what in _SEQUENCES:
        return Format.PSIZ_JSON
    if kind.text is None:
        return _FORMATS[layout_of(source)]
    if "query" not in kind.keys and is_catalog(source):
        raise JudgmentsError(f"{source}: a catalog of stimuli, not judgments: give it as --catalog")
    return Format.CSV


def catalogs_in(folder: Path) -> list[Path]:
    """The catalogs of stimuli in a folder, by their first line or keys."""
    return [file for file in _files(folder, _CATALOG_SUFFIXES) if is_catalog(file)]


def observations_in(folder: Path) -> list[Path]:
    """The psiz files of observations in a folder; those that tell sessions apart first."""
    return sorted(
        (file for file in _files(folder, _HDF5_SUFFIXES) if _observation_keys(file)),
        key=lambda file: ("session_id" not in _observation_keys(file), file.name),
    )


def _observation_keys(file: Path) -> tuple[str, ...]:
    """The keys of a file of observations; none where it is no such file."""
    try:
        kind = kind_of(file)
    except KindError:
        return ()
    return kind.keys if kind.what is What.PSIZ_OBSERVATIONS and not kind.damage else ()


def _files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    named = sorted(file for file in folder.iterdir() if file.suffix.lower() in suffixes)
    return [file for file in named if not file.name.startswith(".") and file.is_file()]


def _without_sequences(folder: Path) -> str:
    """Why a folder cannot be imported: a document in the place of sequences holds none, or there is no document."""
    documents = find_documents(folder)
    if documents is not None and documents.stimuli is not None:
        for document in (folder / name for name in documents.names):
            kind = kind_of(document)
            if kind.what is not What.PSIZ_JSON or kind.damage:
                return explain(document, Door.JUDGMENTS)
    return f"{folder}: no JSON sequences in it{_suggestion(folder)}"


def _suggestion(source: Path) -> str:
    """What to import instead, where a folder holds something else."""
    found = observations_in(source) if source.is_dir() else []
    return f"; import one of its files: {listed(found)}" if found else " (*_seqs/*.json with a stimuli.txt)"
