"""The line search of Moré and Thuente, as used by SciPy's L-BFGS-B."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

_DECREASE = 1e-3  # sufficient decrease: minimum share of the decrease that the first slope predicts
_CURVATURE = 0.9  # curvature condition: largest remaining share of the first slope
_NARROWEST = 0.1  # relative width at which an interval is not divided further
_MOST_EVALUATIONS = 20


class Point(NamedTuple):
    """A step along the line, the function's value there, and its slope along the line."""

    step: float
    value: float
    slope: float


def more_thuente(
    evaluate: Callable[[float], Point], start: Point, first_step: float
) -> Point | None:
    """Search for a step that meets the strong Wolfe conditions.

        φ(t) ≤ φ(0) + 10⁻³ t φ'(0),   |φ'(t)| ≤ 0.9 |φ'(0)|

    The search extrapolates until an interval contains such a step, and then shortens the interval
    by cubic and quadratic interpolation. The returned point is always the one evaluated last.

    Args:
        evaluate: returns the point of a step t > 0.
        start: the point of step 0; its slope is negative.
        first_step: the step to try first.

    Returns:
        The point found, or the best point of an interval that has become too narrow; None if
        neither is reached within 20 evaluations.

    Source: Moré and Thuente, ACM TOMS 20 (1994), 286; the constants are those of L-BFGS-B 3.0.
    """
    promised = _DECREASE * start.slope

    def relative(point: Point) -> Point:
        """The point on φ(t) − 10⁻³ t φ'(0), which the first phase minimizes."""
        step, value, slope = point
        return Point(step, value - step * promised, slope - promised)

    best, other = start, start  # ends of the interval
    bracketed, first_phase = False, True
    width, width_before = math.inf, math.inf
    lower, upper = 0.0, 5 * first_step
    step = first_step
    for _ in range(_MOST_EVALUATIONS):
        trial = evaluate(step)
        enough = start.value + step * promised
        if first_phase and trial.value <= enough and trial.slope >= 0:
            first_phase = False
        if trial.value <= enough and abs(trial.slope) <= _CURVATURE * -start.slope:
            return trial
        if bracketed and (not lower < step < upper or upper - lower <= _NARROWEST * upper):
            return trial

        shifted = first_phase and enough < trial.value <= best.value
        near, far, last = (relative(point) if shifted else point for point in (best, other, trial))
        step, crossed = _next_step(near, far, last, bracketed, lower, upper)
        if last.value > near.value:
            other = trial
        else:
            if last.slope * near.slope < 0:
                other = best
            best = trial
        bracketed = bracketed or crossed
        if bracketed:
            # If two steps have not shortened the interval by a third, bisect it.
            if abs(other.step - best.step) >= 0.66 * width_before:
                step = best.step + (other.step - best.step) / 2
            width_before, width = width, abs(other.step - best.step)
            lower, upper = sorted((best.step, other.step))
            if not lower < step < upper or upper - lower <= _NARROWEST * upper:
                step = best.step
        else:
            lower = step + 1.1 * (step - best.step)
            upper = step + 4 * (step - best.step)
    return None


def _next_step(
    best: Point, other: Point, trial: Point, bracketed: bool, lower: float, upper: float
) -> tuple[float, bool]:
    """The step to try next, and whether a minimum lies between `best` and `trial`."""
    if trial.value > best.value:
        cubic, quadratic = _cubic(best, trial)[0], _quadratic(best, trial)
        if abs(cubic - best.step) < abs(quadratic - best.step):
            return cubic, True
        return cubic + (quadratic - cubic) / 2, True
    if trial.slope * best.slope < 0:
        return max(_cubic(trial, best)[0], _secant(trial, best), key=_distance(trial)), True
    if abs(trial.slope) < abs(best.slope):
        cubic, ahead = _cubic(trial, best)
        if not ahead:
            cubic = upper if trial.step > best.step else lower
        secant = _secant(trial, best)
        if not bracketed:
            return min(max(max(cubic, secant, key=_distance(trial)), lower), upper), False
        step = min(cubic, secant, key=_distance(trial))
        bound = trial.step + 0.66 * (other.step - trial.step)
        return (min if trial.step > best.step else max)(bound, step), False
    if bracketed:
        return _cubic(trial, other)[0], False
    return upper if trial.step > best.step else lower, False


def _cubic(base: Point, end: Point) -> tuple[float, bool]:
    """Minimizer of the cubic through both points, and whether `base` lies between it and `end`."""
    theta = 3 * (base.value - end.value) / (end.step - base.step) + base.slope + end.slope
    scale = max(abs(theta), abs(base.slope), abs(end.slope))
    square = (theta / scale) ** 2 - (base.slope / scale) * (end.slope / scale)
    gamma = math.copysign(scale * math.sqrt(max(square, 0)), end.step - base.step)
    ratio = (gamma - base.slope + theta) / (2 * gamma - base.slope + end.slope)
    return base.step + ratio * (end.step - base.step), ratio < 0 and gamma != 0


def _quadratic(base: Point, end: Point) -> float:
    """Minimizer of the parabola through both values that has the slope of `base`."""
    length = end.step - base.step
    return base.step + base.slope / ((base.value - end.value) / length + base.slope) / 2 * length


def _secant(base: Point, end: Point) -> float:
    """Where the linear interpolation of both slopes is 0."""
    return base.step + base.slope / (base.slope - end.slope) * (end.step - base.step)


def _distance(point: Point) -> Callable[[float], float]:
    return lambda step: abs(step - point.step)
