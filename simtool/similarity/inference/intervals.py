"""From replicates and a standard error to an interval, and to a test of a difference."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from simtool.similarity.inference.multiway import Covariance

__all__ = ["Estimates", "Interval", "holm", "paired_p_value"]


#: What rounding leaves of a spread that is zero.
NOTHING = 1e-12


@dataclass(frozen=True)
class Interval:
    """A confidence interval: ``low`` to ``high``."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimates:
    """The means of M columns with all that is known of their uncertainty.

    Attributes:
        mean: (M,).
        covariance: of the means.
        replicates: (M, B) of the means; paired over columns.
        independent: how many independent pieces the sample holds at most (units or images).
    """

    mean: NDArray[np.float64]
    covariance: Covariance
    replicates: NDArray[np.float64]
    independent: int

    def take(self, columns: slice) -> Estimates:
        """The same for some of the columns."""
        return replace(
            self,
            mean=self.mean[columns],
            covariance=self.covariance.take(columns),
            replicates=self.replicates[columns],
        )

    def interval(self, column: int, level: float) -> Interval:
        """The interval of one mean: within 0 to 1, and around the estimate.

        Where nothing varies (an accuracy of exactly 0 or 1, one trial, every comparison tied) it is
        Wilson's (1927) for as many independent trials as there are units or images, whichever are fewer.

        Args:
            column: which one.
            level: for example 0.95.
        """
        mean = float(self.mean[column])
        offsets = self._offsets(column, level)
        if offsets is None:
            return _wilson(mean, self.independent, level)
        return Interval(max(0.0, mean + min(offsets[0], 0.0)), min(1.0, mean + max(offsets[1], 0.0)))

    def difference(self, column: int, baseline: int, level: float) -> Interval:
        """The interval of one mean less another; what the two share cancels.

        It is Student's, so that it leaves out 0 just where the p value is below 1 - ``level``.

        Args:
            column: which one.
            baseline: less which one.
            level: for example 0.95.
        """
        contrast = self._contrast(column, baseline)
        gain = float(contrast @ self.mean)
        half = self.covariance.deviation(contrast) * _student(_normal_quantile(level), self.independent - 1)
        return Interval(max(-1.0, gain - half), min(1.0, gain + half))

    def p_value(self, column: int, baseline: int) -> float:
        """The two-sided p value of one mean being another.

        Args:
            column: which one.
            baseline: less which one.
        """
        contrast = self._contrast(column, baseline)
        return paired_p_value(float(contrast @ self.mean), self.covariance.deviation(contrast), self.independent - 1)

    def _contrast(self, column: int, baseline: int) -> NDArray[np.float64]:
        identity = np.eye(len(self.mean))
        contrast: NDArray[np.float64] = identity[column] - identity[baseline]
        return contrast

    def _offsets(self, column: int, level: float) -> tuple[float, float] | None:
        """The percentiles of a mean's replicates around their center, at the width of the standard error.

        Product weights count what two observations share more than once (2^(m + 1) - 1 times, for m images and
        the unit), so the replicates spread too far by a factor that only the sample knows. Their shape is
        kept, and their spread is set to the multiway standard error, widened as Student's distribution is.
        """
        drawn = self.replicates[column]
        spread = float(drawn.std()) if drawn.size > 1 else 0.0
        error = self.covariance.deviation(np.eye(len(self.mean))[column])
        if spread <= NOTHING or error <= NOTHING:
            return None
        tail = (1 - level) / 2
        low, high = (np.quantile(drawn, [tail, 1 - tail]) - drawn.mean()) / spread
        normal = _normal_quantile(level)
        scale = error * _student(normal, self.independent - 1) / normal
        return float(low * scale), float(high * scale)


def paired_p_value(difference: float, error: float, freedom: int) -> float:
    """The two-sided p value of a difference by Student's distribution.

    Args:
        difference: of two means.
        error: its standard error.
        freedom: degrees of freedom; at least 1 is assumed.
    """
    if error <= NOTHING:
        return 1.0 if abs(difference) <= NOTHING else 0.0
    return math.erfc(_normal(abs(difference) / error, freedom) / math.sqrt(2))


def holm(p_values: list[float]) -> list[float]:
    """Holm's (1979) adjusted p values, in the order given; they control the chance of any false claim."""
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = running
    return adjusted


def _normal_quantile(level: float) -> float:
    """How many standard errors an interval of a level reaches to either side."""
    return NormalDist().inv_cdf((1 + level) / 2)


def _normal(t: float, freedom: int) -> float:
    """Student's t as the normal deviate with the same tail (Wallace 1959; within 1 % from 4 degrees of freedom)."""
    f = max(freedom, 1)
    return (8 * f + 1) / (8 * f + 3) * math.sqrt(f * math.log1p(t * t / f))


def _student(z: float, freedom: int) -> float:
    """The inverse of :func:`_normal`."""
    f = max(freedom, 1)
    return math.sqrt(f * math.expm1((z * (8 * f + 3) / (8 * f + 1)) ** 2 / f))


def _wilson(share: float, trials: int, level: float) -> Interval:
    """Wilson's score interval: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)."""
    z, n = _normal_quantile(level), max(trials, 1)
    center = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = ((center + side * half) / (1 + z * z / n) for side in (-1, 1))
    return Interval(max(0.0, min(low, share)), min(1.0, max(high, share)))
