"""Local copies of a study, given instead of a download."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simtool.archive import Source
from simtool.collections import birds16
from simtool.collections.studies import Study
from simtool.errors import SimtoolError, UsageError, listed
from simtool.judgments.psiz.documents import judgments_in
from simtool.kinds import What, kind_of

__all__ = ["Copy", "CopyError", "holding", "inspect_copy"]


class CopyError(SimtoolError):
    """A local copy holds nothing of the study."""


@dataclass(frozen=True)
class Copy:
    """A local copy of a study: an archive, a file or a folder.

    Attributes:
        path: the copy.
        judgments: the source of the judgments and its catalog (see ``judgments_in``); None without judgments.
        names: the file of the names of the images; None without it.
        photographs: whether it holds images.
    """

    path: Path
    judgments: tuple[Path, Path | None] | None = None
    names: Path | None = None
    photographs: bool = False


def inspect_copy(path: Path, study: Study) -> Copy:
    """Find out what a local copy holds, by its content. A folder may hold psiz's HDF5 with a catalog instead of JSON.

    Raises:
        CopyError: it holds nothing of the study.
        JudgmentsError: the zip is damaged.
        KindError: it does not exist.
        OSError: it cannot be read.
    """
    if study.photographs is not None:
        copy = Copy(path, photographs=birds16.holds_photographs(path), judgments=judgments_in(path))
    elif kind_of(path).what is What.TEXT and study.names is not None:
        copy = Copy(path, names=path)
    elif not path.is_dir():
        copy = Copy(path, judgments=(path, None))
    else:
        place = _published(path, study.judgments)
        copy = Copy(path, (place, None) if place else judgments_in(path), _published(path, study.names))
    if not (copy.judgments or copy.names or copy.photographs):
        photographs = "" if study.photographs is None else " and no photographs"
        raise CopyError(
            f"{path}: no judgments ({study.judgments.name}, stimuli.txt and *_seqs/*.json, or psiz's HDF5 and its "
            f"catalog){photographs}"
        )
    return copy


def _published(folder: Path, source: Source | None) -> Path | None:
    """The published file in a folder or below, by its name; None if it is not there."""
    return (
        None if source is None else next((path for path in sorted(folder.rglob(source.name)) if path.is_file()), None)
    )


def holding(copies: Sequence[Copy], content: str) -> Copy | None:
    """The copy that holds the ``judgments``, ``names`` or ``photographs``; None where no copy does.

    Raises:
        UsageError: two copies hold them.
    """
    found = [copy for copy in copies if getattr(copy, content)]
    if len(found) > 1:
        both = listed(copy.path for copy in found)
        raise UsageError(f"--archive: {content} are in {both}: give one of them")
    return found[0] if found else None
