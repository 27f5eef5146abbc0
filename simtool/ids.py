"""Matching of image names to ids with different spelling.

A name matches the id that equals it. Other names match by folded spelling: the folds are tried from the smallest to
the largest change, and the first fold with a result decides. A name that fits several ids matches no id. Two names
that fit the same id match no id.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from simtool.errors import SimtoolError, listed

__all__ = ["Matches", "match_ids", "without_extension"]

_FOLDS = ("separators", "Unicode composition", "case", "extension", "folders")
_SEPARATORS, _COMPOSITION, _CASE, _EXTENSION, _FOLDERS = _FOLDS
_IMAGE_SUFFIX = re.compile(r"(?<=[^/])\.(jpe?g|png|gif|bmp|webp|tiff?|ppm|pgm|pbm|pnm|heic|avif)$", re.IGNORECASE)
_ONE_SPELLING = {".jpeg": ".jpg", ".tiff": ".tif"}


def _plain_separators(name: str) -> str:
    """Normalize separators: ``.\\birds\\a.jpg`` and ``./birds//a.jpg`` become ``birds/a.jpg``."""
    name = name.replace("\\", "/")
    if "//" in name or name.startswith("./"):
        name = re.sub(r"^(\./)+", "", re.sub(r"/{2,}", "/", name))
    return name


def _plain_extension(name: str) -> str:
    """Normalize the extension: ``a.JPEG`` becomes ``a.jpg``."""
    return _IMAGE_SUFFIX.sub(lambda match: _ONE_SPELLING.get(match[0].lower(), match[0].lower()), name)


_Fold = tuple[str, Callable[[str], str]]
_Cut = Callable[[str], str]
_Finder = Callable[[str], Sequence[str]]
_SAFE: tuple[_Fold, ...] = ((_SEPARATORS, _plain_separators), (_COMPOSITION, partial(unicodedata.normalize, "NFC")))
without_extension = partial(_IMAGE_SUFFIX.sub, "")
#: The folds of a spelling, from the smallest to the largest change; each fold is a list of steps.
_SPELLINGS: tuple[tuple[_Fold, ...], ...] = (
    (),
    _SAFE[:1],
    _SAFE,
    (*_SAFE, (_EXTENSION, _plain_extension)),
    (*_SAFE, (_CASE, str.casefold)),
    (*_SAFE, (_EXTENSION, _plain_extension), (_CASE, str.casefold)),
    (*_SAFE, (_EXTENSION, without_extension)),
    (*_SAFE, (_EXTENSION, without_extension), (_CASE, str.casefold)),
)


@dataclass(frozen=True)
class Matches:
    """The ids of names.

    Attributes:
        rows: the position of the id of each name; -1 without an id.
        names: the names.
        ids: the ids.
        folds: the folds that were needed; empty if all matches are equal.
        folded: the number of names that match by folded spelling.
        unclear: names that fit several ids, with these ids.
        shared: ids that fit several names, with these names.
    """

    rows: list[int]
    names: Sequence[str]
    ids: Sequence[str]
    folds: tuple[str, ...] = ()
    folded: int = 0
    unclear: dict[str, tuple[str, ...]] = field(default_factory=dict)
    shared: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def note(self) -> str | None:
        """A note about folds: ``matched 12 of 12 images by spelling (case, separators)``; None without folds."""
        if not self.folded:
            return None
        return f"matched {self.folded:,} of {len(self.names):,} images by spelling ({', '.join(self.folds)})"

    @property
    def complaint(self) -> str | None:
        """A message about names without an id; None if all names have an id."""
        known = {*self.unclear, *(name for several in self.shared.values() for name in several)}
        total = f"{len(self.names):,} images"
        missing = (name for name, row in zip(self.names, self.rows, strict=True) if row < 0)
        if absent := [name for name in missing if name not in known]:
            share = f"{len(absent):,} of {len(self.names):,}"
            return f"lacks images that are needed ({share}): {listed(absent)}; its ids are {listed(self.ids)}"
        if self.unclear:
            name, several = next(iter(self.unclear.items()))
            return (
                f"{len(self.unclear):,} of {total} fit several of its ids: {name} fits {listed(several)}; use full ids"
            )
        if self.shared:
            one, several = next(iter(self.shared.items()))
            pair = " and ".join(several[:2])
            return f"{len(self.shared):,} of its ids have two names: {pair} both fit {one}; use one name for an image"
        return None

    def checked(self, table: object, error: type[SimtoolError]) -> Self:
        """Return the matches if all names have an id.

        Args:
            table: the table of the ids, for the message.
            error: the type of error to raise.

        Raises:
            SimtoolError: of this type, with the :attr:`complaint` about the table.
        """
        if self.complaint:
            raise error(f"{table}: {self.complaint}")
        return self


