"""Input sums, scores and costs of CF-NADE at the observed ratings, with their gradients.

`cf_nade.py` has the equations. Time grows with entries × levels × hidden; no array of that size,
nor of users × items, is built, and nothing is approximated. CPUs run compiled loops, other devices
torch's operations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from glocalk.completers.cf_nade import loops
from glocalk.sparse.compiled import Array, use_threads
from glocalk.sparse.transpose import as_array

_PARTS = 8  # ranges of users; fixed, because sums must not depend on the number of threads
_PAIRS = 4096  # pairs whose weights are gathered at a time


class Entries(NamedTuple):
    """Ratings of some items, in ascending order of users and of one user's levels.

    Attributes:
        users: [n] user of each rating.
        items: [n] item of each rating, counted among these items.
        levels: [n] level of each rating, 0 … levels − 1.
        num_items: number of items, those without ratings included.
    """

    users: Tensor
    items: Tensor
    levels: Tensor
    num_items: int

    @classmethod
    def from_arrays(cls, users: Array, items: Array, levels: Array, num_items: int) -> Entries:
        """The entries on the CPU; `users`, `items` and `levels` are [n]."""
        return cls(torch.tensor(users), torch.tensor(items), torch.tensor(levels), num_items)

    def to(self, device: torch.device) -> Entries:
        """The entries on another device."""
        users, items, levels = (part.to(device) for part in self[:3])
        return Entries(users, items, levels, self.num_items)

    def walk(self, num_users: int, num_levels: int) -> tuple[Array, Array, Array, Array]:
        """Arguments of the loops: bounds of the parts, first entry of each user, items, levels.

        Parts have about equal work: a row of hidden units for each entry, and one for each level
        of each user.
        """
        users, items, levels = (t.numpy() for t in (self.users, self.items, self.levels))
        starts = np.searchsorted(users, np.arange(num_users + 1))
        work = starts + num_levels * np.arange(num_users + 1)
        bounds = np.searchsorted(work, np.linspace(0, work[-1], _PARTS + 1))
        bounds[0], bounds[-1] = 0, num_users
        return bounds, starts, items, levels


def input_sums(entries: Entries, weight: Tensor, shared: Tensor) -> Tensor:
    """Σ of the input weights of each item's ratings; those of a level include all levels below.

        Σ_{u, level l} Σ_{k ≤ l} (Wᵤᵏ + Qᵤ)

    Args:
        entries: the ratings.
        weight: [users, levels, hidden] W.
        shared: [users, hidden] Q.

    Returns:
        [items, hidden], 0 for items without ratings.
    """
    if weight.device.type == "cpu":
        return _InputSums.apply(entries, weight, shared)  # type: ignore[no-any-return]
    return gathered_input_sums(entries, weight, shared)


def level_scores(entries: Entries, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """hᵢ·Vᵤᵏ + bᵤᵏ of each rating (u, i) and each level k.

    Args:
        entries: the ratings; their own levels are not used.
        hidden: [items, hidden] h.
        weight: [users, levels, hidden] V.
        bias: [users, levels] b.

    Returns:
        [levels, n], so that the softmax over levels runs along memory.
    """
    if weight.device.type == "cpu":
        return _LevelScores.apply(entries, hidden, weight, bias)  # type: ignore[no-any-return]
    return gathered_level_scores(entries, hidden, weight, bias)


def ordinal_cost(scores: Tensor, labels: Tensor) -> Tensor:
    """−log of the probability that levels are preferred in the order of their distance to the true.

    From the true level l down to the lowest, and up to the highest, each level is preferred to
    those beyond it:

        Σ_{k ≤ l} (log Σ_{j ≤ k} eˢʲ − sₖ) + Σ_{k ≥ l} (log Σ_{j ≥ k} eˢʲ − sₖ)

    Args:
        scores: [levels, n] s.
        labels: [n] the true levels.

    Returns:
        [n] costs, at least 0.
    """
    levels = torch.arange(len(scores), device=scores.device).unsqueeze(1)
    below = _running_logsumexp(scores) - scores
    above = _running_logsumexp(scores.flip(0)).flip(0) - scores
    return (below * (levels <= labels) + above * (levels >= labels)).sum(dim=0)


def _running_logsumexp(scores: Tensor) -> Tensor:
    """Row k: log Σ_{j ≤ k} eˢʲ; the backward pass of torch's `logcumsumexp` is far slower."""
    rows = list(scores)
    for level in range(1, len(rows)):
        rows[level] = torch.logaddexp(rows[level - 1], rows[level])
    return torch.stack(rows)


