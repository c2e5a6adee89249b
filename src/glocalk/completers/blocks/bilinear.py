"""Rating levels from embeddings of users and items, by a mixture of bilinear forms.

The decoder of GC-MC (van den Berg, Kipf, Welling 2018), and of models that have it from there:

    p(r | u, i) = softmax_r Σ_b a_{b,r} zᵤᵀ Q_b zᵢ
    r̂ᵤᵢ = Σ_r p(r | u, i) · level_r
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glocalk.completers.base import State, take
from glocalk.completers.blocks.glorot import glorot, glorot_limit
from glocalk.completers.blocks.rating_graph import RatingGraph
from glocalk.completers.stepwise import StepwiseCompleter, take_levels
from glocalk.data.rating_matrix import Indices, Values
from glocalk.distributions import LevelDistribution, with_means

_PAIRS = 4096  # pairs predicted at a time, so that their embeddings stay in the cache


class BilinearMixture(nn.Module):
    """Scores of the rating levels: Σ_b a_{b,level} uᵀ Q_b v.

    Args:
        size: length of u and v.
        bases: number of matrices Q.
        levels: number of rating levels.
        generator: source of the initial values: Glorot's, except Q where `orthogonal` is given.
        orthogonal: factor of an orthogonal initial Q.
    """

    def __init__(
        self,
        size: int,
        bases: int,
        levels: int,
        generator: torch.Generator,
        orthogonal: float | None = None,
    ) -> None:
        super().__init__()
        self.bases = nn.Parameter(torch.empty(bases, size, size))
        limit = glorot_limit(size, size)
        for basis in self.bases:
            if orthogonal is None:
                nn.init.uniform_(basis, -limit, limit, generator)
            else:
                nn.init.orthogonal_(basis, orthogonal, generator)
        self.coefficients = glorot(bases, levels, generator)

    def forward(self, graph: RatingGraph, users: Tensor, items: Tensor) -> Tensor:
        """[levels, n] scores of the graph's ratings, in the order of its labels.

        Args:
            graph: the ratings.
            users: [users, size].
            items: [items, size].
        """
        scores = torch.stack([graph.scores(users @ basis, items) for basis in self.bases])
        # Levels first: the softmax over them then runs along memory, which is ten times faster.
        return self.coefficients.T @ scores


def expected_pairs(
    left: Tensor, right: Tensor, coefficients: Tensor, levels: Tensor, users: Tensor, items: Tensor
) -> Tensor:
    """Expected rating of each pair (users[k], items[k]).

    Args:
        left: [bases, users, size] uᵀ Q_b.
        right: [items, size] v.
        coefficients: [bases, levels] a.
        levels: [levels] ratings of the levels.
        users: [pairs] user indices.
        items: [pairs] item indices.

    Returns:
        [pairs] means of the levels, weighted by the softmax of their scores.
    """
    return expected(scores_of_pairs(left, right, users, items), coefficients, levels)


def scores_of_pairs(left: Tensor, right: Tensor, users: Tensor, items: Tensor) -> Tensor:
    """Scores [bases, pairs] uᵀ Q_b v of each pair (users[k], items[k]); see `expected_pairs`."""
    scores = [
        (left[:, u] * right[i]).sum(dim=-1)
        for u, i in zip(users.split(_PAIRS), items.split(_PAIRS), strict=True)
    ]
    return torch.cat(scores, dim=1)


def expected(scores: Tensor, coefficients: Tensor, levels: Tensor) -> Tensor:
    """Expected rating [pairs] for the scores [bases, pairs] uᵀ Q_b v; see `expected_pairs`."""
    return levels @ probabilities(scores, coefficients)


def probabilities(scores: Tensor, coefficients: Tensor) -> Tensor:
    """Probability of each level [levels, pairs] for the same scores."""
    return (coefficients.T @ scores).softmax(dim=0)


class BilinearOutput(NamedTuple):
    """What predictions are computed from, see `expected_pairs`.

    `left` is [bases, users, size], `right` [items, size], `coefficients` [bases, levels], `levels`
    [levels]. `offsets` [users] is added to the expected rating.
    """

    left: Tensor
    right: Tensor
    coefficients: Tensor
    levels: Tensor
    offsets: Tensor


class BilinearCompleter(StepwiseCompleter[BilinearOutput]):
    """Trains one stage; predictions are expected ratings of a `BilinearMixture`.

    The predictive distribution is p(r | u, i). Where the prediction is not its mean, because users
    or items without training ratings have another one, p is changed to the nearest distribution
    with that mean, see `glocalk.distributions.with_means`.
    """

    @property
    @abstractmethod
    def _form(self) -> tuple[int, int]:
        """Number of matrices Q, and length of z."""

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        left, right, coefficients, levels, offsets = self._output()
        u, i = self._tensors(right, users, items)
        predicted = expected_pairs(left, right, coefficients, levels, u, i) + offsets[u]
        return predicted.double().cpu().numpy()

    @property
    def gives_distribution(self) -> bool:
        return True

    def predict_distribution_pairs(self, users: Indices, items: Indices) -> LevelDistribution:
        left, right, coefficients, levels, _ = self._output()
        u, i = self._tensors(right, users, items)
        shares = probabilities(scores_of_pairs(left, right, u, i), coefficients).T
        means = self.predict_pairs(users, items)
        return with_means(levels.double().cpu().numpy(), shares.double().cpu().numpy(), means)

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        left, right, coefficients, levels, offsets = self._output()
        u, i = self._tensors(right, users, items)
        scores = left[:, u] @ right[i].T
        grid = expected(scores.flatten(start_dim=1), coefficients, levels)
        predicted = grid.view(len(users), len(items)) + offsets[u].unsqueeze(1)
        return predicted.double().cpu().numpy()

    def _take_output(self, state: State, shape: tuple[int, int]) -> BilinearOutput:
        users, items = shape
        bases, size = self._form
        levels = take_levels(state)
        return BilinearOutput(
            take(state, "left", (bases, users, size)),
            take(state, "right", (items, size)),
            take(state, "coefficients", (bases, len(levels))),
            levels,
            take(state, "offsets", (users,)),
        )
