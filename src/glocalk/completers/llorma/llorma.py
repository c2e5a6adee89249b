"""LLORMA: local low-rank models around anchor pairs, averaged by a kernel.

Lee, Kim, Lebanon, Singer, "Local Low-Rank Matrix Approximation", ICML 2013; the same with Bengio,
"LLORMA: Local Low-Rank Matrix Approximation", JMLR 2016; the authors' code is part of PREA
(`jnhwkim/PREA`). Of a factorization of all ratings into x [users, base rank] and y [items, base
rank], the stage `base`, come the distances of users, and likewise of items,

    d(u, v) = 2/π arccos(x_u·x_v / ‖x_u‖ ‖x_v‖),   0 the same direction, 1 a right angle,

from which each of T anchors (u_t, i_t), drawn from the rated pairs, has an Epanechnikov kernel of
width h on either side, and a model p_t [users, rank], q_t [items, rank] for the pairs in its reach:

    K_t(u) = ¾ max(0, 1 − d(u, u_t)²/h²),   K_t(i) likewise
    r̂ᵤᵢ = Σ_t w_t p_tᵤ·q_tᵢ,   w_t = K_t(u) K_t(i) / Σ_s K_s(u) K_s(i)

The stage `local` trains the models from uniform values, by stochastic gradient descent over the
ratings user by user. `parallel`, the paper of 2013, lets each model fit the ratings by itself,
`global`, that of 2016, their mean:

    parallel: Σ_t Σ_observed K_t(u) K_t(i) (r − p_t·q_t)² + λ (‖p_tᵤ‖² + ‖q_tᵢ‖²)
    global:        Σ_observed (r − r̂)² + λ Σ_t (‖p_tᵤ‖² + ‖q_tᵢ‖²)

λ counts once a rating, however little a model weighs there: in `global`, where T models share an
error, it shrinks them about T times as much as in one factorization.

The code differs in three things. It stops both stages where errors stop falling, by thresholds;
here the number of epochs is an option, and the protocols choose. It draws initial local factors
from 0 … 1, here 0 … 2 √(mean rating / rank), which predicts the mean rating on any scale (with rank
20 on MovieLens, 0 … .85). And to pairs that no anchor reaches it gives the middle of the scale;
here the base factorization predicts them. It predicts as well wherever the user or the item has no
training ratings, whose base factors are then the mean of all others'.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from glocalk.completers.base import Completer, State, take
from glocalk.completers.llorma.loops import (
    Factors,
    Kernels,
    Ratings,
    Step,
    joint_steps,
    separate_steps,
    weighted_means,
)
from glocalk.config import BaseConfig
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.sparse.compiled import Array
from glocalk.training.context import FitContext

_STATE = (
    "user_weights",
    "item_weights",
    "user_factors",
    "item_factors",
    "base_users",
    "base_items",
)


class SGDConfig(BaseConfig):
    """Options of one stage."""

    rank: int = Field(ge=1)
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0, description="γ")
    regularization: float = Field(ge=0, description="λ, once a rating")


class LLORMAConfig(BaseConfig):
    """Options of LLORMA."""

    algorithm: Literal["parallel", "global"]
    anchors: int = Field(ge=1, description="T")
    kernel_width: float = Field(gt=0, description="h; 2 is the largest distance there is")
    base: SGDConfig
    local: SGDConfig


class LLORMA(Completer):
    """Local models and their kernels; a killed training starts again."""

    Config = LLORMAConfig
    official = "validated"  # `global` stops by ratings held out; `parallel` looks at test ratings

    config: LLORMAConfig

    _base = _local = Factors(np.empty((0, 1, 1)), np.empty((0, 1, 1)))
    _kernels = Kernels(np.empty((0, 1)), np.empty((0, 1)))

    @property
    def schedule(self) -> dict[str, int]:
        return {"base": self.config.base.epochs, "local": self.config.local.epochs}

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        generator = np.random.default_rng(context.seed)
        self._fit_base(train, generator, context)
        self._fit_local(train, generator, context)

    def _fit_base(
        self, train: RatingMatrix, generator: np.random.Generator, context: FitContext
    ) -> None:
        config = self.config.base
        highest = 1 / config.rank  # as the official code has it
        self._base = _draw(train.shape, 1, config.rank, highest, generator)
        self._kernels, self._local = _no_models(train.shape)
        ratings = Ratings(train.users, train.items, train.ratings)
        everywhere = Kernels(*(np.ones((size, 1)) for size in train.shape))
        rated = _rated(train)
        for epoch in range(1, config.epochs + 1):
            loss = separate_steps(
                ratings, everywhere, self._base, Step(config.learning_rate, config.regularization)
            )
            _refuse_divergence(loss, "base")
            for side, known in zip(self._base, rated, strict=True):
                side[~known] = side[known].mean(axis=0)
            context.observer.epoch_ended("base", epoch, self.predict_pairs, loss)

    def _fit_local(
        self, train: RatingMatrix, generator: np.random.Generator, context: FitContext
    ) -> None:
        config = self.config.local
        anchors = draw_anchors(train, self.config.anchors, generator)
        self._kernels = Kernels(
            *(
                known[:, None]
                * epanechnikov(arc_distances(side[:, 0], anchor), self.config.kernel_width)
                for side, anchor, known in zip(self._base, anchors, _rated(train), strict=True)
            )
        )
        highest = 2 * math.sqrt(np.abs(train.ratings).mean() / config.rank)
        self._local = _draw(train.shape, self.config.anchors, config.rank, highest, generator)
        ratings = Ratings(train.users, train.items, train.ratings)
        steps = separate_steps if self.config.algorithm == "parallel" else joint_steps
        step = Step(config.learning_rate, config.regularization)
        for epoch in range(1, config.epochs + 1):
            loss = steps(ratings, self._kernels, self._local, step)
            _refuse_divergence(loss, "local")
            context.observer.epoch_ended("local", epoch, self.predict_pairs, loss)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        return weighted_means(users, items, self._kernels, self._local, self._base)

    def state(self) -> State:
        arrays = (*self._kernels, *self._local, *self._base)
        return {name: torch.from_numpy(array) for name, array in zip(_STATE, arrays, strict=True)}

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        anchors = self.config.anchors

        def sides(kind: str, *rest: int) -> tuple[Array, Array]:
            user, item = (name for name in _STATE if kind in name)
            return (
                take(state, user, (shape[0], *rest)).numpy(),
                take(state, item, (shape[1], *rest)).numpy(),
            )

        self._kernels = Kernels(*sides("weights", anchors))
        self._local = Factors(*sides("factors", anchors, self.config.local.rank))
        self._base = Factors(*sides("base", 1, self.config.base.rank))

    @property
    def num_parameters(self) -> int:
        return sum(side.size for side in (*self._base, *self._local))


def draw_anchors(
    train: RatingMatrix, count: int, generator: np.random.Generator
) -> tuple[Indices, Indices]:
    """Users, each as likely as another, and one of each's rated items: [count] of either.

    Users without ratings are none; a pair may come more than once.
    """
    counts = np.bincount(train.users, minlength=train.num_users)
    users = generator.choice(np.flatnonzero(counts), count)
    starts = np.cumsum(counts) - counts  # ratings are in order of users
    chosen = starts[users] + generator.integers(counts[users])
    return users, train.items[chosen]


def arc_distances(vectors: Array, anchors: Indices) -> Array:
    """2/π arccos of the cosine of each vector and each anchor's: [n, rank] → [n, anchors].

    From 0 to 2; a vector of length 0 is at a right angle to all.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = vectors / np.where(lengths > 0, lengths, 1)
    cosines = np.clip(directions @ directions[anchors].T, -1, 1)
    return 2 / np.pi * np.arccos(cosines)


