"""The header of a CSV of judgments: known columns, and suggestions for other names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from simtool.errors import listed

__all__ = ["Headings", "nearest", "recognize"]

_OPTIONAL = ("participant", "session", "weight", "response_ms", "ranked", "count")


@dataclass(frozen=True)
class _Layout:
    """The columns of a kind of judgments.

    Attributes:
        header: the header in messages.
        single: the columns without a number, apart from the optional ones.
        numbered: the stems of the numbered columns.
        fewest: the minimum number of columns of the first stem.
    """

    header: str
    single: tuple[str, ...]
    numbered: tuple[str, ...]
    fewest: int

    @property
    def number(self) -> re.Pattern[str]:
        """The names of numbered columns."""
        return re.compile(rf"({'|'.join(self.numbered)})_([1-9][0-9]{{0,5}})")

    @property
    def from_zero(self) -> re.Pattern[str]:
        """The names of columns that count from 0."""
        return re.compile(rf"({'|'.join(self.numbered)})_?0+")

    @property
    def legend(self) -> str:
        """The header, with the minimum number of images."""
        return f"{self.header} (N at least {self.fewest})"

    def has(self, name: str) -> bool:
        """Return whether a normalized name is the name of a column."""
        return name in self.single or name in _OPTIONAL or self.number.fullmatch(name) is not None


_CHOICES = _Layout(
    "query,reference_1,...,reference_N,selected_1,...,selected_K", ("query",), ("reference", "selected"), 2
)
_ODD_ONE_OUT = _Layout("image_1,...,image_N,odd_one", ("odd_one",), ("image",), 3)
#: Names of other programs for the participant and the response time.
_PARTICIPANT = ("subject", "subj", "subject_id", "worker_id", "observer", "rater", "user", "user_id", "prolific_pid")
_SYNONYMS = {
    **dict.fromkeys(_PARTICIPANT, "participant"),
    **dict.fromkeys(("rt", "response_time", "reaction_time"), "response_ms"),
}
#: Names for the odd image and the three images in tables of odd-one-out judgments.
_ODD = re.compile(r"odd(_\w+)?|oddity\w*|ooo")
_ONE_OF_THREE = re.compile(r"(image|img|im|stimulus|stim|item|object)_?([123])(_?(path|name|id|file))?")


@dataclass(frozen=True)
class Headings:
    """The positions of the columns of a header.

    Attributes:
        query: the query; None for odd-one-out judgments.
        references: the references, or the images of odd-one-out judgments, in the order of their numbers.
        selected: the selections in the order of their numbers, or the odd one.
        optional: the optional columns, by name.
        others: the other columns, by name.
        unnamed: the columns without a name.
    """

    query: int | None
    references: tuple[int, ...]
    selected: tuple[int, ...]
    optional: dict[str, int]
    others: dict[str, int]
    unnamed: tuple[int, ...]


def recognize(names: Sequence[str]) -> Headings:
    """Find the columns of judgments in a header, in any case and order.

    Raises:
        ValueError: the header is not a header of judgments, or is ambiguous.
    """
    known = [_plain(name) for name in names]
    layout = _layout(known)
    _refuse_repeated([name for name in known if layout.has(name)])
    if zeros := [name for name, plain in zip(names, known, strict=True) if layout.from_zero.fullmatch(plain)]:
        raise ValueError(f"the header counts its columns from 0 ({listed(zeros)}); count them from 1")
    numbered = {stem: _numbered(known, layout, stem) for stem in layout.numbered}
    gaps = [stem for stem, places in numbered.items() if sorted(places) != list(range(1, len(places) + 1))]
    if gaps and not _meant(names):
        found = listed(sorted(numbered[gaps[0]]), 9)
        raise ValueError(f"the {gaps[0]} columns of the header have the numbers {found}: some are missing")
    references, *selections = (tuple(places[number] for number in sorted(places)) for places in numbered.values())
    single = [known.index(name) for name in layout.single if name in known]
    if gaps or not single or len(references) < layout.fewest or not all(selections):
        raise ValueError(_refusal(names))
    _refuse_repeated([name for name in names if name])
    return Headings(
        query=None if layout is _ODD_ONE_OUT else single[0],
        references=references,
        selected=tuple(single) if layout is _ODD_ONE_OUT else selections[0],
        optional={name: known.index(name) for name in _OPTIONAL if name in known},
        others={name: place for place, name in enumerate(names) if name and not layout.has(known[place])},
        unnamed=tuple(place for place, name in enumerate(names) if not name),
    )


def _refuse_repeated(names: Sequence[str]) -> None:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the header has {listed(repeated)} twice")


def _layout(known: Sequence[str]) -> _Layout:
    """Return the kind of judgments: odd-one-out if a column is the odd one and no column belongs to choices."""
    of_choices = any(name in _CHOICES.single or _CHOICES.number.fullmatch(name) for name in known)
    return _ODD_ONE_OUT if "odd_one" in known and not of_choices else _CHOICES


def _plain(name: str) -> str:
    """Normalize a name: ``Reference 1``, ``reference.01`` and ``REFERENCE_1`` become ``reference_1``."""
    plain = re.sub(r"[\s.-]+", "_", name.strip().casefold())
    return re.sub(r"^(reference|selected|image)_0+(?=[1-9])", r"\1_", plain)


def _numbered(known: Sequence[str], layout: _Layout, stem: str) -> dict[int, int]:
    """Return the positions of ``stem_1``, ``stem_2``, ... by their numbers."""
    matches = ((layout.number.fullmatch(name), place) for place, name in enumerate(known))
    return {int(match[2]): place for match, place in matches if match and match[1] == stem}


def _meant(names: Sequence[str]) -> list[str]:
    """Return unknown names that resemble a known name: ``refrence_1 (did you mean reference_1?)``."""
    others = [name for name in names if name and not _CHOICES.has(_plain(name))]
    return [f"{name} (did you mean {near}?)" for name in others if (near := nearest(name))]


def nearest(name: str) -> str | None:
    """Return the column that a name probably means: ``participant`` for ``particpant``; None without a guess."""
    plain = _plain(name)
    if plain in _SYNONYMS:
        return _SYNONYMS[plain]
    stem, number = re.fullmatch(r"(.*?)_?(\d*)", plain, re.DOTALL).groups()  # type: ignore[union-attr]
    if found := difflib.get_close_matches(stem, _CHOICES.numbered, 1, 0.84):
        return f"{found[0]}_{number or 1}"
    single = (*_CHOICES.single, *_OPTIONAL)
    swapped = next((known for known in single if sorted(known) == sorted(plain)), None)
    return swapped or next(iter(difflib.get_close_matches(plain, single, 1, 0.84)), None)


def _are_odd(names: Sequence[str]) -> bool:
    """Return whether a header is of odd-one-out judgments: it names an odd image, or three images and no query."""
    plain = [_plain(name) for name in names]
    three = {match[2] for name in plain if (match := _ONE_OF_THREE.fullmatch(name))}
    return any(_ODD.fullmatch(name) for name in plain) or (len(three) == 3 and "query" not in plain)


def _refusal(names: Sequence[str]) -> str:
    """Explain why a header is not a header of judgments, and what to do."""
    if len(names) == 1:
        names = names[0].split()
    shown = listed(names, 6) or "empty"
    if _are_odd(names):
        position = {"image1", "image2", "image3", "choice"} <= set(names) and "image4" not in names
        hint = "; if choice is the position of the odd one, add --format things-raw" if position else ""
        return (
            f"odd-one-out judgments need the header {_ODD_ONE_OUT.legend}, above rows of image ids; odd_one is the id "
            f"of the odd image, not its position; the header is {shown}{hint}"
        )
    if meant := _meant(names):
        return f"the header should be {_CHOICES.legend}; it is {shown}: {listed(meant)}"
    return (
        f"the header should be {_CHOICES.legend} or {_ODD_ONE_OUT.header}, above rows of image ids; it is {shown}; "
        "simtool import-embeddings takes vectors, simtool import-distances takes distances of pairs"
    )
