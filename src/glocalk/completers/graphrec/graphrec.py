"""GraphRec: non-linear co-embeddings of graph features, without side information.

Rashed, Grabocka, Schmidt-Thieme, "Attribute-Aware Non-Linear Co-Embeddings of Graph Features",
RecSys 2019; official code `ahmedrashed-ml/GraphRec` (TensorFlow 1). The features of users and items
are taken from the bipartite graph of the training ratings:

    xᵤ = [one-hot(u) | rᵤ. / highest rating | nᵤ / maxᵤ nᵤ]   [users + items + 1]

the user's index, the user's ratings (0 where missing), and the user's number nᵤ of training ratings
as a share of the highest; xᵢ likewise. One layer embeds each side, and the scalar product predicts:

    zᵤ = Vᵀ xᵤ + b,   zᵢ = Wᵀ xᵢ + c,   V, W [users + items + 1, rank]
    hᵤ = [ReLU(zᵤ) | ReLU(−zᵤ)],   hᵢ likewise   (concatenated ReLU)
    r̂ᵤᵢ = hᵤ·hᵢ = Σ_f max(0, zᵤ_f zᵢ_f)

    loss of a batch = ½ Σ ((r − r̂)² + λ_U ‖hᵤ‖² + λ_I ‖hᵢ‖²),   ‖h‖ = ‖z‖

The penalty is on the embeddings, once for each rating of the batch, and not on the weights. V and W
start normal, σ .01, b and c at 0; Adam makes the updates. As in the official code a batch is drawn
with replacement, an epoch has ⌊ratings / batch size⌋ batches, and the features include the rating
to be predicted. That code prints the test error of every epoch and keeps the last; it splits at
random, and only its README has a figure for u1.

Differences from the official code:

- The prediction for pairs with a user or an item without training ratings is the mean of the
  training ratings. There, their prediction comes from little more than the biases and initial
  weights.
- Ratings are counted from 0, as there, but from the lowest rating where a scale goes below 0: a
  scalar product of vectors without negative entries cannot predict below 0.
- It evaluates after the last update of an epoch, not after the first, and computes in the
  Trainer's precision, there float64. Adam adds its ε, 1e-8, to the corrected second moment.

A training may run under a budget, a share of the official epochs.

The time of an update grows with the number of ratings of the batch's users and items, see
`GraphFeatures`, and with the number of weights, all of which Adam updates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from glocalk.completers.base import State, take
from glocalk.completers.budget import BudgetConfig
from glocalk.completers.graphrec.features import GraphFeatures
from glocalk.completers.stepwise import (
    EpochLoader,
    StepwiseCompleter,
    StepwiseModule,
    dtype_of,
)
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.operators.base import predict_pairs
from glocalk.sparse.compiled import Array
from glocalk.training.context import FitContext

_SIGMA = 0.01  # of the initial weights


class GraphRecConfig(BudgetConfig):
    """Options of GraphRec, with the paper's symbols; the defaults are those for ML-100K."""

    rank: int = Field(default=50, ge=1, description="length of z")
    user_regularization: float = Field(
        default=0.05, ge=0, description="λ_U, on the users' embeddings"
    )
    item_regularization: float = Field(
        default=0.02, ge=0, description="λ_I, on the items' embeddings"
    )
    learning_rate: float = Field(default=0.00003, gt=0)
    batch_size: int = Field(default=1000, ge=1, description="ratings per update")
    epochs: int = Field(default=196, ge=1, description="official number of epochs")


