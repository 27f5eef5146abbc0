"""Provenance of tables: program, time, command and inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from simtool import __version__

__all__ = ["Content", "InputFile", "Provenance", "file_state", "sha256_of"]

#: Bytes that are hashed at once; a thread that hashes small blocks waits for Python's lock after each of them.
_BLOCK = 1 << 22


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the content of a file in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    content = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            content.update(block)
    return content.hexdigest()


def file_state(path: Path) -> tuple[int, int, int]:
    """Numbers that change if a file is written again: its number, its size and its time.

    Raises:
        OSError: there is no such file.
    """
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _footer_of(file: BinaryIO) -> int | None:
    """Return the position of the footer of a Parquet file; None for other files. Rewinds the file."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    tail = file.read(8)
    file.seek(0)
    begin = size - 8 - int.from_bytes(tail[:4], "little")
    return begin if tail[4:] == b"PAR1" and begin >= 4 else None


def _columns_of(path: Path) -> str:
    """Return names and types of the columns of a Parquet file; empty for a damaged file."""
    import pyarrow.parquet as pq

    from simtool.tables.parquet import ARROW_FAILURES

    try:
        with pq.ParquetFile(path.absolute()) as file:
            return "\n".join(f"{field.name}: {field.type}" for field in file.schema_arrow)
    except ARROW_FAILURES:
        return ""


@dataclass(frozen=True)
class Content:
    """The hashed bytes of a file.

    Attributes:
        sha256: of all bytes, in hexadecimal.
        stored: of Parquet, the hash of the bytes before the footer.
    """

    sha256: str
    stored: hashlib._Hash | None = None

    @classmethod
    def of(cls, path: Path) -> Content:
        """Read a file once. This needs no pyarrow.

        Raises:
            OSError: the file cannot be read.
        """
        with path.open("rb") as file:
            footer = _footer_of(file)
            if footer is None:
                return cls(sha256_of(path))
            whole = hashlib.sha256()
            while footer and (block := file.read(min(footer, _BLOCK))):
                whole.update(block)
                footer -= len(block)
            stored = whole.copy()
            whole.update(file.read())
        return cls(whole.hexdigest(), stored)

    def columns(self, path: Path) -> str | None:
        """The hash of the columns of a Parquet file without the metadata; None for other files."""
        if self.stored is None:
            return None
        found = self.stored.copy()
        found.update(_columns_of(path).encode())
        return found.hexdigest()


@dataclass(frozen=True)
class InputFile:
    """An input file of a table.

    Attributes:
        name: the path as given.
        sha256: the hash of its content when it was read.
        columns: for Parquet, the hash of its columns without the metadata, which have a time stamp.
    """

    name: str
    sha256: str
    columns: str | None = None

    @classmethod
    def of(cls, path: Path, content: Content | None = None) -> InputFile:
        """Describe a file as it is now; without ``content``, the file is hashed.

        Raises:
            OSError: the file cannot be read.
        """
        content = content or Content.of(path)
        return cls(path.as_posix(), content.sha256, content.columns(path))

    def is_like(self, other: InputFile) -> bool:
        """Return whether two files have the same content, ignoring time stamps."""
        return self.sha256 == other.sha256 or (self.columns is not None and self.columns == other.columns)

    def to_json(self) -> dict[str, str]:
        """Convert to the keys of the contract, with one more key for Parquet."""
        more = {} if self.columns is None else {"columns": self.columns}
        return {"name": self.name, "sha256": self.sha256, **more}


@dataclass(frozen=True)
class Provenance:
    """The origin of a table.

    Attributes:
        command: the arguments of the command, with paths as given.
        inputs: the input files.
        created_by: program and version.
        created_at: UTC, ISO 8601.
        device: that computed a network, with its precision; None without a network.
    """

    command: tuple[str, ...]
    inputs: tuple[InputFile, ...]
    created_by: str
    created_at: str
    device: str | None = None

    @classmethod
    def of(
        cls,
        command: Sequence[str],
        inputs: Iterable[Path],
        describe: Callable[[Path], InputFile] = InputFile.of,
        device: str | None = None,
    ) -> Provenance:
        """Return the provenance of a table that this program writes now.

        Args:
            command: the arguments, with paths as given.
            inputs: files, or folders of Parquet parts.
            describe: describes a file.
            device: that computed a network.

        Raises:
            OSError: an input cannot be read.
        """
        from simtool.tables.parts import part_files

        files = [file for path in inputs for file in (part_files(path) if path.is_dir() else [path])]
        return cls(
            command=tuple(command),
            inputs=tuple(map(describe, files)),
            created_by=f"simtool {__version__}",
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            device=device,
        )

    def to_json(self) -> dict[str, Any]:
        """Convert to the metadata keys of the contract."""
        return {
            "created_by": self.created_by,
            "created_at": self.created_at,
            "command": list(self.command),
            "inputs": [file.to_json() for file in self.inputs],
            **({} if self.device is None else {"device": self.device}),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Provenance | None:
        """Read the result of :meth:`to_json`; None for missing or invalid metadata."""
        command, inputs = content.get("command"), content.get("inputs")
        if not isinstance(command, list) or not isinstance(inputs, list):
            return None
        try:
            return cls(
                command=tuple(str(word) for word in command),
                inputs=tuple(InputFile(str(file["name"]), str(file["sha256"]), file.get("columns")) for file in inputs),
                created_by=str(content["created_by"]),
                created_at=str(content["created_at"]),
                device=None if content.get("device") is None else str(content["device"]),
            )
        except (KeyError, TypeError, AttributeError):
            return None
