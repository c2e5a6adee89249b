"""sRGCNN: separable recurrent multi-graph convolutional network, on graphs of users and items.

Monti, Bronstein, Bresson, "Geometric Matrix Completion with Recurrent Multi-Graph Neural Networks",
NeurIPS 2017, arXiv 1704.06803; official code `fmonti/mgcnn` (TensorFlow 1, a notebook for each data
set). Factors start at a singular value decomposition and diffuse on the graphs: a recurrent network
sees the factors in each node's neighborhood and changes them, in `diffusion_steps` steps. For the
users, with L the normalized Laplacian of their graph, W⁰ = U √S and h⁰ = c⁰ = 0,

    Fᵗ = ReLU([T₀(L − I) Wᵗ | … | T₄(L − I) Wᵗ] Θ + b)
    f, i, o, u = σ(Fᵗ A_g + hᵗ B_g + b_g),   one matrix of each kind for each gate
    cᵗ⁺¹ = f ⊙ cᵗ + i ⊙ u,   hᵗ⁺¹ = o ⊙ σ(cᵗ⁺¹)
    Wᵗ⁺¹ = Wᵗ + tanh(cᵗ⁺¹ D + d)

with Chebyshev polynomials T_k; the items' H likewise, with weights of their own. A side without a
graph has free factors, which start at the same place. Every prediction depends on the whole matrix
X = W Hᵀ, because its range is taken to the rating scale:

    r̂ᵤᵢ = lowest + (highest − lowest) (Xᵤᵢ − min X) / (max X − min X)
    loss = mean over ratings of (r − r̂)² + ½ γ [tr(Xᵀ L_users X) + tr(X L_items Xᵀ)] / cells
           + ½ γ_W mean(W²) + ½ γ_H mean(H²)

The trace is a sum over edges of squared differences between rows of X, the Dirichlet norm. Weights
start by Glorot, and Adam makes full-batch updates. Details of the official code:

- W⁰ and H⁰ are those of a random half of the training ratings, with 0 in all other cells.
- The LSTM has σ where others have tanh, and the change of W is computed from c, not from h.
- γ is per cell for Douban and YahooMusic. For ML-100K and Flixster it is 1e-10 for the sum over
  cells, which the settings multiply by the number of cells.
- The error reported is that at the update of the lowest training loss.

The same is done here: predictions at any time are from the factors whose loss, of training ratings
alone, is the lowest so far. Differences:

- There, the error is evaluated at every tenth update (YahooMusic: every hundredth), and the last
  one at or before the lowest loss is reported.
- Pairs with a user or an item without training ratings are predicted the mean of the training
  ratings; there, what diffuses from neighbors to a W⁰ of 0. On ML-100K, with 10 % of the users and
  10 % of the items held out whole, the RMSE of that after 1,000 updates is 1.07 for such users and
  1.27 for such items, and that of the mean 1.14 and 1.12; on graphs that say nothing, it is worse
  for both.
- The scale is that of the data set, and X of equal cells stands for the mean.
- Of several smallest cells, a gradient reaches one, and so of the largest; there, they share it.

| data set | graphs | γ | γ_W | γ_H | updates |
|---|---|---|---|---|---|
| ML-100K | both sides | 1.6e-4 | 0 | 0 | 10,000 |
| Douban | users | 100 | 1 | 100 | 5,000 |
| Flixster | both sides | 9e-4 | 0 | 0 | 10,000 |
| YahooMusic | items | 100 | .01 | 0 | 10,000 |

An epoch is `steps` updates; the official code has no epochs. The time of an update grows with
users × items × rank, and with nodes × hidden_size² and edges × rank in each step of the diffusion.
The whole matrix is never held: see `extremes`.
"""

from __future__ import annotations

import math
from itertools import repeat
from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from glocalk.completers.base import State, take
from glocalk.completers.blocks.rated import rated
from glocalk.completers.budget import BudgetConfig
from glocalk.completers.srgcnn.initial import initial_factors
from glocalk.completers.srgcnn.laplacian import Laplacian
from glocalk.completers.srgcnn.network import Batch, Completed, Diffusion, Free, Network, Side
from glocalk.completers.stepwise import EpochLoader, NetworkModule, StepwiseCompleter, dtype_of
from glocalk.data.labels import Kind
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.data.side.information import Need, SideInformation
from glocalk.errors import GlocalkError
from glocalk.operators.base import predict_pairs
from glocalk.training.context import FitContext


class SRGCNNConfig(BudgetConfig):
    """Options of sRGCNN; the defaults are those published for ML-100K."""

    rank: int = Field(default=10, ge=1)
    order: int = Field(
        default=5, ge=1, description="number of Chebyshev polynomials, from T₀ (no neighbors) on"
    )
    hidden_size: int = Field(
        default=32, ge=1, description="features of the graph convolution, and units of the LSTM"
    )
    diffusion_steps: int = Field(default=10, ge=1)
    initial_share: float = Field(
        default=0.5, gt=0, le=1, description="share of the ratings that initial factors are from"
    )
    user_graph: bool = Field(
        default=True,
        description="whether the users' factors diffuse on a graph; else they are free",
    )
    item_graph: bool = Field(default=True, description="the same for items")
    graph_regularization: float = Field(
        default=1.586126e-4, ge=0, description="γ, of the Dirichlet norm per cell"
    )
    user_regularization: float = Field(default=0.0, ge=0, description="γ_W, of the mean of W²")
    item_regularization: float = Field(default=0.0, ge=0, description="γ_H, of the mean of H²")
    learning_rate: float = Field(default=0.001, gt=0)
    epochs: int = Field(default=200, ge=1)
    steps: int = Field(
        default=50,
        ge=1,
        description="full-batch updates per epoch; the official code makes 10000 in all",
    )


