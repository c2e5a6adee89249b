"""The posterior predictive distribution of normal ratings, from a few of the samples.

Given the training ratings, a rating is a mixture over samples s = 1 … S of the posterior,

    p(r | ratings) = (1/S) Σₛ Normal(r; scoreₛ, αₛ⁻¹)
    mean = (1/S) Σₛ scoreₛ,   variance = (1/S) Σₛ αₛ⁻¹ + (1/S) Σₛ (scoreₛ − mean)²

the noise of a rating plus what is not known of its mean. It is taken for the normal distribution
with that mean and variance. Sums over α are over all samples. The spread of the scores is that of
K samples, evenly spaced among those that are averaged, about the prediction: its standard error is
a share √(2/K) of it, and it is a small part of the variance where there are ratings. With all
samples, a model of ML-1M at rank 32 would take 650 MB, with 16 of them 20 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np
import torch

from glocalk.completers.base import State, take
from glocalk.data.rating_matrix import Indices, Values
from glocalk.distributions import NormalDistribution
from glocalk.errors import GlocalkError
from glocalk.sparse.compiled import Array
from glocalk.training.loop import LoopState

KEPT = 16
"""K, the number of samples that are kept, if there are so many."""

_CHUNK = 1 << 12  # pairs whose samples are gathered at a time, which bounds the memory


@dataclass(frozen=True)
class KeptSamples:
    """The samples that are kept, and the mean variance of the noise.

    Attributes:
        noise: mean of α⁻¹ over all samples.
        blocks: biases and factors [rows, K, 1 + rank] of each kind of rows, such as users; a score
            is the sum of the biases and of the products of the factors of one row of each kind.
    """

    noise: float
    blocks: Mapping[str, Array]

    def distribution(self, rows: Mapping[str, Indices], mean: Values) -> NormalDistribution:
        """The distributions of ratings.

        Args:
            rows: [pairs] row of each pair, by kind.
            mean: [pairs] predictions.
        """
        variance = np.empty(len(mean))
        for start in range(0, len(mean), _CHUNK):
            part = slice(start, start + _CHUNK)
            of = [block[rows[kind][part]] for kind, block in self.blocks.items()]
            scores = sum(one[..., 0].astype(np.float64) for one in of)
            for one, other in combinations(of, 2):
                scores = scores + np.einsum("nsk,nsk->ns", one[..., 1:], other[..., 1:])
            variance[part] = np.mean((scores - mean[part, np.newaxis]) ** 2, axis=1)
        return NormalDistribution(mean, np.sqrt(self.noise + variance))

    def state(self) -> State:
        """Everything, for `of_state`."""
        blocks = {f"samples_{kind}": torch.from_numpy(block) for kind, block in self.blocks.items()}
        return {"noise": torch.tensor(self.noise, dtype=torch.float64), **blocks}

    @classmethod
    def of_state(
        cls, state: State, sizes: Mapping[str, int], rank: int, samples: int
    ) -> Self | None:
        """Become what `state` was taken of; None if it is of a version that kept no samples.

        Args:
            state: what `state` returned, among other parts.
            sizes: number of rows of each kind.
            rank: number of factors.
            samples: number of samples that were averaged.

        Raises:
            GlocalkError: the state does not fit, see `take`.
        """
        if "noise" not in state:
            return None
        noise, kept = float(take(state, "noise", ())), min(KEPT, samples)
        if not noise > 0:
            raise GlocalkError("The saved 'noise' is not above 0.")
        blocks = {
            kind: take(state, f"samples_{kind}", (size, kept, 1 + rank)).float().numpy()
            for kind, size in sizes.items()
        }
        return cls(noise, blocks)


class SampleKeeper:
    """Keeps evenly spaced samples while they are drawn.

    Args:
        sizes: number of rows of each kind, in the order of the rows of a sample.
        rank: number of factors.
        samples: number of samples that will be added.
    """

    def __init__(self, sizes: Mapping[str, int], rank: int, samples: int) -> None:
        self._sizes, self._samples, self._count = dict(sizes), samples, 0
        self._kept = np.zeros((sum(sizes.values()), min(KEPT, samples), 1 + rank), np.float32)
        self._constants = np.zeros(min(KEPT, samples))
        self._noise = 0.0

    def add(self, constant: float, biases: Values, vectors: Values, precision: float) -> None:
        """Add one sample: w₀, biases [rows], factors [rows, rank] and α."""
        kept = self._kept.shape[1]
        place = self._count * kept // self._samples
        self._count += 1
        if self._count * kept // self._samples > place:  # the last one of each of K equal parts
            self._kept[:, place, 0] = biases
            self._kept[:, place, 1:] = vectors
            self._constants[place] = constant
        self._noise += 1 / precision

    def finish(self, mean: float) -> KeptSamples:
        """Return what was kept; `mean` is what was subtracted from the ratings."""
        ends = np.cumsum(list(self._sizes.values()))[:-1]
        blocks = dict(zip(self._sizes, np.split(self._kept, ends), strict=True))
        blocks["users"][..., 0] += (mean + self._constants).astype(np.float32)
        return KeptSamples(self._noise / self._count, blocks)

    def state(self) -> LoopState:
        """What the next `add` depends on."""
        return {
            "kept_count": self._count,
            "kept_samples": self._kept,
            "kept_constants": self._constants,
            "noise_sum": self._noise,
        }

    def restore(self, state: LoopState) -> None:
        """Continue from what `state` returned."""
        self._count, self._noise = state["kept_count"], state["noise_sum"]
        self._kept, self._constants = state["kept_samples"], state["kept_constants"]


def found(samples: KeptSamples | None, model: str) -> KeptSamples:
    """The samples of a fitted model.

    Raises:
        GlocalkError: there are none, because an older version saved the model.
    """
    if samples is None:
        raise GlocalkError(
            f"This {model} was saved by a version of glocalk that kept no samples, so that it has "
            "no distribution: train it again (force=true replaces a run)."
        )
    return samples
