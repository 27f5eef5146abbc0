"""Intervals and tests of differences, from replicates and standard errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr, stdtrit

from simtool.analysis.inference.multiway import Covariance

__all__ = ["BEYOND", "NOTHING", "Difference", "Estimates", "Interval", "holm"]

#: A spread that is zero except for rounding.
NOTHING = 1e-12
#: The least number of replicates beyond each end of an interval for which they decide its shape.
BEYOND = 2


@dataclass(frozen=True)
class Interval:
    """A number with its interval.

    Attributes:
        estimate: the number.
        low: lower end of its interval.
        high: upper end of its interval.
    """

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """The accuracy of a model minus that of another one on the same trials.

    All fields but the estimate are None if the difference has no standard error: with fewer than 2 clusters or images,
    or if the difference does not vary.

    Attributes:
        estimate: the difference.
        standard_error: of the estimate.
        low: lower end of its interval.
        high: upper end of its interval.
        p_value: two-sided p value of the hypothesis that both accuracies are equal.
        p_holm: the p value, adjusted by Holm's method for all tested differences of a family.
    """

    estimate: float
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_holm: float | None = None


@dataclass(frozen=True)
class Estimates:
    """The means of M columns and their uncertainty.

    Attributes:
        mean: (M,).
        covariance: of the means.
        replicates: (M, B) of the means; paired over columns.
        effective_size: the greatest number of independent observations that the sample can hold: its clusters or its
            images, whichever are fewer. With fewer than two there is no standard error.
    """

    mean: NDArray[np.float64]
    covariance: Covariance
    replicates: NDArray[np.float64]
    effective_size: int

    def take(self, columns: slice) -> Estimates:
        """The estimates of some of the columns."""
        return replace(
            self, mean=self.mean[columns], covariance=self.covariance.take(columns), replicates=self.replicates[columns]
        )

    def interval(self, column: int, level: float) -> tuple[float, float]:
        """The interval of one mean at a level such as 0.95. It lies within 0 and 1 and contains the estimate.

        Without a standard error (an accuracy of exactly 0 or 1, one trial) it is the interval of Wilson (1927) for
        ``effective_size`` independent trials. If all observations have the same value, between 0 and 1, both ends are
        the estimate: every comparison is tied, and no choice of people can change the mean.
        """
        mean = float(self.mean[column])
        error = self._error(np.eye(len(self.mean))[column])
        if error is None:
            return (mean, mean) if self._is_constant(column) else _wilson(mean, self.effective_size, level)
        low, high = (side * error * self._t(level) for side in self._shape(column, level))
        return max(0.0, mean + min(low, 0.0)), min(1.0, mean + max(high, 0.0))

    def within(self, column: int, level: float) -> Interval:
        """One mean with its :meth:`interval`."""
        return Interval(float(self.mean[column]), *self.interval(column, level))

    def difference(self, column: int, baseline: int, level: float) -> Difference:
        """The mean of a column minus that of the baseline's column; see :meth:`differences`."""
        return self.differences([(column, baseline)], level)[0]

    def differences(self, pairs: Sequence[tuple[int, int]], level: float) -> list[Difference]:
        """The mean of the first column of each pair minus that of the second. The variance that both share cancels.

        Interval and p value use Student's distribution. The interval excludes 0 exactly if the p value is below
        1 - ``level``.
        """
        first, second = np.array(pairs, np.intp).reshape(-1, 2).T
        gains, errors = self.mean[first] - self.mean[second], self.covariance.errors_of_differences(first, second)
        tested = errors > NOTHING if self.effective_size > 1 else np.zeros(len(gains), bool)
        half = errors * self._t(level)
        ends = np.maximum(gains - half, -1), np.minimum(gains + half, 1)
        p_values = self._two_sided(gains, np.where(tested, errors, 1))
        columns = (column.tolist() for column in (gains, errors, *ends, p_values))
        return [
            Difference(*numbers) if sound else Difference(numbers[0])
            for sound, numbers in zip(tested, zip(*columns, strict=True), strict=True)
        ]

    def contrast(self, weights: NDArray[np.float64], level: float) -> Difference:
        """A weighted sum of the means, and the test of the hypothesis that it is 0; see :meth:`differences`.

        Args:
            weights: (M,) that sum to 0, where the positive ones sum to 1.
            level: of the interval.
        """
        found = self.linearised(float(weights @ self.mean), weights, level)
        if found.low is None or found.high is None:
            return found
        return replace(found, low=max(found.low, -1.0), high=min(found.high, 1.0))

    def p_value(self, column: int, value: float) -> float | None:
        """The two-sided p value of the hypothesis that a mean is some value; None without a standard error."""
        error = self._error(np.eye(len(self.mean))[column])
        return None if error is None else float(self._two_sided(self.mean[column] - value, error))

    def _two_sided(self, gain: NDArray[np.float64] | float, error: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """The two-sided p values of Student's distribution."""
        return np.asarray(2 * stdtr(self.effective_size - 1, -np.abs(gain / error)))

    def linearised(self, value: float, gradient: NDArray[np.float64], level: float) -> Difference:
        """A function of the means by the delta method, and the test of the hypothesis that it is 0.

        Args:
            value: of the function at the means.
            gradient: (M,) of the function there.
            level: of the interval, which is Student's.
        """
        error = self._error(gradient)
        if error is None:
            return Difference(value)
        half = error * self._t(level)
        return Difference(value, error, value - half, value + half, float(self._two_sided(value, error)))

    def _error(self, contrast: NDArray[np.float64]) -> float | None:
        """The standard error of a linear combination of means; None if the sample is too small or does not vary."""
        error = self.covariance.standard_error(contrast)
        return error if self.effective_size > 1 and error > NOTHING else None

    def _is_constant(self, column: int) -> bool:
        """Whether all observations, of which there are several, have the value of the mean, between 0 and 1."""
        mean = float(self.mean[column])
        still = bool((np.abs(self.replicates[column] - mean) <= NOTHING).all())
        return still and self.effective_size > 1 and NOTHING < mean < 1 - NOTHING

    def _t(self, level: float) -> float:
        return float(stdtrit(self.effective_size - 1, (1 + level) / 2))

    def _shape(self, column: int, level: float) -> tuple[float, float]:
        """The ends of an interval, in units of half the width of Student's interval: -1 and 1 if it is symmetric.

        Product weights overcount shared factors: two observations that share the cluster and m images count
        2^(m + 1) - 1 times. The replicates therefore spread too far, by a factor that depends on the sample. Their
        percentiles give the shape if enough replicates lie beyond them. The standard error gives the width.
        """
        drawn, tail = self.replicates[column], (1 - level) / 2
        spread = float(drawn.std()) if drawn.size * tail >= BEYOND else 0.0
        if spread <= NOTHING:
            return -1.0, 1.0
        low, high = (np.quantile(drawn, [tail, 1 - tail]) - drawn.mean()) / spread / ndtri((1 + level) / 2)
        return float(low), float(high)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p values by Holm's method (1979), which controls the probability of any false claim. The order stays.

    None means that there was no test. It stays None and does not count in the adjustment of the other p values.
    """
    tested = sorted((p_value, place) for place, p_value in enumerate(p_values) if p_value is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, (p_value, place) in enumerate(tested):
        running = max(running, min(1.0, (len(tested) - rank) * p_value))
        adjusted[place] = running
    return adjusted


def _wilson(share: float, trials: int, level: float) -> tuple[float, float]:
    """Wilson's score interval: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)."""
    z, n = float(ndtri((1 + level) / 2)), max(trials, 1)
    center = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = ((center + side * half) / (1 + z * z / n) for side in (-1, 1))
    return max(0.0, min(low, share)), min(1.0, max(high, share))
