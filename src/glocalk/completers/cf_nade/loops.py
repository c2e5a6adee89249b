"""What CF-NADE computes of the observed ratings, exactly and from them alone.

`completers/cf_nade.py` has the equations. Time goes with entries × levels × hidden, and nothing of
that size, nor of users × items, is made. On the CPU every operation walks over the users once, in
compiled loops that give the same bits with any number of threads: a user's weights for all levels
[levels, hidden] stay in the first-level cache, the hidden units of a batch of items in the second,
and the running sum over levels is one row. Other devices use torch's own operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from glocalk.sparse.compiled import Array, compile_, dot, parallel, use_threads
from glocalk.sparse.transpose import as_array

_PARTS = 8  # ranges of users that loops are divided into; fixed, as sums must not go by threads
_PAIRS = 4096  # whose weights are gathered at a time


@dataclass(frozen=True, eq=False)
class Entries:
    """Ratings of some items, in ascending order of users and of one user's levels.

    Attributes:
        users: [n] user of each rating.
        items: [n] item of each rating, counted within those items.
        levels: [n] which of the rating levels it is, 0 … levels − 1.
        num_items: how many items, those without a rating among them.
    """

    users: Tensor
    items: Tensor
    levels: Tensor
    num_items: int

    @classmethod
    def from_arrays(
        cls, users: Array, items: Array, levels: Array, num_items: int, device: torch.device
    ) -> Entries:
        """The entries on a device."""
        return cls(
            torch.tensor(users, device=device),
            torch.tensor(items, device=device),
            torch.tensor(levels, device=device),
            num_items,
        )

    def __len__(self) -> int:
        return len(self.users)

    def walk(self, num_users: int, num_levels: int) -> tuple[Array, Array, Array, Array]:
        """What loops take: bounds of the parts, first entry of each user, items, levels.

        A part has about as much to do as another: an entry is a row of hidden units, a user one
        for each level.
        """
        users, items, levels = (t.numpy() for t in (self.users, self.items, self.levels))
        starts = np.searchsorted(users, np.arange(num_users + 1))
        work = starts + num_levels * np.arange(num_users + 1)
        bounds = np.searchsorted(work, np.linspace(0, work[-1], _PARTS + 1))
        bounds[0], bounds[-1] = 0, num_users
        return bounds, starts, items, levels


def input_sums(entries: Entries, weight: Tensor, shared: Tensor) -> Tensor:
    """Σ of the input weights of each item's ratings, a level's being those up to it.

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
        entries: the ratings; their own levels play no part.
        hidden: [items, hidden] h.
        weight: [users, levels, hidden] V.
        bias: [users, levels] b.

    Returns:
        [levels, n], for what follows runs along memory then.
    """
    if weight.device.type == "cpu":
        return _LevelScores.apply(entries, hidden, weight, bias)  # type: ignore[no-any-return]
    return gathered_level_scores(entries, hidden, weight, bias)


def ordinal_cost(scores: Tensor, labels: Tensor) -> Tensor:
    """−log of the probability that the levels are preferred in the order of their distance.

    From the true level l down to the lowest and up to the highest, each is preferred to those
    beyond it:

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
    """Row k: log Σ_{j ≤ k} eˢʲ; torch's `logcumsumexp` goes back several times slower."""
    rows = list(scores)
    for level in range(1, len(rows)):
        rows[level] = torch.logaddexp(rows[level - 1], rows[level])
    return torch.stack(rows)


class _InputSums(torch.autograd.Function):
    """Sums over entries; with G the gradient by them, that by Wᵤᵏ is Σ G of entries l ≥ k."""

    @staticmethod
    def forward(ctx: Any, entries: Entries, weight: Tensor, shared: Tensor) -> Tensor:
        ctx.entries, ctx.shape = entries, weight.shape
        users, levels, width = weight.shape
        sums = np.zeros((_PARTS, entries.num_items, width), as_array(weight).dtype)
        use_threads()
        _input_sums(*entries.walk(users, levels), as_array(weight), as_array(shared), sums)
        return torch.from_numpy(sums.sum(axis=0))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        entries: Entries = ctx.entries
        users, levels, width = ctx.shape
        by_sum = as_array(gradient)
        # NumPy asks for large pages where torch does not, and their first writing costs less.
        by_weight = np.empty((users, levels, width), by_sum.dtype)
        by_shared = np.empty((users, width), by_sum.dtype)
        use_threads()
        _input_gradients(*entries.walk(users, levels), by_sum, by_weight, by_shared)
        return None, torch.from_numpy(by_weight), torch.from_numpy(by_shared)


