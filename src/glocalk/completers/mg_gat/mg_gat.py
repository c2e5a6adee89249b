"""MG-GAT: multi-graph graph attention network, with attributes and graphs of users and items.

Leng, Ruiz, Dong, Pentland, "Interpretable Recommender System With Heterogeneous Information: A
Geometric Deep Learning Perspective", 2020, doi 10.2139/ssrn.3696092; official code `zuirod/mg-gat`
(TensorFlow 1). A matrix factorization in which each factor is the sum of a free part and of one
that an attention layer computes from what is known of a user and of the neighbors in a graph:

    r̂ᵤᵢ = lowest + width · σ(pᵤ·qᵢ + bᵤ + bᵢ + b),   width = highest − lowest
    pᵤ = Pᵤ + act_out(act_in(hᵤ) W + c),   qᵢ likewise with weights of its own
    hᵤ = Σ_v α_uv yᵥ + a + (Xᵤ W_r + a_r),   yᵤ = Xᵤ W_y
    α_uv = softmax_v of LeakyReLU(m_uv (sᵤ + tᵥ)),   m = I + graph of the users, where it is not 0
    sᵤ = yᵤ·w_s + a_s,   tᵤ = yᵤ·w_t + a_t   (slope .2 below 0)

    Xᵤ = [U √S of the binary training matrix | attributes of u],   Xᵢ = [V √S | attributes of i]

    loss = (1 − α) · mean over ratings of (r − r̂)² / width² + α · Σ ‖·‖²

The penalty is on all matrices, P, Q, bᵤ and bᵢ, not on b and the biases of layers. Matrices start
by Glorot, all else at 0, and Adam makes full-batch updates.

A side without a graph attends to all its nodes, each with a discount of its own, as the official
code broadcasts a maximum along the other axis than it means to: see `FullAttention`.

| data set | features of users | features of items | graphs |
|---|---|---|---|
| ML-100K | age / 73, gender M = 1, occupation (21) | 18 genres, no `unknown` | of both sides |
| Douban | – | – | of users |

The official code makes a fixed number of updates on all training ratings, the mean over ten folds
of the best on the held-out one, and reports the error after the last.

Differences from the official code:

- The signs of singular vectors are fixed, see `implicit_features`; there they change from run to
  run.
- The scale is that of the data set; there it spans the ratings, test ratings included.
- Attention to all nodes is computed without an [n, n] array, to the same values.
- That code can add the Laplacians of the graphs to the penalty; its hyperparameters do not.

An epoch is `steps` updates; the official code has no epochs. The time of an update grows with
edges × hidden_size and with ratings × rank.
"""

from __future__ import annotations

from itertools import repeat
from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from glocalk.completers.base import State, take
from glocalk.completers.mg_gat.attention import FullAttention, NeighborAttention
from glocalk.completers.mg_gat.features import implicit_features, with_attributes
from glocalk.completers.mg_gat.network import Activation, Batch, Network, Side
from glocalk.completers.stepwise import EpochLoader, NetworkModule, StepwiseCompleter, dtype_of
from glocalk.config import BaseConfig
from glocalk.data.labels import Kind
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.data.side.encode import FeatureConfig
from glocalk.data.side.information import Need, SideInformation
from glocalk.operators.base import predict_pairs
from glocalk.training.context import FitContext


class MGGATConfig(BaseConfig):
    """Options of MG-GAT; the defaults are those published for ML-100K."""

    rank: int = Field(default=12, ge=1, description="length of p and q")
    hidden_size: int = Field(
        default=60, ge=1, description="units of the attention layer: n_head × rank there"
    )
    svd_rank: int = Field(
        default=9, ge=1, description="singular vectors of the binary training matrix in X"
    )
    hidden_activation: Activation = Field(default="softsign", description="act_in")
    output_activation: Activation = Field(default="sigmoid", description="act_out")
    residual: bool = Field(default=True, description="whether X W_r + a_r is added")
    user_features: tuple[FeatureConfig, ...] | None = Field(
        default=None,
        description="attributes of users; null takes all, encoded by their form; [] takes none",
    )
    item_features: tuple[FeatureConfig, ...] | None = Field(
        default=None, description="attributes of items, likewise"
    )
    user_graph: bool = Field(
        default=True, description="whether users attend to neighbors in a graph; else to all users"
    )
    item_graph: bool = Field(default=True, description="the same for items")
    regularization: float = Field(
        default=1.034655150889771e-05, ge=0, lt=1, description="α, share of the penalty in the loss"
    )
    learning_rate: float = Field(default=0.001, gt=0)
    epochs: int = Field(default=431, ge=1)
    steps: int = Field(
        default=10,
        ge=1,
        description="full-batch updates per epoch; the official code makes 4310 in all",
    )


class Output(NamedTuple):
    """What predictions are computed from: lowest + width · σ(users·items).

    `users` [users, rank + 2] is [p | bᵤ + b | 1], `items` [items, rank + 2] is [q | 1 | bᵢ], and
    `scale` is the lowest rating and the width.
    """

    users: Tensor
    items: Tensor
    scale: Tensor


