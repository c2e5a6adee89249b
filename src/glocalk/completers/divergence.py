"""Gradient descents by compiled loops stop when their errors have overflowed."""

from __future__ import annotations

import math

from glocalk.errors import GlocalkError


def refuse_divergence(loss: float, option: str) -> None:
    """Stop a gradient descent whose errors have overflowed.

    Args:
        loss: sum of the squared errors of an epoch.
        option: the option to lower, as in `model.learning_rate`.

    Raises:
        GlocalkError: the loss is not finite.
    """
    if not math.isfinite(loss):
        raise GlocalkError(
            f"The squared errors of an epoch sum to {loss:g}: the gradient descent has diverged, "
            f"so lower {option}."
        )
