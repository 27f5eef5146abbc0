"""The header of a CSV of judgments: known columns, and suggestions for other names."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from simtool.errors import likeliest, listed
from simtool.judgments.codebook import Codebook

__all__ = ["Headings", "nearest", "recognize"]

_OPTIONAL = ("participant", "session", "weight", "response_ms", "response_s", "ranked", "count")
#: Pairs of columns that say the same in two ways.
_EITHER = (("selected_1", "votes_1"), ("odd_one", "votes_1"), ("count", "votes_1"), ("response_ms", "response_s"))


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
    "query,reference_1,...,reference_N,selected_1,...,selected_K", ("query",), ("reference", "selected", "votes"), 2
)
_ODD_ONE_OUT = _Layout("image_1,...,image_N,odd_one", ("odd_one",), ("image", "votes"), 3)
#: Names of other programs for the participant and the response time.
_PARTICIPANT = (
    *("subject", "subj", "subject_id", "subject_nr", "subject_number", "participant_private_id", "prolific_pid"),
    *("worker_id", "observer", "rater", "user", "user_id"),
)
_SYNONYMS = {
    **dict.fromkeys(_PARTICIPANT, "participant"),
    **dict.fromkeys(("rt", "response_time", "reaction_time"), "response_ms"),
}
#: Names for the answer, and for images beside each other.
_ANSWER = frozenset(("response", "resp", "choice", "chosen", "answer", "selected", "selection", "judgment", "picked"))
_SIDE = re.compile(r"((image|img|stimulus|stim|item|option)_?)?(left|right)(_?(image|img|stimulus|stim|item|option))?")
#: Names for the odd image and the three images in tables of odd-one-out judgments.
_ODD = re.compile(r"odd(_\w+)?|oddity\w*|ooo")
_ONE_OF_THREE = re.compile(r"(image|img|im|stimulus|stim|item|object)_?([123]|[abc])(_?(path|name|id|file))?")


@dataclass(frozen=True)
class Headings:
    """The positions of the columns of a header.

    Attributes:
        query: the query; None for odd-one-out judgments.
        references: the references, or the images of odd-one-out judgments, in the order of their numbers.
        selected: the selections in the order of their numbers, or the odd one; none with votes.
        votes: the numbers of people who selected each reference, or each image of odd-one-out judgments.
        optional: the optional columns, by name.
        others: the other columns, by name.
        unnamed: the columns without a name.
    """

    query: int | None
    references: tuple[int, ...]
    selected: tuple[int, ...]
    votes: tuple[int, ...]
    optional: dict[str, int]
    others: dict[str, int]
    unnamed: tuple[int, ...]


def recognize(names: Sequence[str], codebook: Codebook | None = None) -> Headings:
    """Find the columns of judgments in a header, in any case and order, or as a codebook names them.

    Raises:
        ValueError: the header is not a header of judgments, is ambiguous, or is not the one of the codebook.
    """
    if codebook is not None:
        _refuse_unknown(codebook.columns)
        names = codebook.renamed(names)
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
    of = {stem: tuple(places[number] for number in sorted(places)) for stem, places in numbered.items()}
    references, votes = of[layout.numbered[0]], of["votes"]
    single = tuple(known.index(name) for name in layout.single if name in known)
    selected = single if layout is _ODD_ONE_OUT else of["selected"]
    query = None if layout is _ODD_ONE_OUT else next(iter(single), -1)
    if gaps or query == -1 or len(references) < layout.fewest or not (selected or votes):
        raise ValueError(_refusal(names))
    _refuse_repeated([name for name in names if name])
    _refuse_both(known, len(references), len(votes))
    return Headings(
        query=query,
        references=references,
        selected=selected,
        votes=votes,
        optional={name: known.index(name) for name in _OPTIONAL if name in known},
        others={name: place for place, name in enumerate(names) if name and not layout.has(known[place])},
        unnamed=tuple(place for place, name in enumerate(names) if not name),
    )


def _refuse_unknown(columns: Mapping[str, str]) -> None:
    for name, heading in columns.items():
        if not (_CHOICES.has(name) or _ODD_ONE_OUT.has(name)):
            known = (*_CHOICES.single, "reference_1", "selected_1", "votes_1", "image_1", "odd_one", *_OPTIONAL)
            raise ValueError(
                f"--column {name}={heading}: the name before the = is not one of {listed(known, 12)}"
                f"{likeliest(name, known)}"
            )


def _refuse_repeated(names: Sequence[str]) -> None:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the header has {listed(repeated)} twice")


def _refuse_both(known: Sequence[str], references: int, votes: int) -> None:
    for one, other in _EITHER:
        if one in known and other in known:
            raise ValueError(f"the header has {one} and {other}: keep one of them")
    if votes not in (0, references):
        raise ValueError(f"the header has votes for {votes} of its {references} images that can be selected")


def _layout(known: Sequence[str]) -> _Layout:
    """Return the kind of judgments: odd-one-out if no column belongs to choices, and one is the odd one or of votes."""
    of_choices = any(name == "query" or re.fullmatch(r"(reference|selected)_\d+", name) for name in known)
    return _ODD_ONE_OUT if not of_choices and {"odd_one", "votes_1"} & {*known} else _CHOICES


def _plain(name: str) -> str:
    """Normalize a name: ``Reference 1``, ``reference.01`` and ``REFERENCE_1`` become ``reference_1``."""
    plain = re.sub(r"[\s.-]+", "_", name.strip().casefold())
    return re.sub(r"^(reference|selected|image|votes)_0+(?=[1-9])", r"\1_", plain)


def _numbered(known: Sequence[str], layout: _Layout, stem: str) -> dict[int, int]:
    """Return the positions of ``stem_1``, ``stem_2``, ... by their numbers."""
    matches = ((layout.number.fullmatch(name), place) for place, name in enumerate(known))
    return {int(match[2]): place for match, place in matches if match and match[1] == stem}


def _meant(names: Sequence[str]) -> dict[str, str]:
    """Return unknown names that resemble a known name, with it: ``{"refrence_1": "reference_1"}``."""
    others = [name for name in names if name and not _CHOICES.has(_plain(name))]
    return {name: near for name in others if (near := _required(name) or nearest(name))}


def _required(name: str) -> str | None:
    """Return the column of judgments that another name for an answer or for a side means; None without a guess."""
    plain = _plain(name)
    if plain in _ANSWER:
        return "selected_1"
    side = _SIDE.fullmatch(plain)
    return side and f"reference_{1 if side[3] == 'left' else 2}"


def nearest(name: str) -> str | None:
    """Return the column that a name probably means: ``participant`` for ``particpant``; None without a guess."""
    plain = _plain(name)
    if plain in _SYNONYMS:
        return _SYNONYMS[plain]
    if plain in _ANSWER:
        return None
    stem, number = re.fullmatch(r"(.*?)_?(\d*)", plain, re.DOTALL).groups()  # type: ignore[union-attr]
    if found := difflib.get_close_matches(stem, ("reference", "selected"), 1, 0.84):
        return f"{found[0]}_{number or 1}"
    single = (*_CHOICES.single, *_OPTIONAL)
    swapped = next((known for known in single if sorted(known) == sorted(plain)), None)
    return swapped or next(iter(difflib.get_close_matches(plain, single, 1, 0.84)), None)


def _are_odd(names: Sequence[str]) -> bool:
    """Return whether a header is of odd-one-out judgments: it names an odd image, or three images and no query."""
    plain = [_plain(name) for name in names]
    return any(_ODD.fullmatch(name) for name in plain) or (len(_three(names)) == 3 and "query" not in plain)


def _three(names: Sequence[str]) -> dict[str, str]:
    """Return the first heading of each of three images: ``{"image_1": "img_a", ...}``."""
    matches = ((_ONE_OF_THREE.fullmatch(_plain(name)), name) for name in reversed(names))
    return {f"image_{'123abc'.index(match[2]) % 3 + 1}": name for match, name in matches if match}


def _odd_meant(names: Sequence[str]) -> dict[str, str]:
    """Return the headings that mean a column of odd-one-out judgments, by this column; empty without three images."""
    three = _three(names)
    if len(three) < 3:
        return {}
    odd = sorted((name for name in names if _ODD.fullmatch(_plain(name))), key=len)
    answers = [name for name in names if _plain(name) in _ANSWER]
    people = [name for name in names if _SYNONYMS.get(_plain(name)) == "participant"][:1]
    columns = (*sorted(three), "odd_one", *("participant" for _ in people))
    headings = (*(three[image] for image in sorted(three)), next(iter((*odd, *answers)), "NAME"), *people)
    known = {_plain(name) for name in names}
    return {column: name for column, name in zip(columns, headings, strict=True) if column not in known}


def _lacks_answers(names: Sequence[str]) -> bool:
    """Return whether a header has a query and references, and no column that resembles answers."""
    plain = [_plain(name) for name in names]
    meant = {near.partition("_")[0] for near in _meant(names).values()}
    return {"query", "reference_1", "reference_2"} <= {*plain} and not {"query", "reference", "selected"} & meant


def _options(columns: Iterable[tuple[str, str]]) -> str:
    """Return the options that name columns of judgments, as a shell takes them."""
    return " ".join(f"--column {shlex.quote(f'{name}={heading}')}" for name, heading in columns)


def _refusal(names: Sequence[str]) -> str:
    """Explain why a header is not a header of judgments, and what to do."""
    if len(names) == 1:
        names = names[0].split()
    shown = listed(names, 6) or "empty"
    if _are_odd(names):
        position = {"image1", "image2", "image3", "choice"} <= set(names) and "image4" not in names
        hint = "; if choice is the position of the odd one, add --format things-raw" if position else ""
        meant = _odd_meant(names)
        remedy = f"add {_options(meant.items())}" if meant else "--column NAME=HEADING names columns, as in odd_one=odd"
        return (
            f"odd-one-out judgments need the header {_ODD_ONE_OUT.legend}, above rows of image ids; odd_one is the id "
            f"of the odd image, not its position (--answer explains positions); the header is {shown}{hint}; {remedy}"
        )
    if _lacks_answers(names):
        return (
            f"the header has no answers; it is {shown}: add --column selected_1=NAME for the column of the selected "
            "image, or --column votes_1=NAME, votes_2=NAME and so on for numbers of votes"
        )
    if meant := _meant(names):
        words = listed((f"{name} (did you mean {near}?)" for name, near in meant.items()), 6)
        first: dict[str, str] = {}
        for name, near in meant.items():
            first.setdefault(near, name)
        needed = [(near, name) for near, name in first.items() if near == "participant" or near not in _OPTIONAL]
        remedy = f"; rename them, or add {_options(needed)}" if {*first} - {*_OPTIONAL} else ""
        return f"the header should be {_CHOICES.legend}; it is {shown}: {words}{remedy}"
    return (
        f"the header should be {_CHOICES.legend} or {_ODD_ONE_OUT.header}, above rows of image ids; it is {shown}; "
        "if columns have other names, add --column, for example --column query=NAME; "
        "simtool import-embeddings takes vectors, simtool import-distances takes distances of pairs"
    )
