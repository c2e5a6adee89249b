"""What is kept of the samples, and predictions from it.

A score is w₀, the biases of the pair's user, item and date, and the products of their factors. The
mean score over samples is that of biases and of products, and is kept as in Bayesian MF; so are a
few of the samples, for the variance. The mean probability of a level is not a function of mean
scores: for it, biases and factors of every sample are kept, in single precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, Self, TypeAlias

import numpy as np
import torch

from glocalk.completers.base import State, take
from glocalk.completers.bayesian_fm.probit import add_sampled_probabilities
from glocalk.completers.bayesian_fm.sampler import Sampler
from glocalk.completers.blocks.sampling.kept import KeptSamples, SampleKeeper, found
from glocalk.completers.blocks.sampling.posterior import Means, PosteriorMean
from glocalk.data.rating_matrix import Indices, Values
from glocalk.distributions import Distribution, LevelDistribution
from glocalk.sparse.compiled import Array
from glocalk.stopping import safe_point
from glocalk.training.loop import LoopState

_DATED = "dated_"  # begins the names of what belongs to dates
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

    def distribution(self, users: Indices, items: Indices, dates: Indices | None) -> Distribution:
        """Distributions of the ratings; arguments as in `predict`."""

    def state(self) -> State:
        """Everything, for a model file."""


class ScoreMean:
    """Keeps the mean score: products of users and items, and of dates with both.

    Args:
        sizes: number of rows of each block.
        rank: number of columns of V.
        kept_rank: number of columns that each of the two kinds of products is kept in.
        samples: number of samples.
        mean: mean of the training ratings, which was subtracted.
    """

    def __init__(self, sizes: Sizes, rank: int, kept_rank: int, samples: int, mean: float) -> None:
        dates, users, items = self._sizes = sizes
        self._rank, self._rating_mean = rank, mean
        self._pairs = PosteriorMean((users, items), kept_rank)
        self._dated = PosteriorMean((dates, users + items), kept_rank) if dates else None
        self._keeper = SampleKeeper(_kinds(sizes), rank, samples)

    def add(self, sampler: Sampler) -> None:
        """Add the sampler's last sample."""
        biases, vectors, dates = sampler.biases, sampler.factors.T, self._sizes.dates
        self._pairs.add(sampler.constant, biases[dates:], vectors[dates:])
        if self._dated is not None:
            of_dates = np.concatenate([biases[:dates], np.zeros(len(biases) - dates)])
            self._dated.add(0.0, of_dates, vectors)
        self._keeper.add(sampler.constant, biases, vectors, sampler.alpha)

    def state(self) -> LoopState:
        """What the next `add` depends on."""
        dated = self._dated.state(self._rank) if self._dated is not None else {}
        return {**self._pairs.state(self._rank), **_prefixed(dated), **self._keeper.state()}

    def restore(self, state: LoopState) -> None:
        """Continue from what `state` returned."""
        self._pairs.restore(state)
        if self._dated is not None:
            size = len(_DATED)
            dated = {name[size:]: part for name, part in state.items() if name.startswith(_DATED)}
            self._dated.restore(dated)
        self._keeper.restore(state)

    def finish(self) -> MeanScores:
        """Return what predicts."""
        constant, *rest = self._pairs.means()
        dated = self._dated.means() if self._dated is not None else None
        samples = self._keeper.finish(self._rating_mean)
        return MeanScores(Means(self._rating_mean + constant, *rest), dated, samples)


class MeanScores:
    """Predicts the mean score.

    Args:
        pairs: means of users (rows) and items (columns).
        dated: means of dates (rows), and of users and items (columns); None without dates.
        samples: some of the samples; None if an older version saved the model.
    """

    def __init__(
        self, pairs: Means, dated: Means | None, samples: KeptSamples | None = None
    ) -> None:
        self._pairs, self._dated, self._samples = pairs, dated, samples

    def predict(self, users: Indices, items: Indices, dates: Indices | None) -> Values:
        """[pairs] predicted ratings; `dates` [pairs] is the row of each date, or None."""
        pairs, dated, predicted = self._pairs, self._dated, np.empty(len(users))
        for start in range(0, len(users), _CHUNK):
            part = slice(start, start + _CHUNK)
            u, i = users[part], items[part]
            scores = pairs.constant + pairs.row_biases[u] + pairs.column_biases[i]
            scores += np.einsum("nk,nk->n", pairs.left[u], pairs.right[i])
            if dated is not None and dates is not None:
                d, others = dates[part], dated.right[u] + dated.right[len(pairs.left) + i]
                scores += dated.row_biases[d] + np.einsum("nk,nk->n", dated.left[d], others)
            predicted[part] = scores
        return predicted

    def distribution(self, users: Indices, items: Indices, dates: Indices | None) -> Distribution:
        """Normal distributions about the predictions; arguments as in `predict`."""
        rows = {"users": users, "items": items, **({} if dates is None else {"dates": dates})}
        samples = found(self._samples, "BayesianFM")
        return samples.distribution(rows, self.predict(users, items, dates))

    def state(self) -> State:
        """Everything, for `of_state`."""
        dated = self._dated._asdict() if self._dated is not None else {}
        parts = {**self._pairs._asdict(), **_prefixed(dated)}
        means = {name: torch.from_numpy(np.asarray(part)) for name, part in parts.items()}
        return {**means, **(self._samples.state() if self._samples else {})}

    @classmethod
    def of_state(cls, state: State, sizes: Sizes, rank: int, kept_rank: int, samples: int) -> Self:
        """Become what `state` was taken of.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """
        dates, users, items = sizes
        pairs = _take_means(state, "", (users, items), kept_rank)
        both = (dates, users + items)
        dated = _take_means(state, _DATED, both, kept_rank) if dates else None
        return cls(pairs, dated, KeptSamples.of_state(state, _kinds(sizes), rank, samples))


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

    def distribution(self, users: Indices, items: Indices, dates: Indices | None) -> Distribution:
        """Mean probabilities of the levels; arguments as in `predict`."""
        return LevelDistribution(self._levels, self.probabilities(users, items, dates))

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


def _kinds(sizes: Sizes) -> dict[str, int]:
    """The number of rows by kind, without dates where there are none."""
    return {kind: size for kind, size in sizes._asdict().items() if size or kind != "dates"}


def _prefixed(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{_DATED}{name}": part for name, part in parts.items()}


def _take_means(state: State, prefix: str, shape: tuple[int, int], kept_rank: int) -> Means:
    rows, columns = shape
    shapes = ((), (rows,), (columns,), (rows, kept_rank), (columns, kept_rank))
    constant, *rest = (
        take(state, f"{prefix}{name}", shape).double().numpy()
        for name, shape in zip(Means._fields, shapes, strict=True)
    )
    return Means(float(constant), *rest)
