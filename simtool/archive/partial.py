"""Partial downloads: the received bytes and their origin."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

__all__ = ["Origin", "Partial"]


@dataclass(frozen=True)
class Origin:
    """A server's description of a file.

    Attributes:
        url: the requested address, before redirects.
        total: the size of the whole file in bytes; None if unknown.
        validator: its ETag or the date of its last change; None if the server sends neither.
    """

    url: str
    total: int | None
    validator: str | None

    @classmethod
    def of(cls, note: Any) -> Self | None:
        """Read a note, whose content is not trusted; None if it is no origin."""
        match note:
            case {"url": str(url), "total": int() | None as total, "validator": str() | None as validator, **others}:
                if not others and not isinstance(total, bool) and (total or 0) >= 0:
                    return cls(url, total, validator)
        return None


class Partial:
    """``NAME.part`` next to the final file, and a note of its origin in ``NAME.part.json``.

    Both files survive the process, so that the next run can resume.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._note = target.with_name(target.name + ".part.json")

    @property
    def size(self) -> int:
        """The number of received bytes."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def origin(self) -> Origin | None:
        """The origin of the bytes; None if unknown."""
        try:
            return Origin.of(json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError):
            return None

    def begin(self, origin: Origin) -> BinaryIO:
        """Open for the first byte of a file; existing bytes are deleted."""
        # The file is emptied first: a process killed here must not leave bytes with the note of another file.
        self.path.write_bytes(b"")
        self._note.write_text(json.dumps(asdict(origin)), encoding="utf-8")
        return self.resume()

    def resume(self) -> BinaryIO:
        """Open to append to the existing bytes."""
        return self.path.open("ab")

    def finish(self) -> Path:
        """Give the complete file its final name."""
        self.path.replace(self.target)
        self._note.unlink(missing_ok=True)
        return self.target

    def discard(self) -> None:
        """Delete the bytes and their origin."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
