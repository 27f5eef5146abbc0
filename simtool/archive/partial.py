"""A file on its way: the bytes that have arrived, and which file of which server they belong to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

__all__ = ["Origin", "Partial"]


@dataclass(frozen=True)
class Origin:
    """What a server said of the file that it sends.

    Attributes:
        url: the address that was asked, before redirects.
        total: size of the whole file in bytes; None where the server does not say.
        validator: its ETag or the date of its last change; None where the server gives neither.
    """

    url: str
    total: int | None
    validator: str | None

    @classmethod
    def of(cls, note: Any) -> Self | None:
        """What a note says, which may hold anything; None where that is no origin."""
        if not isinstance(note, dict) or note.keys() != {"url", "total", "validator"}:
            return None
        url, total, validator = note["url"], note["total"], note["validator"]
        sized = total is None or (type(total) is int and total >= 0)
        return (
            cls(url, total, validator) if isinstance(url, str) and sized and isinstance(validator, str | None) else None
        )


class Partial:
    """``NAME.part`` beside the file that it will become, and a note of its origin in ``NAME.part.json``.

    Both outlive the process, so that the next run goes on where this one was stopped.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._note = target.with_name(target.name + ".part.json")

    @property
    def size(self) -> int:
        """Bytes that have arrived; 0 where nothing has."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def origin(self) -> Origin | None:
        """Where the bytes came from; None where that is not known."""
        try:
            return Origin.of(json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError):
            return None

    def begin(self, origin: Origin) -> BinaryIO:
        """Open for a file from its first byte; what was there is gone."""
        # Emptied first: bytes must never lie beside the note of another file, whenever the process is killed.
        self.path.write_bytes(b"")
        self._note.write_text(json.dumps(asdict(origin)), encoding="utf-8")
        return self.resume()

    def resume(self) -> BinaryIO:
        """Open to append to what is there."""
        return self.path.open("ab")

    def finish(self) -> Path:
        """Give the complete file its name."""
        self.path.replace(self.target)
        self._note.unlink(missing_ok=True)
        return self.target

    def discard(self) -> None:
        """Forget the bytes and their origin."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
