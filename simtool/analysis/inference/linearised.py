"""Intervals of functions of means, by the delta method.

The error of a function of means is, to first order, the mean of the influences of the observations. The influence of an
observation is the sum of its values, each times the derivative of the function by the mean of this value (Efron 1982,
The jackknife, the bootstrap and other resampling plans, chapter 6). The standard error is that of a mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from threadpoolctl import threadpool_limits

from simtool.analysis.inference.intervals import NOTHING
from simtool.analysis.inference.multiway import Dependence
from simtool.analysis.inference.observations import Observations
from simtool.analysis.inference.values import Values
from simtool.system.threads import available_cores

__all__ = ["Linearised"]

#: Columns of influences in memory at once.
_COLUMNS = 16


class Linearised:
    """Intervals of functions of means over the same observations.

    Args:
        observations: N observations. Those that show nothing about how people differ count in means only.
        weight: (N,) weight of each observation; None for equal weights.
        level: of the intervals.
    """

    def __init__(self, observations: Observations, weight: NDArray[np.float64] | None, level: float) -> None:
        informative = observations.informative(weight)
        self._rows = slice(None) if informative.all() else np.flatnonzero(informative)
        self._observations = observations.take(self._rows)
        self._weight = None if weight is None else weight[self._rows]
        size = self._observations.effective_size() if len(self._observations) else 0
        self._t = float(stdtrit(size - 1, (1 + level) / 2)) if size > 1 else None

    def half_widths(self, influences: Iterable[NDArray[np.floating]]) -> list[float | None]:
        """Half the widths of Student's intervals; None without a standard error.

        Args:
            influences: for each of K functions, the influences of all observations up to a constant, (N,). They are
                taken when they are needed.
        """
        if self._t is None:
            return [None for _ in influences]
        half = (self._t * error for error in self._errors(influences))
        return [width if width > NOTHING else None for width in half]

    def _errors(self, influences: Iterable[NDArray[np.floating]]) -> Iterator[float]:
        """The standard errors of the means of the influences."""
        columns = iter(influences)
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(available_cores()) as pool:
            dependence = Dependence(self._observations, pool)
            while some := [column[self._rows] for column in islice(columns, _COLUMNS)]:
                found = dependence.covariance(Values.of(some), self._weight)
                yield from (found.standard_error(contrast) for contrast in np.eye(len(some)))
