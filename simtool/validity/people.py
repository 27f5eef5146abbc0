"""Simulated people in the places of those who took part in a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.observations import ranks
from simtool.tables.labels import Labels
from simtool.tables.trials import Trials
from simtool.validity.displays import Displays, Distances

__all__ = ["Crowd", "Habits"]

Floats: TypeAlias = NDArray[np.float64]

#: The standard deviation of log-sensitivity between people, and between the sessions of a person.
PERSON, SESSION = 0.2, 0.1
#: The standard deviation of what an image adds to the logarithms of a person's distances.
TASTE = 0.15
#: The share of random answers of a person has this beta distribution; its mean is .036.
LAPSES = (1.5, 40.0)


@dataclass(frozen=True)
class Habits:
    """How the people of one simulated study choose.

    A person chooses by Luce's rule from similarities exp(-sensitivity x distance), and sometimes at random.

    Attributes:
        sensitivity: (T,) of the person and session of each trial, relative to the average.
        lapse: (T,) the probability of a random answer.
        taste: (t, M) factors of the distances, for each type of trials.
    """

    sensitivity: Floats
    lapse: Floats
    taste: Sequence[Floats]


class Crowd:
    """The people and sessions of a table of trials, with other habits in each simulated study.

    A trial that names no participant belongs to the person of its session. Without a session it belongs to a person
    who judged nothing else.

    Args:
        displays: of the trials.

    Attributes:
        people: number of people.
    """

    def __init__(self, displays: Displays) -> None:
        trials = displays.trials
        self._displays = displays
        self._person, self.people = _people(trials)
        session = np.where(trials.session.code < 0, -1, _ranked(trials.session))
        self._session, self._sessions = _coded(self._person * (int(session.max()) + 2) + session + 1)
        images = len(trials.images)
        ends = [
            (self._person[part.rows, np.newaxis].astype(np.int64) * images + side).ravel()
            for part in displays.parts
            for side in (part.first, part.second)
        ]
        seen, self._tastes = _coded(np.concatenate(ends))
        self._ends = np.split(seen, np.cumsum([end.size for end in ends])[:-1])

    def draw(self, generator: np.random.Generator) -> Habits:
        """Draw the habits of everybody."""
        person = PERSON * generator.standard_normal(self.people)
        session = SESSION * generator.standard_normal(self._sessions)
        lapse = generator.beta(*LAPSES, self.people)
        taste = TASTE * generator.standard_normal(self._tastes)
        factors = [
            np.exp(taste[first] + taste[second]).reshape(part.first.shape)
            for part, first, second in zip(self._displays.parts, self._ends[::2], self._ends[1::2], strict=True)
        ]
        sensitivity = np.exp(person[self._person] + session[self._session])
        return Habits(sensitivity, lapse[self._person], factors)

    def choose(
        self, distances: Distances, sensitivity: float, habits: Habits, generator: np.random.Generator
    ) -> list[NDArray[np.int8]]:
        """Let everybody choose.

        Args:
            distances: in the space by which people judge.
            sensitivity: of the average person: the fall of log-similarity with a unit of distance.
            habits: of the people.
            generator: the source of randomness.

        Returns:
            The selections, (t, K), for each type of trials.
        """
        found = []
        for part, own, taste in zip(self._displays.parts, distances, habits.taste, strict=True):
            careful = generator.random(len(part.rows)) >= habits.lapse[part.rows]
            strength = sensitivity * habits.sensitivity[part.rows] * careful
            found.append(part.rule.draw(-strength[:, np.newaxis] * own * taste, generator))
        return found


def _people(trials: Trials) -> tuple[NDArray[np.int32], int]:
    """The person of each trial, (T,), and the number of people."""
    participant, session = _ranked(trials.participant), _ranked(trials.session)
    kind = np.where(participant >= 0, 0, np.where(session >= 0, 1, 2))
    own = np.choose(kind, [participant, session, np.argsort(np.argsort(trials.trial_id))])
    return _coded(kind.astype(np.int64) * (int(own.max()) + 1) + own)


def _ranked(column: Labels) -> NDArray[np.intp]:
    """The rank of each name of a column in alphabetical order, (T,); -1 without a name."""
    names = column.names.to_pylist()
    place = np.append(ranks(names)[0] if names else np.empty(0, np.intp), -1)
    place[:-1][[not name.strip() for name in names]] = -1
    return place[column.code]


def _coded(codes: NDArray[np.integer]) -> tuple[NDArray[np.int32], int]:
    """Number the distinct codes from 0, in ascending order; and how many there are."""
    distinct, number = np.unique(codes, return_inverse=True)
    return number.astype(np.int32), len(distinct)
