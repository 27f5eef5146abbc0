"""Answers that are not ids of images: the name of a column, a code of a codebook, or a word for no answer."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simtool.errors import clipped, listed
from simtool.judgments.assembly import Places
from simtool.judgments.codebook import plain_answer
from simtool.judgments.values import NO_ANSWER

__all__ = ["Answers"]

#: The most different answers that a message explains as codes.
_FEW = 9


@dataclass(frozen=True)
class Answers:
    """The answers of T trials.

    Attributes:
        images: (n,) the distinct texts of images and answers.
        shown: (T, N) positions in ``images`` of the images that can be selected, by column; -1 for an empty cell.
        chosen: (T, K) positions in ``images`` of the answers; -1 for an empty cell.
        places: the position in the file of each column of ``shown``.
        columns: the positions in the file of the columns of ``shown``, by all their names.
        are_odd: whether the answer is the odd one out.
    """

    images: NDArray[np.object_]
    shown: NDArray[np.int32]
    chosen: NDArray[np.int32]
    places: Sequence[int]
    columns: Mapping[str, int]
    are_odd: bool

    def selected(self, codes: Mapping[str, int | None], rows: Places) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """Return the positions in ``images`` of the selected images, -1 without one, and remarks on the answers.

        An answer of the codebook counts first, then the id of an image of the row, then the name of a column, then a
        word for no answer.

        Args:
            codes: the position in the file of the column that an answer stands for, by
                :func:`~simtool.judgments.codebook.plain_answer`; None for no selection.
            rows: names of the rows.

        Raises:
            JudgmentsError: an answer stands for a column whose cell is empty.
        """
        columns = {plain_answer(name): place for name, place in self.columns.items()}
        selected = self.chosen.copy("K")
        names: list[str] = []
        both: list[str] = []
        given = np.unique(self.chosen[self.chosen >= 0]).tolist()
        for text in given:
            plain = plain_answer(self.images[text])
            place = codes[plain] if plain in codes else columns.get(plain)
            if not (plain in codes or place is not None or plain in NO_ANSWER):
                continue
            here = self.chosen == text
            of_image = here & (self.shown == text).any(axis=1)[:, None]
            if plain in codes:
                both += [self.images[text]] if of_image.any() else []
            else:
                here &= ~of_image
            if not here.any():
                continue
            meant = np.full(len(here), -1, np.int32)
            if place is not None:
                meant = self.shown[:, self.places.index(place)]
                rows.refuse(
                    here.any(axis=1) & (meant < 0), f"answers {clipped(self.images[text])}, but this cell is empty"
                )
                names += [] if plain in codes else [self.images[text]]
            selected = np.where(here, meant[:, None], selected)
        unused = sorted(codes.keys() - {plain_answer(self.images[text]) for text in given})
        notes = {
            "answers that name a column select its image": names,
            "answers of --answer that are also ids of images of their rows; they were taken as --answer says": both,
            "no row has these answers of --answer": unused,
        }
        return selected, tuple(f"{note}: {listed(found, 9)}" for note, found in notes.items() if found)

    def complaint(self, answer: int, shown: NDArray[np.int32], unknown: NDArray[np.int32]) -> str:
        """Return what is wrong with an answer, and what to do.

        Args:
            answer: its position in ``images``.
            shown: the positions of the images of its row; -1 pads the end.
            unknown: the positions of all answers at fault.
        """
        name, listing = self.images[answer], listed(self.images[shown[shown >= 0]])
        if self.are_odd:
            fault = f"has the odd one {clipped(name)}, which is not among its images {listing}; write the id of the "
            fault += "odd image, not its position"
        else:
            fault = f"selects {clipped(name)}, which is not among its references {listing}; write the id of a reference"
        if name.endswith(".0") and name.removesuffix(".0") in self.images[shown[shown >= 0]]:
            return f"{fault}; pandas adds the .0 where cells are empty: save the column as Int64"
        codes = sorted({self.images[text].removesuffix(".0") for text in np.unique(unknown).tolist()})
        if len(codes) > _FEW:
            return fault
        options = " ".join(f"--answer {shlex.quote(f'{clipped(code, 20)}=COLUMN')}" for code in codes)
        columns = listed(
            (next(name for name in self.columns if self.columns[name] == place) for place in self.places), 9
        )
        meaning = f"where COLUMN is one of {columns}, or empty for no answer"
        return f"{fault}; or say which column an answer stands for: {options}, {meaning}"
