"""Unusual archives: names, kinds, sizes and damage; and copies of CUB."""

from __future__ import annotations

import io
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from random import Random

from simtool.archive import unpack
from simtool.collections.cub import unpack_cub
from simtool.collections.studies import studies
from simtool.stages.copies import Copy, inspect_copy
from simtool.tables.images import Images
from tests.cub import PHOTOGRAPHS, miniature
from tests.fuzz import values
from tests.fuzz.case import Door, Judge, Made

__all__ = ["DOORS", "cub_archive"]

_NAMES = (
    *("../up.txt", "/etc/x", "", ".", "a/../../b", "a//b", "a/./c", "dir/", "C:\\x", "a\\b", "\0", "a\0b", "x" * 5000),
    *("__MACOSX/x", "._a", "\N{GRINNING FACE}", "a.txt/b", "a.txt", "d/e/f/g/h/i", "~root", "-rf", "CON", "a "),
)


def _files(chance: Random) -> list[tuple[str, bytes]]:
    files = [("a.txt", b"alpha"), ("d/b.txt", b"beta" * 100), ("d/c.txt", b"")]
    for _ in range(chance.choice((0, 1, 1, 2))):
        files.insert(chance.randrange(3), (chance.choice((*_NAMES, values.text(chance))), chance.randbytes(20)))
    return files


def _zip(files: list[tuple[str, bytes]], chance: Random, odd: str) -> bytes:
    data = io.BytesIO()
    method = chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            if odd == "mode":
                info.external_attr = chance.choice((0o120777, 0o010644, 0o060644, 0o177777, 0)) << 16
            with warnings.catch_warnings(action="ignore"):  # of a name that is there already
                archive.writestr(info, content)
    raw = bytearray(data.getvalue())
    directory = raw.index(b"PK\1\2")
    if odd == "flags":
        raw[directory + 8] |= chance.choice((1, 0x20, 0x40, 8))
    elif odd == "method":
        raw[directory + 10] = chance.choice((1, 6, 9, 93, 95, 97, 99, 255))
    elif odd == "size":
        raw[directory + 24 : directory + 28] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xfe\xff\xff\x7f"))
    elif odd == "offset":
        raw[directory + 42 : directory + 46] = chance.choice((b"\xff\xff\xff\x7f", b"\1\0\0\0"))
    elif odd == "extra":
        raw[directory + 30 : directory + 32] = b"\x10\0"
    elif odd == "comment":
        raw += b"PK\5\6"
    return bytes(raw)


def _tar(files: list[tuple[str, bytes]], chance: Random, odd: str) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=chance.choice(("w", "w:gz")), format=chance.choice((0, 1, 2))) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if odd == "mode":
                info.type = chance.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, b"Z"))
                info.linkname = chance.choice(("/etc/passwd", "a.txt", "..", ""))
            try:
                archive.addfile(info, io.BytesIO(content))
            except (ValueError, UnicodeError):  # a name that this format cannot hold
                continue
    return data.getvalue()


def _made(path: Path, files: list[tuple[str, bytes]], raw: bytes, words: str) -> Made:
    path.write_bytes(raw)
    plain = raw[:2] not in (b"PK", b"\x1f\x8b")
    return Made(path, words, _judge(path.parent, files, plain), files=(path,), other=path.parent / "out")


def _judge(folder: Path, files: list[tuple[str, bytes]], plain: bool) -> Judge:
    """Whether all files are within the folder and have the packed content."""
    packed = {str(PurePosixPath(name.split("\0")[0])): content for name, content in files}

    def judge(found: list[Path]) -> str | None:
        out = (folder / "out").resolve()
        if strays := {entry.name for entry in folder.iterdir()} - {
            "out",
            *(file.name for file in folder.glob("archive*")),
        }:
            return f"written outside: {strays}"
        for file in found:
            if not file.resolve().is_relative_to(out) or file.is_symlink():
                return f"{file} lies elsewhere"
            # A tar that is not compressed has no checksum over its files.
            if not plain and packed.get(file.relative_to(folder / "out").as_posix()) not in (None, file.read_bytes()):
                return f"{file.name} has another content"
        return None

    return judge


