"""The codebook of a CSV of judgments: the names of its columns, and the meaning of the codes of answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simtool.errors import clipped, likeliest, listed

__all__ = ["Codebook", "plain_answer"]


@dataclass(frozen=True)
class Codebook:
    """Names and codes of a CSV of judgments, as its authors know them.

    Attributes:
        columns: the heading of a column, by the name of a column of judgments: ``{"reference_1": "left"}``.
        answers: the column whose image an answer stands for, by the answer: ``{"1": "left", "2": "right"}``; the empty
            text means that nothing was selected.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.columns or self.answers)

    def renamed(self, headings: Sequence[str]) -> list[str]:
        """Return a header in which the columns have the names of columns of judgments.

        Raises:
            ValueError: a column is not in the header, or a column of judgments would be there twice.
        """
        if repeated := [heading for heading, count in Counter(self.columns.values()).items() if count > 1]:
            raise ValueError(f"--column names a column twice: {listed(repeated)}")
        names = list(headings)
        for name, heading in self.columns.items():
            names[place_of(heading, headings, f"--column {name}={heading}")] = name
        for name, heading in self.columns.items():
            if names.count(name) > 1:
                raise ValueError(f"--column {name}={heading}: the header has another column {name}")
        return names

    def places(self, headings: Sequence[str], shown: Mapping[str, int]) -> dict[str, int | None]:
        """Return the position of the column of images that each answer stands for; None for no selection.

        Args:
            headings: the header.
            shown: the columns of images that can be selected, by their names as columns of judgments.

        Raises:
            ValueError: a column is not in the header, or holds no image that can be selected; or two columns are given
                for one answer, in another spelling.
        """
        found: dict[str, int | None] = {}
        for answer, column in self.answers.items():
            place = shown.get(column)
            if column and place is None:
                place = place_of(column, headings, f"--answer {answer}={column}")
                if place not in shown.values():
                    columns = listed(headings[place] for place in dict.fromkeys(shown.values()))
                    raise ValueError(f"--answer {answer}={column}: the images to select are in the columns {columns}")
            plain = plain_answer(answer)
            if found.setdefault(plain, place) != place:
                one = next(other for other in self.answers if plain_answer(other) == plain)
                raise ValueError(
                    f"--answer {one}={self.answers[one]} and --answer {answer}={column} contradict each other: case "
                    "and a .0 make no difference"
                )
        return found


def place_of(heading: str, headings: Sequence[str], option: str) -> int:
    """Return the position of a heading."""
    if heading not in headings:
        columns = f"its columns are {listed(filter(None, headings), 12)}{likeliest(heading, headings)}"
        raise ValueError(f"{option}: no column is called {clipped(heading) or 'so'}; {columns}")
    if headings.count(heading) > 1:
        raise ValueError(f"{option}: the header has {clipped(heading) or 'columns without a name'} twice; rename one")
    return headings.index(heading)


def plain_answer(text: str) -> str:
    """Return an answer without its case, and without the ``.0`` that pandas adds to numbers next to empty cells."""
    return re.sub(r"(?<=\d)\.0$", "", text.casefold())
