"""The search for the parameters that minimise an objective: L-BFGS with analytic derivatives, by SciPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize

from simtool.choice.rule import Floats
from simtool.psychological.objective import Objective
from simtool.psychological.parameters import Parameters

__all__ = ["minimised", "with_fitted_kernel"]

#: The search ends when a step lowers the mean loss by less than this share of it, or after so many steps.
_TOLERANCE, _STEPS = 1e-7, 500
#: The precision of the priors of log-scales (a standard deviation of 1/4) and of the log-floor around fitted values.
_SCALE_PRECISION, _FLOOR_PRECISION = 16.0, 1.0
#: Earlier steps that L-BFGS keeps.
_MEMORY = 20


def minimised(objective: Objective, start: Parameters) -> Parameters:
    """The parameters of a minimum near a start."""

    def flat(vector: Floats) -> tuple[float, Floats]:
        value, slopes = objective(start.unflat(vector))
        return value, slopes.flat()

    return start.unflat(_search(flat, start.flat(), start.bounds()))


def with_fitted_kernel(objective: Objective, parameters: Parameters) -> Parameters:
    """The same points, with the scales and the floor that suit other trials best.

    A scale that was fitted together with the points is wrong for new trials: too large where the points follow the
    noise of their trials, too small where the penalty shrinks them. A normal prior around the fitted values keeps few
    trials from moving them far.

    Args:
        objective: of trials that the points were not fitted to. Types without such trials keep their scale.
        parameters: the points.
    """
    fitted = parameters.kernel
    precision = np.append(np.full(fitted.size - 1, _SCALE_PRECISION), _FLOOR_PRECISION) / objective.trials

    def flat(kernel: Floats) -> tuple[float, Floats]:
        value, slopes = objective(parameters.with_kernel(kernel))
        moved = kernel - fitted
        return value + float(precision @ np.square(moved)) / 2, slopes.kernel + precision * moved

    return parameters.with_kernel(_search(flat, fitted, parameters.kernel_bounds()))


def _search(
    function: Callable[[Floats], tuple[float, Floats]],
    start: Floats,
    bounds: Sequence[tuple[float | None, float | None]],
) -> Floats:
    options = {"maxiter": _STEPS, "maxcor": _MEMORY, "ftol": _TOLERANCE, "gtol": 1e-6}
    found: Floats = minimize(function, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return np.asarray(found)