class MGGATModule(NetworkModule[Network, Output]):
    """Adam on the loss of all ratings.

    Args:
        train: the ratings.
        side: what is known beside them.
        config: the options.
        generator: source of the initial values.
        dtype: precision of the network.

    Raises:
        GlocalkError: an attribute is missing, or its encoding does not fit.
    """

    config: MGGATConfig
    scale: Tensor

    def __init__(
        self,
        train: RatingMatrix,
        side: SideInformation,
        config: MGGATConfig,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.config = config
        implicit_users, implicit_items = implicit_features(train, config.svd_rank)

        def made(
            kind: Kind, implicit: Values, features: tuple[FeatureConfig, ...] | None, graph: bool
        ) -> Side:
            known = with_attributes(implicit, side, kind, features)
            attention = NeighborAttention(side.graph(kind), dtype) if graph else FullAttention()
            return Side(torch.from_numpy(known).to(dtype), attention, config, generator)

        self.network = Network(
            made("user", implicit_users, config.user_features, config.user_graph),
            made("item", implicit_items, config.item_features, config.item_graph),
        ).to(dtype)
        lowest, highest = train.scale
        shares = (train.ratings - lowest) / ((highest - lowest) or 1.0)
        self._ratings = Batch(
            torch.tensor(train.users), torch.tensor(train.items), torch.tensor(shares).to(dtype)
        )
        scale = torch.tensor([lowest, highest - lowest])
        self.register_buffer("scale", scale.to(dtype), persistent=False)

    def batches(self) -> EpochLoader[Batch]:
        """The batches of an epoch: every update is on all ratings."""
        steps = self.config.steps
        return EpochLoader(lambda: repeat(self._ratings, steps), steps)

    def loss(self, batch: Batch) -> Tensor:
        return self.network.loss(batch, self.config.regularization)

    @torch.no_grad()
    def output(self) -> Output:
        """What the network predicts from, as trained so far."""
        users, items = self.network.users, self.network.items
        by_user = [users(), (users.offsets + self.network.bias)[:, None]]
        ones = [torch.ones_like(side.offsets)[:, None] for side in (users, items)]
        return Output(
            torch.cat([*by_user, ones[0]], dim=1),
            torch.cat([items(), ones[1], items.offsets[:, None]], dim=1),
            self.scale,
        )


class MGGAT(StepwiseCompleter[Output]):
    """MG-GAT: attention over graphs of users and items, with their attributes.

    `fit` takes attributes and graphs from `side`.

    The module says which attributes the paper uses. A user or an item without training ratings is
    predicted from its attributes, its neighbors, and the fact that nobody rated it (singular
    vectors of 0): the penalty alone acts on its own factors and its offset, and pulls them to 0.

    Example:
        >>> import glocalk, pandas as pd
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> friends = pd.DataFrame({"one": [0, 1], "other": [1, 2]})
        >>> side = glocalk.SideInformation.from_frames(ratings.ids, user_edges=friends)
        >>> nothing = {"user_features": [], "item_features": [], "item_graph": False}
        >>> model = glocalk.MGGAT(rank=2, hidden_size=4, epochs=2, **nothing)
        >>> model.fit(ratings, side=side, seed=0).predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = MGGATConfig
    official = "last"  # the official code reports the error after a fixed number of updates
    config: MGGATConfig

    @property
    def needs(self) -> tuple[Need, ...]:
        config = self.config
        given: dict[Need, bool] = {
            "user attributes": config.user_features != (),
            "item attributes": config.item_features != (),
            "user graph": config.user_graph,
            "item graph": config.item_graph,
        }
        return tuple(need for need, is_needed in given.items() if is_needed)

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: an attribute is missing or its encoding does not fit, the singular
                vectors are not found, or the precision is neither single nor double.
        """
        dtype = dtype_of(context, "MG-GAT")
        generator = torch.Generator().manual_seed(context.seed)
        module = MGGATModule(train, context.side, self.config, generator, dtype)
        self._train(module, context)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        by_user, by_item, scale = self._output()
        u, i = self._tensors(by_user, users, items)
        scores = predict_pairs(by_item, by_user.T, by_user.new_zeros(len(by_user)), u, i)
        return _rated(scores, scale)

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        by_user, by_item, scale = self._output()
        u, i = self._tensors(by_user, users, items)
        return _rated(by_user[u] @ by_item[i].T, scale)

    def _take_output(self, state: State, shape: tuple[int, int]) -> Output:
        users, items = shape
        width = self.config.rank + 2
        return Output(
            take(state, "users", (users, width)),
            take(state, "items", (items, width)),
            take(state, "scale", (2,)),
        )


def _rated(scores: Tensor, scale: Tensor) -> Values:
    """Ratings of the scale: lowest + width · σ(scores)."""
    lowest, width = scale.double().cpu().numpy()
    predicted: Values = lowest + width * np.asarray(scores.double().sigmoid().cpu())
    return predicted
