"""Folders and archives of psiz's files: which of them hold judgments."""

from __future__ import annotations

import zipfile
from pathlib import Path

from simtool.errors import listed
from simtool.judgments.catalog import catalogs_in
from simtool.judgments.psiz.documents import find_documents
from simtool.kinds import Expected, KindError, What, explain, kind_of

__all__ = ["judgments_in", "no_sequences", "observations_in"]


def observations_in(folder: Path) -> list[Path]:
    """Return the HDF5 files of observations in a folder; files that name sessions come first."""
    named = [file for file in folder.iterdir() if file.suffix.lower() in (".hdf5", ".h5") and file.is_file()]
    keys = {file: _observation_keys(file) for file in named if not file.name.startswith(".")}
    return sorted(
        (file for file, names in keys.items() if names), key=lambda file: ("session_id" not in keys[file], file.name)
    )


def _observation_keys(file: Path) -> tuple[str, ...]:
    """Return the keys of a file of observations; none for other files."""
    try:
        kind = kind_of(file)
    except KindError:
        return ()
    return kind.keys if kind.what is What.PSIZ_OBSERVATIONS and not kind.damage else ()


def judgments_in(path: Path) -> tuple[Path, Path | None] | None:
    """Find the judgments in a folder or zip: the source and its catalog; None without judgments.

    The source is the folder or zip itself, whose ``stimuli.txt`` is the catalog (None), or an HDF5 file of the folder,
    whose catalog is in the same folder.
    """
    if not path.is_dir() and not zipfile.is_zipfile(path):
        return None
    documents = find_documents(path)
    if documents is not None and documents.stimuli is not None:
        return path, None
    catalogs = catalogs_in(path) if path.is_dir() else []
    observations = observations_in(path) if catalogs else []
    return (observations[0], catalogs[0]) if observations else None


def no_sequences(source: Path) -> str:
    """Explain why a folder or zip cannot be imported, and suggest another source."""
    documents = find_documents(source)
    if source.is_dir() and documents is not None and documents.stimuli is not None:
        for document in (source / name for name in documents.names):
            kind = kind_of(document)
            if kind.what is not What.PSIZ_JSON or kind.damage:
                return explain(document, Expected.JUDGMENTS)
    found = observations_in(source) if source.is_dir() else []
    hint = f"; import one of its files: {listed(found)}" if found else " (*_seqs/*.json with a stimuli.txt)"
    return f"{source}: no JSON sequences in it{hint}"
