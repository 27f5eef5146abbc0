"""Designs of trials: what a trial shows, what a selection says, and which comparisons follow from it."""

from simtool.designs.choose import Choose
from simtool.designs.odd import Odd
from simtool.designs.rank import Rank
from simtool.designs.table import DESIGNS, parse_type
from simtool.designs.trial_type import MOST_REFERENCES, DesignError, TrialScore, TrialType

__all__ = [
    "DESIGNS",
    "MOST_REFERENCES",
    "Choose",
    "DesignError",
    "Odd",
    "Rank",
    "TrialScore",
    "TrialType",
    "parse_type",
]
