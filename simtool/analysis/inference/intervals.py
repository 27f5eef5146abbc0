"""From replicates and a standard error to an interval, and to a test of a difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simtool.analysis.inference.multiway import Covariance

__all__ = ["Estimates", "Interval", "holm", "student_quantile", "two_sided"]


#: What rounding leaves of a spread that is zero.
NOTHING = 1e-12
#: Replicates that must lie beyond each end of an interval before they decide its shape.
BEYOND = 2


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
        independent: how many independent pieces the sample holds at most (units or images). With fewer than two
            there is no standard error.
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

        Where there is no standard error (an accuracy of exactly 0 or 1, one trial, every comparison tied) it is
        Wilson's (1927) for as many independent trials as there are units or images, whichever are fewer.

        Args:
            column: which one.
            level: for example 0.95.
        """
        mean = float(self.mean[column])
        error = self._error(np.eye(len(self.mean))[column])
        if error is None:
            return _wilson(mean, self.independent, level)
        low, high = (side * error * self._t(level) for side in self._shape(column, level))
        return Interval(max(0.0, mean + min(low, 0.0)), min(1.0, mean + max(high, 0.0)))

    def difference(self, column: int, baseline: int, level: float) -> Interval | None:
        """The interval of one mean less another; what the two share cancels.

        It is Student's, so that it leaves out 0 just where the p value is below 1 - ``level``.

        Args:
            column: which one.
            baseline: less which one.
            level: for example 0.95.

        Returns:
            None where the difference has no standard error.
        """
        contrast = self._contrast(column, baseline)
        error = self._error(contrast)
        if error is None:
            return None
        gain, half = float(contrast @ self.mean), error * self._t(level)
        return Interval(max(-1.0, gain - half), min(1.0, gain + half))

    def p_value(self, column: int, baseline: int) -> float | None:
        """The two-sided p value of one mean being another, by Student's distribution.

        Args:
            column: which one.
            baseline: less which one.

        Returns:
            None where the difference has no standard error.
        """
        contrast = self._contrast(column, baseline)
        error = self._error(contrast)
        if error is None:
            return None
        return two_sided(float(contrast @ self.mean) / error, self.independent - 1)

    def _contrast(self, column: int, baseline: int) -> NDArray[np.float64]:
        identity = np.eye(len(self.mean))
        contrast: NDArray[np.float64] = identity[column] - identity[baseline]
        return contrast

    def _error(self, contrast: NDArray[np.float64]) -> float | None:
        """The standard error of a combination of means; None where the sample cannot tell it."""
        error = self.covariance.deviation(contrast)
        return error if self.independent > 1 and error > NOTHING else None

    def _t(self, level: float) -> float:
        return student_quantile((1 + level) / 2, self.independent - 1)

    def _shape(self, column: int, level: float) -> tuple[float, float]:
        """Where the ends of an interval lie, as shares of half the width of Student's: -1 and 1 if it is symmetric.

        Product weights count what two observations share more than once (2^(m + 1) - 1 times, for m images and
        the unit), so the replicates spread too far by a factor that only the sample knows. Their percentiles
        give the shape, as far as enough replicates lie beyond them; the width is that of the standard error.
        """
        from scipy.special import ndtri

        drawn, tail = self.replicates[column], (1 - level) / 2
        spread = float(drawn.std()) if drawn.size * tail >= BEYOND else 0.0
        if spread <= NOTHING:
            return -1.0, 1.0
        low, high = (np.quantile(drawn, [tail, 1 - tail]) - drawn.mean()) / spread / ndtri((1 + level) / 2)
        return float(low), float(high)


def student_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def two_sided(t: float, freedom: int) -> float:
    """The probability of a t at least as far from 0 by Student's distribution."""
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -abs(t)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's (1979) adjusted p values, in the order given; they control the chance of any false claim.

    None is no test: it stays None, and counts for nothing in the adjustment of the others.
    """
    tested = sorted((p_value, place) for place, p_value in enumerate(p_values) if p_value is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, (p_value, place) in enumerate(tested):
        running = max(running, min(1.0, (len(tested) - rank) * p_value))
        adjusted[place] = running
    return adjusted


def _wilson(share: float, trials: int, level: float) -> Interval:
    """Wilson's score interval: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)."""
    from scipy.special import ndtri

    z, n = float(ndtri((1 + level) / 2)), max(trials, 1)
    center = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = ((center + side * half) / (1 + z * z / n) for side in (-1, 1))
    return Interval(max(0.0, min(low, share)), min(1.0, max(high, share)))