class Embedding(nn.Module):
    """z of one side's nodes: one layer over their features.

    Args:
        features: length of x.
        rank: length of z.
        generator: source of the initial values.
    """

    def __init__(self, features: int, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(_SIGMA * torch.randn(features, rank, generator=generator))
        self.bias = nn.Parameter(torch.zeros(rank))

    def forward(self, features: GraphFeatures, nodes: Tensor) -> Tensor:
        """The z [n, rank] of distinct nodes [n]."""
        return features.product(nodes, self.weight) + self.bias


class Batch(NamedTuple):
    """Training ratings, which may repeat; [n] each, or [updates, n] for the batches of an epoch.

    Attributes:
        users: user of each rating.
        items: item of each rating.
        ratings: the ratings, counted from the origin.
    """

    users: Tensor
    items: Tensor
    ratings: Tensor


class Output(NamedTuple):
    """What predictions are computed from, r̂ᵤᵢ = hᵤ·hᵢ + origin.

    `users` is [users, 2 rank + 2], `items` [items, 2 rank + 2], `origin` a scalar.
    """

    users: Tensor
    items: Tensor
    origin: Tensor


class GraphRecModule(StepwiseModule[Output]):
    """Adam on the loss of one batch after another.

    A step of Lightning takes the batches of an epoch: a step for each would make a training on
    ML-100K a third longer.

    Args:
        train: the ratings; the features come from them alone.
        config: the options.
        generator: source of the initial values.
        dtype: precision of weights and features.
        extra: further features of users and of items, [users, f] and [items, g]; None for none.
    """

    automatic_optimization = False

    config: GraphRecConfig
    origin: Tensor
    mean: Tensor
    rated_users: Tensor
    rated_items: Tensor

    def __init__(
        self,
        train: RatingMatrix,
        config: GraphRecConfig,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
        extra: tuple[Array | None, Array | None] = (None, None),
    ) -> None:
        super().__init__()
        self.config = config
        lowest, highest = train.scale
        origin = min(lowest, 0.0)
        ratings = train.ratings - origin
        strengths = ratings / ((highest - origin) or 1.0)
        shape = train.shape
        of_users, of_items = extra
        self.user_features = GraphFeatures(
            train.users, train.items, strengths, shape, dtype, of_users
        )
        self.item_features = GraphFeatures(
            train.items, train.users, strengths, shape[::-1], dtype, of_items
        )
        self.users = Embedding(self.user_features.shape[1], config.rank, generator).to(dtype)
        self.items = Embedding(self.item_features.shape[1], config.rank, generator).to(dtype)
        triples = (train.users, train.items, ratings)
        user, item, rating = (torch.tensor(part) for part in triples)
        self._ratings = Batch(user, item, rating.to(dtype))
        for name, value in (
            ("origin", torch.tensor(origin)),
            ("mean", rating.mean()),
            ("rated_users", user.bincount(minlength=shape[0]).unsqueeze(1) > 0),
            ("rated_items", item.bincount(minlength=shape[1]).unsqueeze(1) > 0),
        ):
            self.register_buffer(name, value.to(dtype), persistent=False)

    def batches(self) -> EpochLoader[Batch]:
        """One item: the batches of an epoch, drawn with replacement."""
        return EpochLoader(self._draw, 1)

    def _draw(self) -> Iterator[Batch]:
        count, size = len(self._ratings.ratings), self.config.batch_size
        updates = max(count // size, 1)
        drawn = torch.stack([torch.randint(count, (size,)) for _ in range(updates)])
        yield Batch(*(part[drawn] for part in self._ratings))

    def loss(self, batch: Batch) -> Tensor:
        """Loss of the ratings [n] of a batch: a scalar."""
        user_nodes, user_of = torch.unique(batch.users, return_inverse=True)
        item_nodes, item_of = torch.unique(batch.items, return_inverse=True)
        z_users = F.embedding(user_of, self.users(self.user_features, user_nodes))
        z_items = F.embedding(item_of, self.items(self.item_features, item_nodes))
        errors = torch.relu(z_users * z_items).sum(dim=1) - batch.ratings
        config = self.config
        penalty = config.user_regularization * z_users.square().sum()
        penalty = penalty + config.item_regularization * z_items.square().sum()
        return (errors.square().sum() + penalty) / 2

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Make the updates of an epoch, one for each of its batches."""
        del batch_idx
        optimizer = cast(LightningOptimizer, self.optimizers())
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for users, items, ratings in zip(*batch, strict=True):
            loss = self.loss(Batch(users, items, ratings))
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            total += loss.detach()
        self.log("loss", total / len(batch.users))

    def trained(self) -> nn.Module:
        return self

    @torch.no_grad()
    def output(self) -> Output:
        """What the network predicts from, as trained so far."""
        sides = []
        for embedding, features in (
            (self.users, self.user_features),
            (self.items, self.item_features),
        ):
            z = embedding(features, torch.arange(features.shape[0], device=self.device))
            sides.append(torch.relu(torch.cat([z, -z], dim=1)))
        users, items = sides
        # Two more units give the mean to pairs without training ratings of the user or the item.
        rated_users, rated_items, mean = self.rated_users, self.rated_items, self.mean
        by_user = [users * rated_users, mean.expand_as(rated_users), 1 - rated_users]
        by_item = [items * rated_items, 1 - rated_items, mean * rated_items]
        return Output(torch.cat(by_user, dim=1), torch.cat(by_item, dim=1), self.origin)


class GraphRec(StepwiseCompleter[Output]):
    """GraphRec on the graph of the training ratings.

    The prediction for pairs with a user or an item without training ratings is the mean of the
    training ratings.

    Example:
        >>> import glocalk
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> model = glocalk.GraphRec(rank=2, epochs=2, batch_size=2).fit(ratings, seed=0)
        >>> model.predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = GraphRecConfig
    official = "last"  # the official code prints each epoch's test error and keeps the last
    config: GraphRecConfig

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: there are no compiled loops for the precision.
        """
        generator = torch.Generator().manual_seed(context.seed)
        dtype = dtype_of(context, type(self).__name__)
        module = GraphRecModule(train, self.config, generator, dtype, self._extra(context))
        self._train(module, context)

    def _extra(self, context: FitContext) -> tuple[Array | None, Array | None]:
        """Further features of users and of items."""
        del context
        return None, None

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        h_users, h_items, origin = self._output()
        u, i = self._tensors(h_users, users, items)
        products = predict_pairs(h_items, h_users.T, h_users.new_zeros(len(h_users)), u, i)
        predicted: Values = products.double().cpu().numpy() + origin.item()
        return predicted

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        h_users, h_items, origin = self._output()
        u, i = self._tensors(h_users, users, items)
        grid: Values = (h_users[u] @ h_items[i].T).double().cpu().numpy() + origin.item()
        return grid

    def _take_output(self, state: State, shape: tuple[int, int]) -> Output:
        users, items = shape
        width = 2 * self.config.rank + 2
        return Output(
            take(state, "users", (users, width)),
            take(state, "items", (items, width)),
            take(state, "origin", ()),
        )
