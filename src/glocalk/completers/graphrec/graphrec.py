"""GraphRec: non-linear co-embeddings of graph features, without side information.

Rashed, Grabocka, Schmidt-Thieme, "Attribute-Aware Non-Linear Co-Embeddings of Graph Features",
RecSys 2019; official code `ahmedrashed-ml/GraphRec` (TensorFlow 1). A user's features are taken
from the bipartite graph of the training ratings, and so are an item's:

    xᵤ = [one-hot(u) | rᵤ. / highest rating | nᵤ / maxᵤ nᵤ]   [users + items + 1]

the user's number, their ratings (0 where missing), and their share nᵤ of the highest number of
training ratings. One layer embeds each side, and the scalar product of the two predicts:

    zᵤ = Vᵀ xᵤ + b,   zᵢ = Wᵀ xᵢ + c,   V, W [users + items + 1, factors]
    hᵤ = [ReLU(zᵤ) | ReLU(−zᵤ)],   hᵢ likewise   (concatenated ReLU)
    r̂ᵤᵢ = hᵤ·hᵢ = Σ_f max(0, zᵤ_f zᵢ_f)

    loss of a batch = ½ Σ ((r − r̂)² + λ_U ‖hᵤ‖² + λ_I ‖hᵢ‖²),   ‖h‖ = ‖z‖

The penalty is on the embeddings, once for every rating of the batch, and on no weight. V and W
start normal, σ .01, b and c at 0; Adam makes the updates. As in the official code a batch is
drawn with replacement, an epoch has ⌊ratings / batch size⌋ of them, and the rating that is being
learnt stays among the features. That code prints the test error of every epoch and keeps the
last; it splits at random, and the figure on u1 stands in its README alone.

What differs from the official code:

- To pairs with a user or an item without training ratings, the mean of the training ratings is
  predicted. There they get little more than what the biases and the initial weights say.
- Ratings are counted from 0, as there, but from the lowest rating of a scale that goes below: a
  scalar product of what is nowhere negative could predict nothing below.
- It evaluates after the last update of an epoch, not after the first, and computes in the
  trainer's precision, there float64. Adam's ε, 1e-8, joins the corrected second moment.

A training may run under a budget, a share of the official epochs.

An update costs time with the ratings of the users and of the items in the batch, see
`GraphFeatures`, and with the weights, all of which Adam moves.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from glocalk.completers.base import State, take
from glocalk.completers.budget import BudgetConfig
from glocalk.completers.graphrec.features import GraphFeatures
from glocalk.completers.stepwise import StepwiseCompleter, StepwiseModule
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.operators.base import predict_pairs
from glocalk.training.context import FitContext

_SIGMA = 0.01  # of the initial weights
_DTYPES = {"32-true": torch.float32, "64-true": torch.float64}


class GraphRecConfig(BudgetConfig):
    """Options of GraphRec, with the paper's symbols."""

    rank: int = Field(ge=1, description="length of z")
    user_regularization: float = Field(ge=0, description="λ_U, on the users' embeddings")
    item_regularization: float = Field(ge=0, description="λ_I, on the items' embeddings")
    learning_rate: float = Field(gt=0)
    batch_size: int = Field(ge=1, description="ratings an update")


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
        """The z [n, rank] of the nodes [n], each given once."""
        return features.product(nodes, self.weight) + self.bias


class Output(NamedTuple):
    """What predictions are made from, r̂ᵤᵢ = hᵤ·hᵢ + origin.

    `users` is [users, 2 rank + 2], `items` [items, 2 rank + 2], `origin` a scalar.
    """

    users: Tensor
    items: Tensor
    origin: Tensor