class Output(NamedTuple):
    """What predictions are computed from: the product of two rows.

    `users` [users, rank + 2] is [slope · w | intercept | mean] and `items` [items, rank + 2] is
    [h | 1 | 0]. Those without training ratings have [0 | mean | mean] and [0 | 0 | 1].
    """

    users: Tensor
    items: Tensor


class SRGCNNModule(NetworkModule[Network, Output]):
    """Adam on the loss of all ratings, and the factors with the lowest loss so far.

    Args:
        train: the ratings.
        side: their graphs.
        config: the options.
        generator: source of the ratings of the initial factors, and of the initial weights.
        dtype: precision of the network.

    Raises:
        GlocalkError: the singular vectors are not found.
    """

    lowest_loss: Tensor
    rated_users: Tensor
    rated_items: Tensor

    def __init__(
        self,
        train: RatingMatrix,
        side: SideInformation,
        config: SRGCNNConfig,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.config = config
        initial = initial_factors(train, config.rank, config.initial_share, generator)
        users, items = (factors.to(dtype) for factors in initial)

        def made(kind: Kind, factors: Tensor, has_graph: bool) -> Side:
            if not has_graph:
                return Free(factors)
            return Diffusion(factors, Laplacian(side.graph(kind), dtype), config, generator)

        self.network = Network(
            made("user", users, config.user_graph),
            made("item", items, config.item_graph),
            train.scale,
            float(train.ratings.mean()),
        ).to(dtype)
        self._ratings = Batch(
            torch.tensor(train.users),
            torch.tensor(train.items),
            torch.tensor(train.ratings).to(dtype),
        )
        for kind, is_rated in zip(("user", "item"), rated(train), strict=True):
            rated_column = torch.from_numpy(is_rated)[:, None]
            self.register_buffer(f"rated_{kind}s", rated_column, persistent=False)
        zero = torch.zeros((), dtype=dtype)
        for name, part in Completed(users, items, zero, zero)._asdict().items():
            self.register_buffer(f"kept_{name}", part.clone())
        self.register_buffer("lowest_loss", torch.tensor(math.inf, dtype=dtype))

    def batches(self) -> EpochLoader[Batch]:
        """The batches of an epoch: every update is on all ratings."""
        steps = self.config.steps
        return EpochLoader(lambda: repeat(self._ratings, steps), steps)

    def loss(self, batch: Batch) -> Tensor:
        completed = self.network()
        loss = self.network.loss(completed, batch, self.config)
        if loss < self.lowest_loss:
            self._keep(completed, loss)
        return loss

    @torch.no_grad()
    def _keep(self, completed: Completed, loss: Tensor) -> None:
        self.lowest_loss.copy_(loss)
        for kept, part in zip(self._kept(), completed, strict=True):
            kept.copy_(part)

    def _kept(self) -> Completed:
        return Completed(*(getattr(self, f"kept_{name}") for name in Completed._fields))

    @torch.no_grad()
    def output(self) -> Output:
        """What the factors with the lowest loss so far predict."""
        kept, network = self._kept(), self.network
        slope, intercept = kept.line(network.scale, network.mean)
        users, items = self.rated_users, self.rated_items
        means = torch.full_like(kept.users[:, :1], network.mean)
        return Output(
            torch.cat([slope * kept.users * users, torch.where(users, intercept, means), means], 1),
            torch.cat([kept.items * items, items, ~items], dim=1),
        )


class SRGCNN(StepwiseCompleter[Output]):
    """sRGCNN: a recurrent convolution of factors over graphs of users and items.

    `fit` takes the graphs from `side`.

    A pair with a user or an item without training ratings is predicted the mean of the training
    ratings.

    Example:
        >>> import glocalk, pandas as pd
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> friends = pd.DataFrame({"one": [0, 1], "other": [1, 2]})
        >>> side = glocalk.SideInformation.from_frames(ratings.ids, user_edges=friends)
        >>> model = glocalk.SRGCNN(rank=2, hidden_size=4, epochs=2, steps=5, item_graph=False)
        >>> model.fit(ratings, side=side, seed=0).predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = SRGCNNConfig
    official = "last"  # the factors that the lowest training loss chooses
    config: SRGCNNConfig

    @property
    def needs(self) -> tuple[Need, ...]:
        given: dict[Need, bool] = {
            "user graph": self.config.user_graph,
            "item graph": self.config.item_graph,
        }
        return tuple(need for need, is_needed in given.items() if is_needed)

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: the singular vectors are not found, no loss is finite, or the precision is
                neither single nor double.
        """
        dtype = dtype_of(context, "sRGCNN")
        generator = torch.Generator().manual_seed(context.seed)
        module = SRGCNNModule(train, context.side, self.config, generator, dtype)
        self._train(module, context)
        if not module.lowest_loss.isfinite():  # then no factors were kept
            raise GlocalkError(
                "The loss of sRGCNN is not finite in any update: lower the model's regularization."
            )

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        by_user, by_item = self._output()
        u, i = self._tensors(by_user, users, items)
        predicted = predict_pairs(by_item, by_user.T, by_user.new_zeros(len(by_user)), u, i)
        return np.asarray(predicted.double().cpu())

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        by_user, by_item = self._output()
        u, i = self._tensors(by_user, users, items)
        return np.asarray((by_user[u] @ by_item[i].T).double().cpu())

    def _take_output(self, state: State, shape: tuple[int, int]) -> Output:
        users, items = shape
        width = self.config.rank + 2
        return Output(take(state, "users", (users, width)), take(state, "items", (items, width)))
