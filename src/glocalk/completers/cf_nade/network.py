"""The network of CF-NADE, and predictions from its outputs; `cf_nade.py` has the equations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from glocalk.completers.cf_nade.batches import Batch
from glocalk.completers.cf_nade.entries import Entries, input_sums, level_scores, ordinal_cost
from glocalk.data.rating_matrix import Values
from glocalk.operators.base import predict_pairs

_PAIRS = 1 << 16  # pairs predicted at a time
_USERS = 1 << 10  # users whose weights are gathered at a time


class CFNADENetwork(nn.Module):
    """The conditionals.

    Args:
        histogram: [users, levels] how often each user gives each rating.
        hidden_size: number of hidden units.
        smoothing: ε, added to the histogram for the initial biases.
        generator: source of the initial values.
    """

    def __init__(
        self, histogram: Values, hidden_size: int, smoothing: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        users, levels = histogram.shape
        width = hidden_size
        limit = math.sqrt(6 / (users + width))

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-limit, limit, generator=generator))

        self.input_weight = uniform(users, levels, width)  # W
        self.shared_weight = uniform(users, width)  # Q
        self.hidden_bias = nn.Parameter(torch.zeros(width))  # c
        self.output_weight = uniform(users, levels, width)  # V
        rated = histogram.sum(axis=1) > 0
        # Every level occurs, so that the counts of all users together need no smoothing.
        counts = np.where(
            rated[:, np.newaxis], np.log(histogram + smoothing), np.log(histogram.sum(axis=0))
        )
        bias = np.diff(counts, axis=1, prepend=0)
        self.output_bias = nn.Parameter(torch.from_numpy(bias).float())  # b
        with torch.no_grad():
            self.output_weight[torch.from_numpy(~rated)] = 0

    def hidden(self, given: Entries) -> Tensor:
        """The h [items, hidden] after the given ratings."""
        sums = input_sums(given, self.input_weight, self.shared_weight)
        return torch.tanh(sums + self.hidden_bias)

    def scores(self, hidden: Tensor, asked: Entries) -> Tensor:
        """The s [levels, n] of the ratings asked for."""
        return running_sum(level_scores(asked, hidden, self.output_weight, self.output_bias))

    def cost(self, batch: Batch, ordinal_weight: float) -> Tensor:
        """The loss of a batch without the penalty: a scalar."""
        asked = batch.asked
        scores = self.scores(self.hidden(batch.given), asked)
        costs = ordinal_weight * ordinal_cost(scores, asked.levels)
        if ordinal_weight < 1:
            likelihood = scores.gather(0, asked.levels.unsqueeze(0))[0] - scores.logsumexp(dim=0)
            costs = costs - (1 - ordinal_weight) * likelihood
        weights = batch.weights.to(costs.dtype)
        return (costs * weights[asked.items]).sum() / asked.num_items

    def weights(self) -> list[nn.Parameter]:
        """The parameters with a penalty."""
        return [self.input_weight, self.shared_weight, self.output_weight]

    def biases(self) -> list[nn.Parameter]:
        """The parameters without one."""
        return [self.hidden_bias, self.output_bias]


def running_sum(scores: Tensor) -> Tensor:
    """Row k: Σ_{j ≤ k}; a product, because the backward pass of `cumsum` is slower."""
    return scores.new_ones(len(scores), len(scores)).tril() @ scores


class Output(NamedTuple):
    """What predictions are computed from.

    `hidden` is [items, hidden], `weight` [users, levels, hidden], `bias` [users, levels], `levels`
    [levels].
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor
    levels: Tensor

    def probabilities(self, scores: Tensor) -> Tensor:
        """Those of the levels [levels, n] for the scores [levels, …] before their running sum."""
        return running_sum(scores.flatten(start_dim=1)).softmax(dim=0)

    def expected(self, scores: Tensor) -> Tensor:
        """Expected ratings [n] for the same."""
        return self.levels @ self.probabilities(scores)

    def predict(self, users: Tensor, items: Tensor) -> Tensor:
        """[pairs] expected rating of each pair (users[k], items[k])."""
        return torch.cat([self.expected(scores) for scores in self._scores(users, items)])

    def predict_levels(self, users: Tensor, items: Tensor) -> Tensor:
        """[pairs, levels] probability of each level of each pair (users[k], items[k])."""
        scores = self._scores(users, items)
        return torch.cat([self.probabilities(part) for part in scores], dim=1).T

    def _scores(self, users: Tensor, items: Tensor) -> Iterator[Tensor]:
        """Scores [levels, n] of the pairs before their running sum, a part at a time."""
        levels = len(self.levels)
        level = torch.arange(levels, device=users.device).unsqueeze(1)
        weight, bias = self.weight.flatten(end_dim=1).T, self.bias.flatten()
        for u, i in zip(torch.split(users, _PAIRS), torch.split(items, _PAIRS), strict=True):
            rows = (u * levels + level).flatten()
            products = predict_pairs(self.hidden, weight, bias, rows, i.repeat(levels))
            yield products.view(levels, len(u))

    def predict_grid(self, users: Tensor, items: Tensor) -> Tensor:
        """[u, i] expected ratings."""
        hidden = self.hidden[items].T
        rows = min(max(_PAIRS // max(len(items), 1), 1), _USERS)
        parts = [
            self.expected(
                (self.weight[u] @ hidden + self.bias[u].unsqueeze(2)).transpose(0, 1)
            ).view(len(u), len(items))
            for u in torch.split(users, rows)
        ]
        return torch.cat(parts)
