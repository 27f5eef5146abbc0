"""Where a table comes from: who wrote it, when, with which command, from which inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simtool import __version__

__all__ = ["InputFile", "Provenance", "sha256_of"]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class InputFile:
    """A file that a table was made from.

    Attributes:
        name: the path as it was given.
        sha256: the hash of its content when it was read.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """The origin of a table.

    Attributes:
        command: the arguments of the command that wrote it, with paths as given.
        inputs: the files that it was made from.
        created_by: program and version.
        created_at: UTC, ISO 8601.
    """

    command: tuple[str, ...]
    inputs: tuple[InputFile, ...]
    created_by: str
    created_at: str

    @classmethod
    def of(cls, command: Sequence[str], inputs: Iterable[Path]) -> Provenance:
        """The origin of a table that this program writes now.

        Args:
            command: the arguments, with paths as given.
            inputs: files; a folder stands for the Parquet parts in it.

        Raises:
            OSError: an input cannot be read.
        """
        from simtool.tables.parts import part_files

        files = [file for path in inputs for file in (part_files(path) if path.is_dir() else [path])]
        return cls(
            command=tuple(command),
            inputs=tuple(InputFile(file.as_posix(), sha256_of(file)) for file in files),
            created_by=f"simtool {__version__}",
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def to_json(self) -> dict[str, Any]:
        """As the keys that the contract pins for every table."""
        return {
            "created_by": self.created_by,
            "created_at": self.created_at,
            "command": list(self.command),
            "inputs": [{"name": file.name, "sha256": file.sha256} for file in self.inputs],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Provenance | None:
        """Read back what :meth:`to_json` wrote; None where a table says nothing of its origin, or nothing like it."""
        command, inputs = content.get("command"), content.get("inputs")
        if not isinstance(command, list) or not isinstance(inputs, list):
            return None
        try:
            return cls(
                command=tuple(str(word) for word in command),
                inputs=tuple(InputFile(str(file["name"]), str(file["sha256"])) for file in inputs),
                created_by=str(content["created_by"]),
                created_at=str(content["created_at"]),
            )
        except (KeyError, TypeError):
            return None