class _InputSums(torch.autograd.Function):
    """Sums over entries; with G their gradient, that of Wᵤᵏ is Σ G of entries with l ≥ k."""

    @staticmethod
    def forward(ctx: Any, entries: Entries, weight: Tensor, shared: Tensor) -> Tensor:
        ctx.entries, ctx.shape = entries, weight.shape
        users, levels, width = weight.shape
        sums = np.zeros((_PARTS, entries.num_items, width), as_array(weight).dtype)
        use_threads()
        loops.input_sums(*entries.walk(users, levels), as_array(weight), as_array(shared), sums)
        return torch.from_numpy(sums.sum(axis=0))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        entries: Entries = ctx.entries
        users, levels, width = ctx.shape
        by_sum = as_array(gradient)
        # NumPy requests huge pages where torch does not, which makes the first write cheaper.
        by_weight = np.empty((users, levels, width), by_sum.dtype)
        by_shared = np.empty((users, width), by_sum.dtype)
        use_threads()
        loops.input_gradients(*entries.walk(users, levels), by_sum, by_weight, by_shared)
        return None, torch.from_numpy(by_weight), torch.from_numpy(by_shared)


class _LevelScores(torch.autograd.Function):
    """Scores of the entries; with g their gradient, those of h, V and b are Σ g v, Σ g h, Σ g."""

    @staticmethod
    def forward(ctx: Any, entries: Entries, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.entries = entries
        ctx.save_for_backward(hidden, weight)
        users, levels, _ = weight.shape
        scores = np.empty((levels, len(entries.users)), as_array(weight).dtype)
        bounds, starts, items, _ = entries.walk(users, levels)
        use_threads()
        loops.level_scores(
            bounds, starts, items, as_array(hidden), as_array(weight), as_array(bias), scores
        )
        return torch.from_numpy(scores)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        entries: Entries = ctx.entries
        hidden, weight = (as_array(tensor) for tensor in ctx.saved_tensors)
        users, levels, _ = weight.shape
        by_hidden = np.zeros((_PARTS, *hidden.shape), hidden.dtype)
        by_weight, by_bias = np.empty_like(weight), np.empty((users, levels), weight.dtype)
        bounds, starts, items, _ = entries.walk(users, levels)
        use_threads()
        loops.score_gradients(
            bounds, starts, items, hidden, weight, as_array(gradient), by_hidden, by_weight, by_bias
        )
        return (
            None,
            torch.from_numpy(by_hidden.sum(axis=0)),
            torch.from_numpy(by_weight),
            torch.from_numpy(by_bias),
        )


def gathered_input_sums(entries: Entries, weight: Tensor, shared: Tensor) -> Tensor:
    """`input_sums` by torch's operations, on any device, with more time and memory."""
    table = (weight + shared.unsqueeze(1)).cumsum(dim=1).flatten(end_dim=1)
    order = torch.argsort(entries.items, stable=True)
    rows = (entries.users * weight.shape[1] + entries.levels)[order]
    counts = torch.bincount(entries.items, minlength=entries.num_items)
    return F.embedding_bag(rows, table, counts.cumsum(dim=0) - counts, mode="sum")


def gathered_level_scores(entries: Entries, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`level_scores` by torch's operations, on any device, with more time and memory."""
    scores: Tensor = _GatheredScores.apply(entries, hidden, weight)
    return scores + bias.T[:, entries.users]


class _GatheredScores(torch.autograd.Function):
    """hᵢ·Vᵤᵏ; its gradients are G V and Gᵀ H with G [items, users · levels] sparse."""

    @staticmethod
    def forward(ctx: Any, entries: Entries, hidden: Tensor, weight: Tensor) -> Tensor:
        ctx.entries = entries
        ctx.save_for_backward(hidden, weight)
        parts = [
            weight[users] @ hidden[items].unsqueeze(2)
            for users, items in zip(
                entries.users.split(_PAIRS), entries.items.split(_PAIRS), strict=True
            )
        ]
        return torch.cat(parts).squeeze(2).T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        hidden, weight = ctx.saved_tensors
        entries: Entries = ctx.entries
        users, levels, _ = weight.shape
        level = torch.arange(levels, device=weight.device).unsqueeze(1)
        columns = (entries.users * levels + level).flatten()
        cells = torch.stack([entries.items.repeat(levels), columns])
        shape = entries.num_items, users * levels
        by_score = torch.sparse_coo_tensor(cells, gradient.flatten(), shape, check_invariants=False)
        return (
            None,
            torch.sparse.mm(by_score, weight.flatten(end_dim=1)),
            torch.sparse.mm(by_score.T, hidden).view_as(weight),
        )
