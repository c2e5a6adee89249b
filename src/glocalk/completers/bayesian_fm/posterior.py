"""What is kept of the samples, and predictions from it.

A score is w₀, the biases of the pair's user, item and date, and the products of their factors. The
mean score over samples is that of biases and of products, and is kept as in Bayesian MF, without
the samples. The mean probability of a level is not a function of mean scores: for it, biases and
factors of every sample are kept, in single precision.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, Self, TypeAlias

import numpy as np
import torch

from glocalk.completers.base import State, take
from glocalk.completers.bayesian_fm.probit import add_sampled_probabilities
from glocalk.completers.bayesian_fm.sampler import Sampler
from glocalk.completers.sampling.posterior import Means, PosteriorMean
from glocalk.data.rating_matrix import Indices, Values
from glocalk.sparse.compiled import Array
from glocalk.stopping import safe_point
from glocalk.training.loop import LoopState

_CHUNK = 1 << 14  # pairs at a time, which bounds the memory and the time between safe points


class Sizes(NamedTuple):
    """Number of rows of each block, in the order of the design; no dates is 0."""

    dates: int
    users: int
    items: int


class Predictions(Protocol):
    """What predicts after a fit."""

    def predict(self, users: Indices, items: Indices, dates: Indices | None) -> Values:
        """[pairs] predicted ratings; `dates` [pairs] is the row of each date, or None."""

    def state(self) -> State:
        """Everything, for a model file."""


class ScoreMean:
    """Keeps the mean score.

    The rows of the kept products are users and dates, its columns items and dates: they hold
    users × items, users × dates and dates × items.

    Args:
        sizes: number of rows of each block.
        rank: number of columns of V.
        kept_rank: number of columns that the products are kept in.
        mean: mean of the training ratings, which was subtracted.
    """

    def __init__(self, sizes: Sizes, rank: int, kept_rank: int, mean: float) -> None:
        dates, users, items = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
        self._order = np.concatenate([users, dates, items, dates])
        self._sizes, self._rank, self._rating_mean = sizes, rank, mean
        self._mean = PosteriorMean(_shape(sizes), kept_rank)

    def add(self, sampler: Sampler) -> None:
        """Add the sampler's last sample."""
        biases, vectors = sampler.biases[self._order], sampler.factors.T[self._order]
        self._mean.add(sampler.constant, biases, vectors)

    def state(self) -> LoopState:
        """What the next `add` depends on."""
        return self._mean.state(self._rank)

    def restore(self, state: LoopState) -> None:
        """Continue from what `state` returned."""
        self._mean.restore(state)

    def finish(self) -> MeanScores:
        """Return what predicts."""
        constant, *rest = self._mean.means()
        return MeanScores(Means(self._rating_mean + constant, *rest), self._sizes)


class MeanScores:
    """Predicts the mean score.

    Args:
        means: of users and dates (rows), and of items and dates (columns).
        sizes: number of each.
    """

    def __init__(self, means: Means, sizes: Sizes) -> None:
        self._means, self._sizes = means, sizes

    def predict(self, users: Indices, items: Indices, dates: Indices | None) -> Values:
        """[pairs] predicted ratings; `dates` [pairs] is the row of each date, or None."""
        means, predicted = self._means, np.empty(len(users))
        for start in range(0, len(users), _CHUNK):
            part = slice(start, start + _CHUNK)
            u, i = users[part], items[part]
            p, q = means.left[u], means.right[i]
            scores = means.constant + means.row_biases[u] + means.column_biases[i]
            scores += np.einsum("nk,nk->n", p, q)
            if dates is not None:
                row, column = self._sizes.users + dates[part], self._sizes.items + dates[part]
                scores += means.row_biases[row]
                scores += np.einsum("nk,nk->n", p, means.right[column])
                scores += np.einsum("nk,nk->n", means.left[row], q)
            predicted[part] = scores
        return predicted

    def state(self) -> State:
        """Everything, for `of_state`."""
        return {
            name: torch.from_numpy(np.asarray(part)) for name, part in self._means._asdict().items()
        }

    @classmethod
    def of_state(cls, state: State, sizes: Sizes, kept_rank: int) -> Self:
        """Become what `state` was taken of.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """
        rows, columns = _shape(sizes)
        shapes = ((), (rows,), (columns,), (rows, kept_rank), (columns, kept_rank))
        constant, *rest = (
            take(state, name, shape).double().numpy()
            for name, shape in zip(Means._fields, shapes, strict=True)
        )
        return cls(Means(float(constant), *rest), sizes)


