"""Adam as TensorFlow has it."""

from __future__ import annotations

import math

import torch

_EPSILON = 1e-8


def follow_tensorflow(
    optimizer: torch.optim.Optimizer, update: int, epsilon: float = _EPSILON
) -> None:
    """Set ε of an Adam to what it is in TensorFlow at this update.

    TensorFlow adds ε before it corrects the bias of the second moment. In the usual form this is
    ε / √(1 − β₂ᵗ): 3e-7 at first for 1e-8, above the gradients of users and items with few ratings.

    Args:
        optimizer: `torch.optim.Adam`.
        update: t, which is 1 at the first update.
        epsilon: ε.
    """
    for group in optimizer.param_groups:
        group["eps"] = epsilon / math.sqrt(1 - group["betas"][1] ** update)
