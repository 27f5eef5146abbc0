"""The meaning of the folders of images: classes, groups, splits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import PurePosixPath

from simtool.errors import SimtoolError, listed
from simtool.text import counted

__all__ = ["AUTO", "FLAT", "Labels", "LayoutError", "check_layout", "label"]

AUTO = "auto"
FLAT = "flat"

_CLASS, _GROUP, _SPLIT, _OTHER = "class", "group", "split", "other"
_WORDS = (_CLASS, _GROUP, _SPLIT, _OTHER)
#: Names of folders of a split, in any case: ``train``, ``Training``, ``test_set``, ``valid``, ``val-images``.
_SPLIT_NAME = re.compile(
    r"(?:(train(?:ing)?)|(test(?:ing)?)|(val(?:id(?:ation)?)?|dev))(?:[ _-]?(?:set|split|data|images))?"
)
_SPLITS = ("train", "test", "validation")


class LayoutError(SimtoolError):
    """A layout is unknown."""


@dataclass(frozen=True)
class Labels:
    """The labels of n images; None for an image without the label.

    Attributes:
        class_path: (n,) the folders that identify its class; the last folder is the class.
        group: (n,) the name of its group.
        split: (n,) ``train``, ``validation`` or ``test``, or the name of another folder.
        note: a summary of the labels in one line.
    """

    class_path: tuple[PurePosixPath | None, ...]
    group: tuple[str | None, ...]
    split: tuple[str | None, ...]
    note: str


_Label = tuple[PurePosixPath | None, str | None, str | None]


def label(folders: Sequence[PurePosixPath], layout: str = AUTO) -> Labels:
    """Label images by their folders.

    Args:
        folders: (n,) the folder of each image, relative to the indexed folder.
        layout: the meaning of the image's folder (last) and of the folders above it, as ``group/class`` or
            ``split/class``, with the words ``class``, ``group``, ``split`` and ``other``. ``flat``: folders have no
            meaning. ``auto``: folders with the names of splits are splits; of the other folders, the last is the
            class and the folder above it the group. A single class or a single group is ignored.

    Raises:
        LayoutError: the layout is unknown.
    """
    check_layout(layout)
    found = _automatic(folders) if layout == AUTO else _by_words(folders, _words(layout))
    classes, groups, splits = zip(*found, strict=True) if found else ((), (), ())
    return Labels(classes, groups, splits, _note(classes, groups, splits))


def check_layout(layout: str) -> None:
    """Raise a LayoutError if the layout is unknown."""
    words = _words(layout)
    named = [word for word in words if word != _OTHER]
    if layout != AUTO and (any(word not in _WORDS for word in words) or len(set(named)) < len(named)):
        raise LayoutError(
            f"no layout is called {layout}; choose {AUTO}, {FLAT}, or a path such as group/class, made of "
            f"{listed(_WORDS, 9)}, with the folder of the image last"
        )


def _words(layout: str) -> list[str]:
    return [] if layout == FLAT else layout.split("/")


def _by_words(folders: Sequence[PurePosixPath], words: Sequence[str]) -> list[_Label]:
    found: list[_Label] = []
    for folder in folders:
        named = list(zip(reversed(folder.parts), chain(reversed(words), repeat("")), strict=False))[::-1]
        own = {word: part for part, word in named}
        to_class = [word for _, word in named].index(_CLASS) + 1 if _CLASS in own else 0
        apart = [part for part, word in named[:to_class] if word not in (_SPLIT, _OTHER)]
        split = own.get(_SPLIT)
        path = PurePosixPath(*apart) if apart else None
        found.append((path, own.get(_GROUP), split and (_split_of(split) or split)))
    return found


def _automatic(folders: Sequence[PurePosixPath]) -> list[_Label]:
    if {folder.name for folder in folders} == {"images"}:  # as in SPECIES/images/x.jpg
        folders = [folder.parent for folder in folders]
    place = _place_of_splits(folders)
    found: list[_Label] = []
    below_splits = place is not None and any(len(folder.parts) > place + 1 for folder in folders)
    for folder in folders:
        parts, split = folder.parts, None
        if place is not None and len(parts) > place and (split := _split_of(parts[place])):
            # Classes are below the splits. Without folders below, the folders above the splits are classes.
            parts = parts[place + 1 :] if below_splits else parts[:place]
        found.append((PurePosixPath(*parts) if parts else None, parts[-2] if len(parts) > 1 else None, split))
    only_class = len({path for path, _, _ in found}) == 1
    only_group = len({group for _, group, _ in found}) == 1
    return [(None if only_class else path, None if only_group else group, split) for path, group, split in found]


def _place_of_splits(folders: Sequence[PurePosixPath]) -> int | None:
    """Return the depth of the folders of splits; None without splits."""
    for place in range(max((len(folder.parts) for folder in folders), default=0)):
        names = {folder.parts[place] for folder in folders if len(folder.parts) > place}
        splits = {split for name in names if (split := _split_of(name))}
        alone = all(map(_split_of, names)) and any(len(folder.parts) > place + 1 for folder in folders)
        if alone or ("train" in splits and len(splits) > 1):
            return place
    return None


def _split_of(name: str) -> str | None:
    match = _SPLIT_NAME.fullmatch(name.lower())
    return None if match is None else next(split for split, own in zip(_SPLITS, match.groups(), strict=True) if own)


def _note(classes: Sequence[PurePosixPath | None], groups: Sequence[str | None], splits: Sequence[str | None]) -> str:
    counts = Counter(split for split in splits if split)
    paths = sorted({path for path in classes if path}, key=str)
    names = [path.name for path in paths]
    kinds = {
        "classes": names if len({*names}) == len(names) else [str(path) for path in paths],
        "groups": sorted({group for group in groups if group}),
        "splits": [f"{split} ({counted(count, 'images')})" for split, count in sorted(counts.items())],
    }
    notes = []
    for kind, found in kinds.items():
        count = counted(len(found), kind, "class" if kind == "classes" else None)
        notes.append(f"{count}: {listed(found)}" if found else count)
    return "; ".join(notes)
