"""Names cut to a width, such that different names stay different."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from rich.cells import cell_len, set_cell_size

__all__ = ["shortened"]

#: The marks between phrases of a name.
_APART = "/,()"


def shortened(names: Iterable[str], width: int, cut: str = "…") -> Mapping[str, str] | None:
    """Cut the names of one table to a width; of long names, parts that tell no names apart are left out.

    All long names lose the same part if they then stay different: their end, their middle or their start. Else each
    long name keeps the phrases in which it differs from another name: ``Glow 2…level-1…seed 0``.

    Args:
        names: the names of a table.
        width: the most cells of a name.
        cut: stands for the parts that are left out.

    Returns:
        The text to show for each name; None if there is not enough width to show different names differently.
    """
    different = list(dict.fromkeys(names))
    for end in (0, width // 2, width - cell_len(cut)):
        shown = {name: _with_end(name, width, end, cut) for name in different}
        if len(set(shown.values())) == len(different):
            return shown
    starting = Counter(name[:end] for name in different for end in range(len(name) + 1))
    shown = {}
    for name in different:
        marks = [_word(name, at) for at in range(len(name)) if starting[name[:at]] > starting[name[: at + 1]]]
        text = name if cell_len(name) <= width else _with_marks(name, marks, width, cut)
        if text is None:
            return None
        shown[name] = text
    return shown if len(set(shown.values())) == len(different) else None


def _with_end(name: str, width: int, end: int, cut: str) -> str:
    """A name of at most ``width`` cells, of which the last ``end`` ones are its end."""
    if cell_len(name) <= width:
        return name
    start = set_cell_size(name, width - end - cell_len(cut))
    return start + cut + set_cell_size(name[::-1], end)[::-1]


def _with_marks(name: str, marks: Sequence[int], width: int, cut: str) -> str | None:
    """A name with the letters at ``marks``, then as much of their phrases as fits, the short ones first, then more.

    Of a phrase that is longer than the width, the end of the word comes first.
    """
    kept = set(marks)
    if cell_len(_drawn(name, kept, cut)) > width:
        return None
    phrases = sorted((_phrase(name, mark) for mark in marks), key=len)
    words = [_rest_of_word(name, mark) for mark in marks if len(_phrase(name, mark)) > width]
    for places in [*words, *phrases, range(len(name))]:
        for at in places:
            if cell_len(_drawn(name, kept | {at}, cut)) > width:
                break
            kept.add(at)
    return _drawn(name, kept, cut)


def _word(name: str, mark: int) -> int:
    """The place of the first letter at or after a place that does not stand between phrases."""
    return next((at for at in range(mark, len(name)) if name[at] not in f"{_APART} "), mark)


def _rest_of_word(name: str, mark: int) -> Sequence[int]:
    """The places from one to the end of its word."""
    return range(mark, next((at for at in range(mark, len(name)) if name[at] in f"{_APART} "), len(name)))


def _phrase(name: str, mark: int) -> Sequence[int]:
    """The places of the phrase around a place: from there to its start, and then to its end."""
    start = max((at + 1 for at in range(mark) if name[at] in _APART), default=0)
    end = next((at for at in range(mark, len(name)) if name[at] in _APART), len(name))
    start += len(name[start:mark]) - len(name[start:mark].lstrip())
    return [*range(mark, start - 1, -1), *range(mark, start + len(name[start:end].rstrip()))]


def _drawn(name: str, kept: set[int], cut: str) -> str:
    """The kept letters of a name, and a sign for each part between them. A part that is as short as the sign stays."""
    places = [-1, *sorted(kept), len(name)]
    parts = [name[one + 1 : two] for one, two in pairwise(places)]
    gaps = [part if cell_len(part) <= cell_len(cut) else cut for part in parts]
    return "".join(gap + name[at : at + 1] for gap, at in zip(gaps, [*places[1:-1], len(name)], strict=True))