class SampleStore:
    """Keeps biases and factors of every sample.

    Args:
        sizes: number of rows of each block.
        rank: number of columns of V.
        samples: number of samples.
        levels: [levels] the distinct ratings, ascending.
    """

    def __init__(self, sizes: Sizes, rank: int, samples: int, levels: Values) -> None:
        self._sizes, self._levels, self._count = sizes, levels, 0
        self._kept = np.zeros((sum(sizes), samples, 1 + rank), np.float32)
        self._cut_points = np.zeros((samples, len(levels) - 1))

    def add(self, sampler: Sampler) -> None:
        """Add the sampler's last sample."""
        self._kept[:, self._count, 0] = sampler.biases
        self._kept[:, self._count, 1:] = sampler.factors.T
        self._cut_points[self._count] = sampler.likelihood.cut_points - sampler.constant
        self._count += 1

    def state(self) -> LoopState:
        """What the next `add` depends on."""
        return {"count": self._count, "kept": self._kept, "cut_points": self._cut_points}

    def restore(self, state: LoopState) -> None:
        """Continue from what `state` returned."""
        self._count, self._kept = state["count"], state["kept"]
        self._cut_points = state["cut_points"]

    def finish(self) -> SampledLevels:
        """Return what predicts."""
        bounds = np.cumsum(self._sizes)[:-1]
        return SampledLevels(self._levels, self._cut_points, *np.split(self._kept, bounds))


class SampledLevels:
    """Predicts the mean rating under the mean of the probabilities of the levels over samples.

    Args:
        levels: [levels] ratings.
        cut_points: [samples, levels − 1] γ − w₀.
        dates: [dates, samples, 1 + rank] bias and factors.
        users: [users, samples, 1 + rank].
        items: [items, samples, 1 + rank].
    """

    def __init__(
        self, levels: Values, cut_points: Values, dates: Array, users: Array, items: Array
    ) -> None:
        self._levels, self._cut_points = levels, cut_points
        self._of_dates, self._of_users, self._of_items = dates, users, items

    def probabilities(self, users: Indices, items: Indices, dates: Indices | None) -> Values:
        """[pairs, levels] mean probability of each level."""
        sums = np.zeros((len(users), len(self._levels)))
        for start in range(0, len(users), _CHUNK):
            safe_point()
            part = slice(start, start + _CHUNK)
            add_sampled_probabilities(
                users[part], items[part], np.empty(0, np.int64) if dates is None else dates[part],
                self._of_users, self._of_items, self._of_dates, self._cut_points, sums[part],
            )  # fmt: skip
        return sums / len(self._cut_points)

    def predict(self, users: Indices, items: Indices, dates: Indices | None) -> Values:
        """[pairs] predicted ratings; `dates` [pairs] is the row of each date, or None."""
        predicted: Values = self.probabilities(users, items, dates) @ self._levels
        return predicted

    def state(self) -> State:
        """Everything, for `of_state`."""
        parts = {
            "levels": self._levels,
            "cut_points": self._cut_points,
            "of_dates": self._of_dates,
            "of_users": self._of_users,
            "of_items": self._of_items,
        }
        return {name: torch.from_numpy(part) for name, part in parts.items()}

    @classmethod
    def of_state(cls, state: State, sizes: Sizes, rank: int, samples: int) -> Self:
        """Become what `state` was taken of.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """
        count = state["levels"].numel() if "levels" in state else 1
        levels = take(state, "levels", (max(count, 1),)).double().numpy()
        cut_points = take(state, "cut_points", (samples, len(levels) - 1)).double().numpy()
        parts = (
            take(state, f"of_{name}", (size, samples, 1 + rank)).float().numpy()
            for name, size in sizes._asdict().items()
        )
        return cls(levels, cut_points, *parts)


Posterior: TypeAlias = ScoreMean | SampleStore


def _shape(sizes: Sizes) -> tuple[int, int]:
    """Rows and columns of the kept products."""
    return sizes.users + sizes.dates, sizes.items + sizes.dates
