"""LLORMA: local low-rank models around anchor pairs, averaged by a kernel.

Lee, Kim, Lebanon, Singer, "Local Low-Rank Matrix Approximation", ICML 2013; the same with Bengio,
"LLORMA: Local Low-Rank Matrix Approximation", JMLR 2016; the authors' code is part of PREA
(`jnhwkim/PREA`). The stage `base` factorizes all ratings into x [users, base rank] and
y [items, base rank]. From these come the distances of users, and likewise of items,

    d(u, v) = 2/π arccos(x_u·x_v / ‖x_u‖ ‖x_v‖),   0 for the same direction, 1 for a right angle.

Each of T anchors (u_t, i_t), drawn from the rated pairs, has Epanechnikov kernels of width h over
users and over items, and a model p_t [users, rank], q_t [items, rank] for the pairs within reach:

    K_t(u) = ¾ max(0, 1 − d(u, u_t)²/h²),   K_t(i) likewise
    r̂ᵤᵢ = Σ_t w_t p_tᵤ·q_tᵢ,   w_t = K_t(u) K_t(i) / Σ_s K_s(u) K_s(i)

The stage `local` trains the models from uniform initial values, by stochastic gradient descent over
the ratings, user by user. With `parallel`, as in the paper of 2013, each model fits the ratings by
itself; with `global`, as in that of 2016, their weighted mean does:

    parallel: Σ_t Σ_observed K_t(u) K_t(i) (r − p_t·q_t)² + λ (‖p_tᵤ‖² + ‖q_tᵢ‖²)
    global:        Σ_observed (r − r̂)² + λ Σ_t (‖p_tᵤ‖² + ‖q_tᵢ‖²)

λ counts once per rating, regardless of the model's weight there: in `global`, where T models share
an error, it shrinks them about T times as much as in a single factorization.

The authors' code differs in three ways. It stops both stages when the errors stop falling, by
thresholds: the joint training of local models ends as soon as an epoch changes the RMSE over
held-out ratings by at most .001. Here the number of epochs is an option and the protocols choose
the epoch, `official` by that rule (`settled`). The error falls slowly and for long, so that it
ends the training well before the epoch of the lowest validation error. The authors' code draws
initial local factors from 0 … 1; here they come from 0 … 2 √(mean rating / rank), which predicts
the mean rating on any scale (with rank 20 on MovieLens, 0 … .85). And it predicts the middle of the
scale for pairs that no anchor reaches; here the base factorization predicts them. It also predicts
where the user or the item has no training ratings: the base factors of such users and items
are the mean of all others. Where neither has any, the prediction is the mean of the ratings.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field

from glocalk.completers.base import Completer, State, take
from glocalk.completers.blocks.rated import rated
from glocalk.completers.llorma.anchors import arc_distances, draw_anchors, epanechnikov
from glocalk.completers.llorma.loops import (
    Factors,
    Kernels,
    joint_steps,
    separate_steps,
    weighted_means,
)
from glocalk.completers.llorma.solver import BaseSolver, Solver
from glocalk.completers.resumable import run_epochs
from glocalk.config import BaseConfig
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.sparse.compiled import Array
from glocalk.training.context import FitContext


class BaseStageConfig(BaseConfig):
    """Options of the stage `base`, whose factors the distances are computed from."""

    rank: int = Field(default=10, ge=1, description="length of the factor vectors")
    epochs: int = Field(default=200, ge=1)
    learning_rate: float = Field(default=0.005, gt=0, description="γ")
    regularization: float = Field(default=0.1, ge=0, description="λ, once per rating")


class LocalStageConfig(BaseConfig):
    """Options of the stage `local`, which trains the local models."""

    rank: int = Field(default=10, ge=1, description="length of each model's factor vectors")
    epochs: int = Field(default=150, ge=1)
    learning_rate: float = Field(default=0.1, gt=0, description="γ")
    regularization: float = Field(default=0.0005, ge=0, description="λ, once per rating")


class LLORMAConfig(BaseConfig):
    """Options of `LLORMA`; the defaults are those chosen on validation for ML-100K."""

    algorithm: Literal["parallel", "global"] = Field(
        default="global",
        description="global: the models fit the ratings together; parallel: each by itself",
    )
    anchors: int = Field(default=100, ge=1, description="T, number of local models")
    kernel_width: float = Field(
        default=0.8, gt=0, description="h, in right angles; the largest distance is 2"
    )
    base: BaseStageConfig = BaseStageConfig()
    local: LocalStageConfig = LocalStageConfig()


class _Models(NamedTuple):
    """What predictions are made from.

    Attributes:
        kernels: weights of each anchor.
        local: factors of each anchor's model.
        base: factors of one model, for the pairs that no anchor reaches.
    """

    kernels: Kernels
    local: Factors
    base: Factors


class _Unrated(NamedTuple):
    """Which users [users] and items [items] have no training ratings, and the mean rating."""

    users: Array
    items: Array
    mean: float

    @classmethod
    def of(cls, train: RatingMatrix) -> _Unrated:
        users, items = rated(train)
        return cls(~users, ~items, float(train.ratings.mean()))


class LLORMA(Completer):
    """Local low-rank models around T anchors, averaged by a kernel.

        r̂ᵤᵢ = Σ_t w_t p_tᵤ·q_tᵢ,   w_t = K_t(u) K_t(i) / Σ_s K_s(u) K_s(i)

    The module documents the kernels K, the training and the differences from the authors' code.
    Sources: Lee, Kim, Lebanon, Singer, "Local Low-Rank Matrix Approximation", ICML 2013; the same
    with Bengio, JMLR 2016.

    Pairs that no anchor reaches, which include all pairs of a user or an item without training
    ratings, are predicted by the base factorization, where such a user or item has the mean factors
    of all others. Where neither has training ratings, the prediction is their mean.

    Example:
        >>> import glocalk
        >>> users = ["ann", "ann", "bob", "bob", "eve"]
        >>> items = ["Alien", "Brazil", "Alien", "Casablanca", "Brazil"]
        >>> ratings = glocalk.Ratings.from_arrays(users, items, [5, 3, 4, 1, 2], scale=(1, 5))
        >>> model = glocalk.LLORMA(anchors=3, kernel_width=2, local={"rank": 2, "epochs": 20})
        >>> model.fit(ratings, seed=0).top(["eve"], n=1).item.tolist()
        ['Alien']
    """

    Config = LLORMAConfig
    model_version = 2
    official = "settled"  # where `global` stops; `parallel` looks at test ratings instead
    config: LLORMAConfig
    _models: _Models | None = None
    _unrated: _Unrated | None = None

    @property
    def schedule(self) -> dict[str, int]:
        return {"base": self.config.base.epochs, "local": self.config.local.epochs}

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        generator = np.random.default_rng(context.seed)
        self._unrated = _Unrated.of(train)
        base = self._fit_base(train, generator, context)
        self._fit_local(train, base, generator, context)

    def _fit_base(
        self, train: RatingMatrix, generator: np.random.Generator, context: FitContext
    ) -> Factors:
        config = self.config.base
        highest = 1 / config.rank  # as in the authors' code
        base = _draw(train.shape, 1, config.rank, highest, generator)
        self._models = _Models(*_no_models(train.shape), base)
        run_epochs("base", config.epochs, BaseSolver(train, base, config), self, train, context)
        return base

    def _fit_local(
        self,
        train: RatingMatrix,
        base: Factors,
        generator: np.random.Generator,
        context: FitContext,
    ) -> None:
        config = self.config.local
        anchors = draw_anchors(train, self.config.anchors, generator)
        kernels = Kernels(
            *(
                known[:, None]
                * epanechnikov(arc_distances(side[:, 0], anchor), self.config.kernel_width)
                for side, anchor, known in zip(base, anchors, rated(train), strict=True)
            )
        )
        highest = 2 * math.sqrt(np.abs(train.ratings).mean() / config.rank)
        local = _draw(train.shape, self.config.anchors, config.rank, highest, generator)
        self._models = _Models(kernels, local, base)
        steps = separate_steps if self.config.algorithm == "parallel" else joint_steps
        solver = Solver("local", steps, train, kernels, local, config)
        run_epochs("local", config.epochs, solver, self, train, context)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        predicted: Values = weighted_means(users, items, *self._fitted)
        unrated = self._require(self._unrated)
        predicted[unrated.users[users] & unrated.items[items]] = unrated.mean
        return predicted

    def state(self) -> State:
        kernels, local, base = self._fitted
        unrated = self._require(self._unrated)
        arrays = {
            "user_weights": kernels.users,
            "item_weights": kernels.items,
            "user_factors": local.users,
            "item_factors": local.items,
            "base_user_factors": base.users,
            "base_item_factors": base.items,
            "unrated_users": unrated.users.astype(np.int32),
            "unrated_items": unrated.items.astype(np.int32),
            "mean": np.array(unrated.mean),
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        users, items = shape
        anchors, rank = self.config.anchors, self.config.local.rank

        def array(name: str, *dimensions: int) -> Array:
            taken: Array = take(state, name, dimensions).double().numpy()
            return taken

        self._models = _Models(
            Kernels(array("user_weights", users, anchors), array("item_weights", items, anchors)),
            Factors(
                array("user_factors", users, anchors, rank),
                array("item_factors", items, anchors, rank),
            ),
            Factors(
                array("base_user_factors", users, 1, self.config.base.rank),
                array("base_item_factors", items, 1, self.config.base.rank),
            ),
        )
        self._unrated = _Unrated(
            take(state, "unrated_users", (users,), whole=True).numpy() > 0,
            take(state, "unrated_items", (items,), whole=True).numpy() > 0,
            float(array("mean")),
        )

    @property
    def num_parameters(self) -> int:
        _, local, base = self._fitted
        return sum(side.size for side in (*base, *local))

    @property
    def _fitted(self) -> _Models:
        return self._require(self._models)


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
    """Kernels and factors of no local models: the base factorization predicts every pair."""
    users, items = shape
    return (
        Kernels(np.empty((users, 0)), np.empty((items, 0))),
        Factors(np.empty((users, 0, 1)), np.empty((items, 0, 1))),
    )