class _LevelScores(torch.autograd.Function):
    """Products at the entries; with G the gradient by them, Σ g v by h, Σ g h by v, Σ g by b."""

    @staticmethod
    def forward(ctx: Any, entries: Entries, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.entries = entries
        ctx.save_for_backward(hidden, weight)
        users, levels, _ = weight.shape
        scores = np.empty((levels, len(entries)), as_array(weight).dtype)
        bounds, starts, items, _ = entries.walk(users, levels)
        use_threads()
        _level_scores(
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
        _score_gradients(
            bounds, starts, items, hidden, weight, as_array(gradient), by_hidden, by_weight, by_bias
        )
        return (
            None,
            torch.from_numpy(by_hidden.sum(axis=0)),
            torch.from_numpy(by_weight),
            torch.from_numpy(by_bias),
        )


def gathered_input_sums(entries: Entries, weight: Tensor, shared: Tensor) -> Tensor:
    """`input_sums` by torch's own operations: any device, at more time and memory."""
    table = (weight + shared.unsqueeze(1)).cumsum(dim=1).flatten(end_dim=1)
    order = torch.argsort(entries.items, stable=True)
    rows = (entries.users * weight.shape[1] + entries.levels)[order]
    counts = torch.bincount(entries.items, minlength=entries.num_items)
    return F.embedding_bag(rows, table, counts.cumsum(dim=0) - counts, mode="sum")


def gathered_level_scores(entries: Entries, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`level_scores` by torch's own operations: any device, at more time and memory."""
    scores: Tensor = _GatheredScores.apply(entries, hidden, weight)
    return scores + bias.T[:, entries.users]


class _GatheredScores(torch.autograd.Function):
    """hᵢ·Vᵤᵏ; gradients G V and Gᵀ H with G [items, users · levels] sparse."""

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


@compile_
def _add(target: Array, row: Array) -> None:
    for j in range(len(row)):
        target[j] += row[j]


@compile_
def _add_scaled(target: Array, factor: Any, row: Array) -> None:
    for j in range(len(row)):
        target[j] += factor * row[j]


@compile_
def _add_four(
    target: Array, a: Any, row_a: Array, b: Any, row_b: Array, c: Any, row_c: Array, d: Any,
    row_d: Array,
) -> None:  # fmt: skip
    """Four scaled rows at a time: the target is loaded and stored a quarter as often."""
    for j in range(len(target)):
        target[j] += a * row_a[j] + b * row_b[j] + c * row_c[j] + d * row_d[j]


@parallel
def _input_sums(
    bounds: Array, starts: Array, items: Array, levels: Array, weight: Array, shared: Array,
    sums: Array,
) -> None:  # fmt: skip
    """A sum [items, hidden] for each part; `row` runs over a user's levels."""
    for part in prange(len(bounds) - 1):
        row = np.empty(weight.shape[2], weight.dtype)
        for user in range(bounds[part], bounds[part + 1]):
            entry, stop = starts[user], starts[user + 1]
            row[:] = 0
            for level in range(weight.shape[1]):
                if entry == stop:
                    break
                _add(row, weight[user, level])
                _add(row, shared[user])
                while entry < stop and levels[entry] == level:
                    _add(sums[part, items[entry]], row)
                    entry += 1


@parallel
def _input_gradients(
    bounds: Array, starts: Array, items: Array, levels: Array, by_sum: Array, by_weight: Array,
    by_shared: Array,
) -> None:  # fmt: skip
    """A level's weights act on all entries from it on: `row` runs from the highest down."""
    for part in prange(len(bounds) - 1):
        row = np.empty(by_weight.shape[2], by_weight.dtype)
        for user in range(bounds[part], bounds[part + 1]):
            start, entry = starts[user], starts[user + 1]
            row[:] = 0
            by_shared[user] = 0
            for level in range(by_weight.shape[1] - 1, -1, -1):
                while entry > start and levels[entry - 1] == level:
                    entry -= 1
                    _add(row, by_sum[items[entry]])
                by_weight[user, level] = row
                _add(by_shared[user], row)


@parallel
def _level_scores(
    bounds: Array, starts: Array, items: Array, hidden: Array, weight: Array, bias: Array,
    scores: Array,
) -> None:  # fmt: skip
    for part in prange(len(bounds) - 1):
        for user in range(bounds[part], bounds[part + 1]):
            for entry in range(starts[user], starts[user + 1]):
                row = hidden[items[entry]]
                for level in range(weight.shape[1]):
                    scores[level, entry] = bias[user, level] + dot(row, weight[user, level])


@parallel
def _score_gradients(
    bounds: Array, starts: Array, items: Array, hidden: Array, weight: Array, by_score: Array,
    by_hidden: Array, by_weight: Array, by_bias: Array,
) -> None:  # fmt: skip
    """A gradient by `hidden` for each part."""
    for part in prange(len(bounds) - 1):
        for user in range(bounds[part], bounds[part + 1]):
            start, stop = starts[user], starts[user + 1]
            for level in range(weight.shape[1]):
                slopes, total = by_score[level], by_weight[user, level]
                total[:] = 0
                by_bias[user, level] = 0
                for entry in range(start, stop):
                    by_bias[user, level] += slopes[entry]
                entry = start
                while entry + 3 < stop:
                    _add_four(
                        total,
                        slopes[entry], hidden[items[entry]],
                        slopes[entry + 1], hidden[items[entry + 1]],
                        slopes[entry + 2], hidden[items[entry + 2]],
                        slopes[entry + 3], hidden[items[entry + 3]],
                    )  # fmt: skip
                    entry += 4
                while entry < stop:
                    _add_scaled(total, slopes[entry], hidden[items[entry]])
                    entry += 1
            mine = weight[user]
            for entry in range(start, stop):
                slopes, total = by_score[:, entry], by_hidden[part, items[entry]]
                level = 0
                while level + 3 < len(mine):
                    _add_four(
                        total,
                        slopes[level], mine[level],
                        slopes[level + 1], mine[level + 1],
                        slopes[level + 2], mine[level + 2],
                        slopes[level + 3], mine[level + 3],
                    )  # fmt: skip
                    level += 4
                while level < len(mine):
                    _add_scaled(total, slopes[level], mine[level])
                    level += 1