class GraphRecModule(StepwiseModule[Output]):
    """Adam on the loss of one batch after another.

    Args:
        train: the ratings; nothing else reaches the features.
        config: the options.
        generator: source of the initial values.
        dtype: to compute in.
    """

    automatic_optimization = False  # a step is an epoch

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
    ) -> None:
        super().__init__()
        self.config = config
        lowest, highest = train.scale
        origin = min(lowest, 0.0)
        ratings = train.ratings - origin
        strengths = ratings / ((highest - origin) or 1.0)
        shape = train.shape
        self.user_features = GraphFeatures(train.users, train.items, strengths, shape, dtype)
        self.item_features = GraphFeatures(train.items, train.users, strengths, shape[::-1], dtype)
        self.users = Embedding(self.user_features.shape[1], config.rank, generator).to(dtype)
        self.items = Embedding(self.item_features.shape[1], config.rank, generator).to(dtype)
        triples = (train.users, train.items, ratings)
        user, item, rating = (torch.tensor(part) for part in triples)
        self._ratings = user, item, rating.to(dtype)
        for name, value in (
            ("origin", torch.tensor(origin)),
            ("mean", rating.mean()),
            ("rated_users", user.bincount(minlength=shape[0]).unsqueeze(1) > 0),
            ("rated_items", item.bincount(minlength=shape[1]).unsqueeze(1) > 0),
        ):
            self.register_buffer(name, value.to(dtype), persistent=False)

    def loss(self, batch: Tensor) -> Tensor:
        """Loss of the training ratings at the positions `batch` [n], which may repeat: a scalar."""
        device = self.device
        users, items, ratings = (part[batch] for part in self._ratings)
        user_nodes, user_of = torch.unique(users, return_inverse=True)
        item_nodes, item_of = torch.unique(items, return_inverse=True)
        z_users = self.users(self.user_features, user_nodes.to(device))
        z_items = self.items(self.item_features, item_nodes.to(device))
        z_users, z_items = (
            F.embedding(of.to(device), z) for of, z in ((user_of, z_users), (item_of, z_items))
        )
        errors = torch.relu(z_users * z_items).sum(dim=1) - ratings.to(device)
        config = self.config
        penalty = config.user_regularization * z_users.square().sum()
        penalty = penalty + config.item_regularization * z_items.square().sum()
        return (errors.square().sum() + penalty) / 2

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.config.learning_rate, fused=True)

    def training_step(self, batch: int, batch_idx: int) -> None:
        """An epoch: `batch` updates, whose ratings the epoch's seed decides."""
        del batch_idx
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for _ in range(batch):
            drawn = torch.randint(len(self._ratings[0]), (self.config.batch_size,))
            loss = self.loss(drawn)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            total += loss.detach()
        self.log("loss", total / batch)

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
        # Two more units give pairs with someone who has no ratings the mean.
        rated_users, rated_items, mean = self.rated_users, self.rated_items, self.mean
        by_user = [users * rated_users, mean.expand_as(rated_users), 1 - rated_users]
        by_item = [items * rated_items, 1 - rated_items, mean * rated_items]
        return Output(torch.cat(by_user, dim=1), torch.cat(by_item, dim=1), self.origin)


class GraphRec(StepwiseCompleter[Output]):
    """One training on the graph of the training ratings."""

    Config = GraphRecConfig
    official = "last"  # the official code prints each epoch's test error and keeps the last
    config: GraphRecConfig

    @property
    def schedule(self) -> dict[str, int]:
        return dict.fromkeys(super().schedule, self.config.trained_epochs)

    @property
    def budget(self) -> float:
        return self.config.share

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: a precision that it is not written for.
        """
        precision = context.trainer.get("precision", "32-true")
        if precision not in _DTYPES:
            raise GlocalkError(
                f"GraphRec computes in precision {' or '.join(_DTYPES)}, not in {precision}."
            )
        generator = torch.Generator().manual_seed(context.seed)
        module = GraphRecModule(train, self.config, generator, _DTYPES[precision])
        # A batch an epoch, the number of its updates: a step of Lightning costs as much as one.
        updates = max(len(train) // self.config.batch_size, 1)
        self._run(module, [updates], context)

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