def epanechnikov(distances: Array, width: float) -> Array:
    """¾ max(0, 1 − (d/h)²), of each distance d."""
    kernel: Array = 0.75 * np.maximum(0, 1 - np.square(distances / width))
    return kernel


def _rated(train: RatingMatrix) -> tuple[Array, Array]:
    """Whether each user, and each item, has a training rating: [users], [items]."""
    users, items = train.shape
    return np.bincount(train.users, minlength=users) > 0, np.bincount(
        train.items, minlength=items
    ) > 0


def _draw(
    shape: tuple[int, int],
    models: int,
    rank: int,
    highest: float,
    generator: np.random.Generator,
) -> Factors:
    """Factors of `models` models, uniform from 0 to `highest`."""
    users, items = (highest * generator.random((size, models, rank)) for size in shape)
    return Factors(users, items)


def _no_models(shape: tuple[int, int]) -> tuple[Kernels, Factors]:
    """The local part while there is none: the base predicts everything."""
    users, items = shape
    return (
        Kernels(np.empty((users, 0)), np.empty((items, 0))),
        Factors(np.empty((users, 0, 1)), np.empty((items, 0, 1))),
    )


def _refuse_divergence(loss: float, stage: str) -> None:
    if not math.isfinite(loss):
        raise GlocalkError(
            f"The squared errors of an epoch sum to {loss:g}: the gradient descent has diverged, "
            f"so lower model.{stage}.learning_rate."
        )
