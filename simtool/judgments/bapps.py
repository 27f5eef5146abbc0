"""Reader of the two-alternative choices of BAPPS: which of two distorted images is more similar to a reference.

A set of judgments is a folder ``2afc/SPLIT/KIND`` with the folders ``ref``, ``p0``, ``p1`` and ``judge``. The files of
one stem belong together: three images, and a ``.npy`` file with the share of people who chose ``p1``. Two people judged
each display of ``train``, five people each display of ``val``. Each judgment becomes a trial. The columns ``split`` and
``kind`` are the names of the folders. The id of an image is its path, ``2afc/SPLIT/KIND/ref/STEM.png``.

LPIPS pairs the files of the four folders by their sorted order, DreamSim by their stems. The stems are right in both.

Source: Zhang et al., The unreasonable effectiveness of deep features as a perceptual metric (2018),
https://github.com/richzhang/PerceptualSimilarity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa

from simtool.errors import first_line, listed
from simtool.judgments.assembly import JudgmentsError, Places
from simtool.judgments.formats import Reading
from simtool.judgments.votes import Votes, from_votes, whole_votes
from simtool.kinds import Kind, What
from simtool.system.npy import npy_header
from simtool.tables.files import objects
from simtool.text import counted

__all__ = ["read", "recognises"]

#: The number of people who judged each display of a split.
PEOPLE = {"train": 2, "val": 5}

_IMAGES = ("ref", "p0", "p1")
_JUDGE = "judge"
#: The folders of a set of just noticeable differences.
_NOTICEABLE = frozenset(("p0", "p1", "same"))
#: Folders between the root of the data set and a set of judgments.
_DEPTH = 3
#: Maximum bytes of a file of one share.
_MOST_BYTES = 4096


@dataclass(frozen=True)
class _Display:
    """A display.

    Attributes:
        split: ``train`` or ``val``.
        kind: the kind of distortions.
        images: the ids of the reference, of p0 and of p1.
        judge: the file of the share of people who chose p1.
    """

    split: str
    kind: str
    images: tuple[str, str, str]
    judge: Path


def recognises(source: Path, kind: Kind) -> bool:  # noqa: ARG001 - the kind tells
    """Return whether a folder holds judgments of BAPPS: see :class:`simtool.judgments.formats.Reader`."""
    return kind.what is What.BAPPS_FOLDER


def read(source: Path, catalog: Path | None) -> Reading:  # noqa: ARG001 - the files name the images
    """Read all sets of judgments of a folder: see :class:`simtool.judgments.formats.Reader`."""
    if not source.is_dir():
        raise JudgmentsError(f"{source}: not a folder of BAPPS; give the folder 2afc")
    sets, noticeable = _sets(source)
    if not sets:
        found = "just noticeable differences, which have no reference" if noticeable else "no judgments"
        raise JudgmentsError(f"{source}: {found}: give the folder 2afc, whose sets have {', '.join(_IMAGES)} and judge")
    displays = [display for folder in sets for display in _displays(folder)]
    if not displays:
        raise JudgmentsError(f"{source}: its folders judge are empty, so there is nothing to import")
    places = Places(str(source), lambda row: str(displays[row].judge))
    share = np.array([_share(display.judge) for display in displays])
    people = np.array([PEOPLE[display.split] for display in displays])
    chosen = whole_votes(share, people, places)
    names = list(dict.fromkeys(image for display in displays for image in display.images))
    place_of = {name: place for place, name in enumerate(names)}
    votes = Votes(
        images=objects(names),
        shown=np.array([[place_of[image] for image in display.images] for display in displays]),
        votes=np.column_stack([people - chosen, chosen]),
        extra={
            "split": pa.array([display.split for display in displays]),
            "kind": pa.array([display.kind for display in displays]),
        },
    )
    judgments = from_votes(votes, places)
    if noticeable:
        note = f"left out {counted(noticeable, 'folders')} of just noticeable differences, which have no reference"
        judgments = replace(judgments, notes=(*judgments.notes, note))
    return Reading(judgments, [display.judge for display in displays])


def _sets(source: Path) -> tuple[list[Path], int]:
    """Return the folders with a set of choices, sorted, and the number of sets of just noticeable differences."""
    sets: list[Path] = []
    noticeable = 0
    for folder in _below(source, _DEPTH):
        names = {entry.name for entry in folder.iterdir()}
        if {*_IMAGES, _JUDGE} <= names:
            sets.append(folder)
        noticeable += names >= _NOTICEABLE
    return sets, noticeable


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder and the folders below it, sorted, except those of images and judgments."""
    yield folder
    if depth and folder.name not in (*_IMAGES, _JUDGE):
        for inner in sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
            yield from _below(inner, depth - 1)


def _displays(folder: Path) -> Iterator[_Display]:
    """Yield the displays of a set of judgments by their stems.

    Raises:
        JudgmentsError: the split is unknown, or a stem lacks a file.
    """
    whole = folder.resolve()
    kind, split = whole.name, whole.parent.name
    if split not in PEOPLE:
        raise JudgmentsError(
            f"{folder}: its folder {split} should be train (2 people judged each display) or val (5 people)"
        )
    files = {name: _by_stem(folder / name) for name in (*_IMAGES, _JUDGE)}
    stems = {stem for held in files.values() for stem in held}
    for name, held in files.items():
        if missing := sorted(stems - set(held)):
            raise JudgmentsError(
                f"{folder / name}: {counted(len(missing), 'files')} missing that the other folders have: "
                f"{listed(missing)}; get the data set again"
            )
    for stem in sorted(stems):
        ref, first, second = (f"2afc/{split}/{kind}/{name}/{files[name][stem]}" for name in _IMAGES)
        yield _Display(split, kind, (ref, first, second), folder / _JUDGE / files[_JUDGE][stem])


def _by_stem(folder: Path) -> Mapping[str, str]:
    """Return the names of the files of a folder by their stems.

    Raises:
        JudgmentsError: two files have the same stem.
    """
    found: dict[str, str] = {}
    for name in sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(".")):
        stem = PurePath(name).stem
        if (other := found.setdefault(stem, name)) != name:
            raise JudgmentsError(f"{folder}: {other} and {name} have the same stem: remove one of them")
    return found


def _share(file: Path) -> float:
    """Read the one number of a ``.npy`` file, of any shape.

    Raises:
        JudgmentsError: the file does not hold one number.
    """
    with file.open("rb") as opened:
        content = opened.read(_MOST_BYTES)
        opened.seek(0)
        try:
            shape, _, dtype = npy_header(opened, len(content))
            start = opened.tell()
        except ValueError as failure:
            raise JudgmentsError(f"{file}: not one share in a .npy file: {first_line(failure)}") from failure
    values = np.frombuffer(content[start:], dtype)
    if values.size != 1:
        raise JudgmentsError(f"{file}: not one share in a .npy file: an array of shape {shape}")
    return float(values[0])
