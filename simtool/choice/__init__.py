"""The probability that people select what they selected, given how similar the images are: Luce's choice rule.

Every design has one rule. A rule takes the logarithms of similarities, so that a model of distances (log similarity =
-distance / temperature) and a model of similarities use the same functions.
"""

from simtool.choice.comparison import log_probability_of_comparisons
from simtool.choice.odd import OddOneOut
from simtool.choice.ranked import Ranked
from simtool.choice.rule import ChoiceRule, Likelihood
from simtool.choice.table import RULES, rule_of
from simtool.choice.unranked import Unranked

__all__ = [
    "RULES",
    "ChoiceRule",
    "Likelihood",
    "OddOneOut",
    "Ranked",
    "Unranked",
    "log_probability_of_comparisons",
    "rule_of",
]
