"""Damage to the bytes of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

__all__ = ["damage", "damaged"]

_Damage = Callable[[bytearray, Random], None]


def _flip_bits(data: bytearray, chance: Random) -> None:
    for _ in range(chance.choice((1, 1, 1, 3, 20))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: Random) -> None:
    for _ in range(chance.choice((1, 2, 8))):
        data[chance.randrange(len(data))] = chance.choice((0, 0xFF, 0x7F, 0x0A, chance.randrange(256)))


def _truncate(data: bytearray, chance: Random) -> None:
    keep = chance.choice((0, 1, 4, len(data) // 2, len(data) - 1, chance.randrange(len(data))))
    del data[max(0, keep) :]


def _cut_beginning(data: bytearray, chance: Random) -> None:
    del data[: chance.choice((1, 3, chance.randrange(1, len(data) + 1)))]


def _insert(data: bytearray, chance: Random) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(chance.choice((1, 2, 16, 1000)))


def _append(data: bytearray, chance: Random) -> None:
    data += chance.choice((b"\0" * 512, b"\n", chance.randbytes(40), bytes(data)))


def _range(data: bytearray, chance: Random) -> slice:
    start = chance.randrange(len(data))
    return slice(start, min(len(data), start + chance.choice((1, 4, 64, 1024))))


def _zero(data: bytearray, chance: Random) -> None:
    where = _range(data, chance)
    data[where] = bytes(len(data[where]))


def _repeat(data: bytearray, chance: Random) -> None:
    where = _range(data, chance)
    data[where.stop : where.stop] = data[where] * chance.choice((1, 2, 10))


def _move(data: bytearray, chance: Random) -> None:
    where = _range(data, chance)
    block = data[where]
    del data[where]
    at = chance.randrange(len(data) + 1)
    data[at:at] = block


def _exchange_halves(data: bytearray, chance: Random) -> None:
    at = chance.randrange(len(data))
    data[:] = data[at:] + data[:at]


_WAYS: tuple[tuple[str, _Damage], ...] = (
    ("bits flipped", _flip_bits),
    ("bits flipped", _flip_bits),
    ("bytes overwritten", _overwrite),
    ("truncated", _truncate),
    ("beginning cut off", _cut_beginning),
    ("bytes inserted", _insert),
    ("bytes appended", _append),
    ("a range zeroed", _zero),
    ("a block repeated", _repeat),
    ("a block moved", _move),
    ("halves exchanged", _exchange_halves),
)


def damaged(data: bytes, chance: Random, other: bytes = b"") -> tuple[str, bytes]:
    """Damage bytes.

    Args:
        data: what is damaged.
        chance: decides how.
        other: another file, of which a piece may be put in.

    Returns:
        What was done, and the bytes.
    """
    if other and chance.random() < 0.1:
        return "spliced with another file", data[: chance.randrange(len(data) + 1)] + other[
            chance.randrange(len(other)) :
        ]
    content = bytearray(data or b"\0")
    words, way = chance.choice(_WAYS)
    way(content, chance)
    return words, bytes(content)


def damage(file: Path, chance: Random, other: bytes = b"") -> str:
    """Damage a file in place, and return a description."""
    words, content = damaged(file.read_bytes(), chance, other)
    file.write_bytes(content)
    return f"{file.name}: {words}"