def _structured(chance: Random, folder: Path) -> Made:
    files = _files(chance)
    odd = chance.choice(("names", "mode", "flags", "method", "size", "offset", "extra", "comment"))
    pack, suffix = chance.choice(((_zip, "zip"), (_tar, "tar")))
    return _made(folder / f"archive.{suffix}", files, pack(files, chance, odd), f"{suffix}: {odd}, {files!r:.100}")


def _valid(chance: Random, folder: Path) -> Made:
    files = [("a.txt", b"alpha" * 30), ("d/b.txt", b"beta" * 100)]
    pack = chance.choice((_zip, _tar))
    return _made(folder / "archive", files, pack(files, chance, ""), "")


def _unpack(made: Made) -> list[Path]:
    made.other.mkdir()
    return unpack(made.path, made.other)


# --- CUB


def cub_archive(files: Mapping[str, bytes], path: Path, chance: Random) -> Path:
    """Pack a copy of CUB."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    path.write_bytes(data.getvalue())
    return path


def _structured_cub(chance: Random, folder: Path) -> Made:
    """A copy of CUB in which a line or a file was changed."""
    files = miniature()
    name = chance.choice([one for one in files if one.endswith(".txt") and "._" not in one and "somebody" not in one])
    lines = files[name].decode().split("\n")
    at = chance.randrange(len(lines))
    words = chance.choice(("cell", "line", "drop", "repeat", "file", "bytes", "photograph", "root"))
    if words == "cell":
        cells = lines[at].split(" ")
        cells[chance.randrange(len(cells))] = values.text(chance)
        lines[at] = " ".join(cells)
    elif words == "line":
        lines[at] = values.text(chance)
    elif words == "drop":
        del lines[at]
    elif words == "repeat":
        lines.insert(at, lines[at])
    files[name] = "\n".join(lines).encode()
    if words == "file":
        del files[name]
    elif words == "bytes":
        files[name] = chance.choice((b"", b"\xff\xfe\0", b"\0" * 99, chance.randbytes(50)))
    elif words == "photograph":
        files[f"CUB_200_2011/images/{PHOTOGRAPHS[0][0]}"] = chance.choice((b"", b"x", b"\xff\xd8\xff"))
    elif words == "root":
        files = {
            one.replace("CUB_200_2011", chance.choice(("CUB", "deep/CUB_200_2011", "."))): b for one, b in files.items()
        }
    made = Made(cub_archive(files, folder / "archive.tgz", chance), f"{name}: {words} {lines[at - 1 : at + 1]!r:.60}")
    made.judge, made.other = _judge_cub, folder / "out"
    return made


def _judge_cub(found: Images) -> str | None:
    if len(set(found.image_id)) != len(found) or (found.width < 1).any():
        return f"images {found.image_id.tolist()} of widths {found.width.tolist()}"
    return None


def _unpack_cub(made: Made) -> Images:
    made.other.mkdir()
    return unpack_cub(made.path, made.other)


def _structured_copy(chance: Random, folder: Path) -> Made:
    return replace(_structured(chance, folder), judge=_judge_copy)


def _valid_copy(chance: Random, folder: Path) -> Made:
    return replace(_valid(chance, folder), judge=_judge_copy)


def _judge_copy(found: Copy) -> str | None:
    return None if found.judgments or found.photographs else "a copy of nothing"


DOORS = (
    Door("archives", _unpack, _structured, _valid, (1000, 500)),
    Door("cub", _unpack_cub, _structured_cub, None, (300, 0)),
    Door(
        "copies", lambda made: inspect_copy(made.path, studies()["birds-16"]), _structured_copy, _valid_copy, (400, 200)
    ),
)
