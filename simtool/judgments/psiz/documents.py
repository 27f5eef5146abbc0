"""JSON documents of psiz-datasets in a folder, in a zip or alone, and other judgments in the same folder."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from simtool.errors import first_line, listed
from simtool.judgments.assembly import JudgmentsError
from simtool.judgments.catalog import Catalog, catalogs_in, parse_catalog
from simtool.kinds import Expected, KindError, What, explain, kind_of

__all__ = ["Documents", "find_documents", "judgments_in", "no_sequences", "observations_in"]

#: Maximum bytes of a document; the largest documents of psiz-datasets have about a hundred kilobytes.
MOST_BYTES = 1 << 28

_STIMULI = "stimuli.txt"
#: Exceptions of zipfile for damaged and unsupported files.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError),
    *(KeyError, IndexError, ValueError, OSError, struct.error, OverflowError, MemoryError),
)


@dataclass(frozen=True)
class Documents:
    """Documents of sequences, and their catalog.

    Attributes:
        source: the folder, zip or single document.
        root: the folder of the names; None for the members of a zip.
        names: the documents, sorted.
        stimuli: their ``stimuli.txt``; None if missing.
    """

    source: Path
    root: Path | None
    names: tuple[str, ...]
    stimuli: str | None

    @property
    def files(self) -> list[Path]:
        """The files to read, for provenance."""
        if self.root is None:
            return [self.source]
        return [self.root / name for name in (*self.names, *([self.stimuli] if self.stimuli else []))]

    def catalog(self) -> Catalog:
        """Read the catalog of the documents.

        Raises:
            JudgmentsError: there is no catalog.
            CatalogError: the catalog is malformed.
        """
        if self.stimuli is None:
            raise JudgmentsError(f"{self.source}: no {_STIMULI} found: name the images of its ids with --catalog")
        ((name, content),) = self.read([self.stimuli])
        return parse_catalog(content, name)

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the name (for messages) and the content of each document.

        Raises:
            JudgmentsError: a document is damaged or too large.
            OSError: a document cannot be read.
        """
        if self.root is None:
            yield from self._unzip(names)
            return
        for name in names:
            file = self.root / name
            _refuse_large(str(file), file.stat().st_size)
            yield str(file), file.read_bytes()

    def _unzip(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        try:
            with zipfile.ZipFile(self.source) as archive:
                for name in names:
                    # zipfile never reads more than the size that the zip states.
                    _refuse_large(f"{self.source}: {name}", archive.getinfo(name).file_size)
                    yield f"{self.source}: {name}", archive.read(name)
        except _DAMAGE as failure:
            raise _damaged(self.source, failure) from failure


def _damaged(source: Path, failure: Exception) -> JudgmentsError:
    """Return the error about a zip that cannot be unpacked."""
    reason = first_line(failure)
    if "encrypted" in reason or "password" in reason:
        return JudgmentsError(f"{source}: its documents are encrypted: unpack it, and import the folder")
    return JudgmentsError(f"{source}: a damaged zip ({reason}): get it again")


def _refuse_large(name: str, size: int) -> None:
    if size > MOST_BYTES:
        raise JudgmentsError(f"{name}: {size:,} bytes are too large for a document of sequences")


def find_documents(source: Path) -> Documents | None:
    """Find documents of sequences; None without documents.

    Args:
        source: a zip; a folder with ``*_seqs`` folders of documents, or with documents; or a single document.

    Raises:
        JudgmentsError: the zip is damaged, or the documents are compressed.
    """
    if source.is_dir():
        files = (*source.glob("*.json*"), *source.glob("*_seqs/*.json*"))
        found = [file.relative_to(source).as_posix() for file in files if file.is_file()]
        return _documents(source, source, found, [_STIMULI, f"../{_STIMULI}"])
    if zipfile.is_zipfile(source):
        try:
            with zipfile.ZipFile(source) as archive:
                members = [name for name in archive.namelist() if name and not name.startswith("__MACOSX/")]
        except _DAMAGE as failure:
            raise _damaged(source, failure) from failure
        if repeated := [name for name, count in Counter(members).items() if count > 1]:
            raise JudgmentsError(f"{source}: the zip has {listed(repeated)} twice: keep one of them")
        stimuli = sorted((name for name in members if PurePosixPath(name).name == _STIMULI), key=len)
        return _documents(source, None, members, stimuli)
    return _documents(source, source.parent, [source.name], [_STIMULI, f"../{_STIMULI}"])


def _documents(source: Path, root: Path | None, found: Iterable[str], stimuli: Iterable[str]) -> Documents | None:
    """Choose the documents in ``*_seqs`` folders if there are any, and the first existing catalog."""
    # macOS adds ._NAME for every NAME.
    shown = sorted(name for name in found if not PurePosixPath(name).name.startswith("."))
    if packed := [name for name in shown if name.endswith(".json.gz")]:
        raise JudgmentsError(f"{source}: compressed documents: {listed(packed)}; unpack them with gunzip")
    names = [name for name in shown if name.endswith(".json")]
    filed = [name for name in names if PurePosixPath(name).parent.name.endswith("_seqs")]
    there = (name for name in stimuli if root is None or (root / name).is_file())
    return Documents(source, root, tuple(filed or names), next(there, None)) if names else None


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