def match_ids(names: Iterable[str], ids: Iterable[str]) -> Matches:
    """Find the id of each name: the equal id, else the id with equal folded spelling.

    Args:
        names: the names in any order; they can repeat.
        ids: the distinct ids.
    """
    names, ids = list(names), list(ids)
    row_of = {name: row for row, name in enumerate(ids)}
    rows = [row_of.get(name, -1) for name in names]
    left = list(dict.fromkeys(name for name, row in zip(names, rows, strict=True) if row < 0))
    if not left or not ids:
        return Matches(rows, names, ids)
    # A name and its id have equal file names under the largest fold.
    wanted = {_base_name(_key(name, _SPELLINGS[-1])) for name in left}
    near = [one for one in ids if _base_name(_key(one, _SPELLINGS[-1])) in wanted]
    found, unclear = _by_spelling(left, near, (_root(names), _root(ids)))
    names_of: dict[str, tuple[str, ...]] = {ids[row]: (ids[row],) for row in rows if row >= 0}
    for name, one in found.items():
        names_of[one] = (*names_of.get(one, ()), name)
    shared = {one: several for one, several in names_of.items() if len(several) > 1}
    found = {name: one for name, one in found.items() if one not in shared}
    folds = {fold for name, one in found.items() for fold in _needed(name, one)}
    return Matches(
        rows=[row_of[found[name]] if name in found else row for name, row in zip(names, rows, strict=True)],
        names=names,
        ids=ids,
        folds=tuple(fold for fold in _FOLDS if fold in folds),
        folded=sum(name in found for name in names),
        unclear=unclear,
        shared=shared,
    )


def _by_spelling(
    left: list[str], ids: list[str], roots: tuple[int, int]
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Match the names that are left; return the id of each match, and the ids of names that fit several."""
    found: dict[str, str] = {}
    unclear: dict[str, tuple[str, ...]] = {}
    for candidates in _ways(ids, roots):
        for name in left:
            if several := candidates(name):
                if len(several) == 1:
                    found[name] = several[0]
                else:
                    unclear[name] = tuple(several)
        left = [name for name in left if name not in found and name not in unclear]
        if not left:
            break
    return found, unclear


def _ways(ids: list[str], roots: tuple[int, int]) -> Iterator[_Finder]:
    """Yield the searches for the ids of a name, the smallest fold first; paths are cut after all spellings failed."""
    below, above = roots
    for steps in _SPELLINGS:
        yield _cut(ids, steps, str, str)
    for steps in _SPELLINGS:
        yield _below(ids, steps)
    for steps in _SPELLINGS:
        yield _cut(ids, steps, lambda name: _key(name, _SAFE)[below:], lambda one: _key(one, _SAFE)[above:])
    for steps in _SPELLINGS:
        yield _cut(ids, steps, _file_name, _file_name)


def _key(name: str, steps: Sequence[_Fold]) -> str:
    for _, fold in steps:
        name = fold(name)
    return name


def _index(keys: Iterable[str], ids: list[str]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = {}
    for key, one in zip(keys, ids, strict=True):
        index.setdefault(key, []).append(one)
    return index


def _below(ids: list[str], steps: Sequence[_Fold]) -> _Finder:
    """Find ids by the end of the path: the name ends in the id, or the id ends in the name."""
    index = _index((_key(one, steps) for one in ids), ids)
    ends: dict[str, list[str]] = {}
    for key, several in index.items():
        for end in _ends(key):
            ends.setdefault(end, []).extend(several)

    def candidates(name: str) -> Sequence[str]:
        key = _key(name, steps)
        return next((index[end] for end in _ends(key) if end in index), ()) or ends.get(key, ())

    return candidates


def _ends(path: str) -> Iterator[str]:
    """Yield the path without its first folder, without its first two folders, and so on."""
    at = path.find("/")
    while at >= 0:
        yield path[at + 1 :]
        at = path.find("/", at + 1)


def _cut(ids: list[str], steps: Sequence[_Fold], cut_name: _Cut, cut_id: _Cut) -> _Finder:
    """Find ids after some folders were cut from both the name and the id."""
    index = _index((_key(cut_id(one), steps) for one in ids), ids)
    return lambda name: index.get(_key(cut_name(name), steps), ())


def _root(paths: list[str]) -> int:
    """Return the length of the folders that all paths share."""
    plain = [_key(path, _SAFE) for path in paths]
    # The common beginning of the first and last path in sorted order is common to all.
    first, last = min(plain), max(plain)
    differ = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), None)
    return first[:differ].rfind("/") + 1


def _file_name(path: str) -> str:
    return _base_name(_plain_separators(path))


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]


def _needed(name: str, one: str) -> Iterator[str]:
    """Yield the folds that make a name equal to its id."""

    def alike(steps: Sequence[_Fold]) -> bool:
        return cut(_key(name, steps)) == cut(_key(one, steps))

    cut: Callable[[str], str] = str
    if not any(alike(steps) for steps in _SPELLINGS):
        cut = _base_name
        yield _FOLDERS
    steps = next(steps for steps in _SPELLINGS if alike(steps))
    yield from (fold[0] for fold in steps if not alike([other for other in steps if other is not fold]))
