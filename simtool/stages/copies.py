"""Local copies of birds-16: images, judgments or both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simtool.collections.birds16 import Birds16Error, holds_photographs
from simtool.judgments.psiz.folders import judgments_in

__all__ = ["Copy", "inspect_copy"]


@dataclass(frozen=True)
class Copy:
    """A local copy of birds-16: an archive or a folder.

    Attributes:
        path: the archive or folder.
        judgments: their source and catalog, as from ``judgments_in``; None without judgments.
        photographs: whether it holds photographs.
    """

    path: Path
    judgments: tuple[Path, Path | None] | None
    photographs: bool


def inspect_copy(path: Path) -> Copy:
    """Find out what a local copy holds, by its content. A folder may hold psiz's HDF5 with a catalog instead of JSON.

    Raises:
        Birds16Error: it holds no judgments and no photographs.
        JudgmentsError: the zip is damaged.
        OSError: it cannot be read.
    """
    copy = Copy(path, photographs=holds_photographs(path), judgments=judgments_in(path))
    if copy.judgments is None and not copy.photographs:
        raise Birds16Error(
            f"{path}: no judgments (stimuli.txt and *_seqs/*.json, or psiz's HDF5 and its catalog) and no photographs"
        )
    return copy
