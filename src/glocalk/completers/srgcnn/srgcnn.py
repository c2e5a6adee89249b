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

- There, the error is evaluated at every tenth update, and that before the lowest loss is reported.
- A user without training ratings starts at the mean W⁰ of the others, and not at 0, as an average
  user whom the graph then moves; so does such an item. Pairs of both, and pairs with one that has
  no edges either, are predicted the mean of the training ratings. On a side without a graph nobody
  has edges.
- The scale is that of the data set, and X of equal cells stands for the mean.
- A gradient reaches one cell of the smallest, and one of the largest; there, equal ones share it.

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
from torch import Tensor, nn

from glocalk.completers.base import State, take
from glocalk.completers.budget import BudgetConfig
from glocalk.completers.rated import rated
from glocalk.completers.srgcnn.initial import initial_factors
from glocalk.completers.srgcnn.laplacian import Laplacian
from glocalk.completers.srgcnn.network import Batch, Completed, Diffusion, Free, Network, Side
from glocalk.completers.stepwise import EpochLoader, StepwiseCompleter, StepwiseModule, dtype_of
from glocalk.data.labels import Kind
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.data.side.information import Need, SideInformation
from glocalk.operators.base import predict_pairs
from glocalk.optim.adam import follow_tensorflow
from glocalk.training.context import FitContext

UNKNOWN = 2
"""The doubts at which nothing is known of a pair."""


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
    """What predictions are computed from: slope · users·items + intercept, or the mean.

    `users` is [users, rank] and `items` [items, rank]; `line` [3] is slope, intercept and mean.
    `user_doubts` [users] is 0 for users with ratings, 1 for those with edges alone, and 2 for the
    others; `item_doubts` [items] likewise. Pairs with a sum of at least 2 are predicted the mean.
    """

    users: Tensor
    items: Tensor
    user_doubts: Tensor
    item_doubts: Tensor
    line: Tensor


class SRGCNNModule(StepwiseModule[Output]):
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
    user_doubts: Tensor
    item_doubts: Tensor

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
        graphs: dict[Kind, Laplacian | None] = {
            "user": Laplacian(side.graph("user"), dtype) if config.user_graph else None,
            "item": Laplacian(side.graph("item"), dtype) if config.item_graph else None,
        }
        initial = initial_factors(train, config.rank, config.initial_share, generator)
        users, items = (factors.to(dtype) for factors in initial)

        def made(factors: Tensor, laplacian: Laplacian | None) -> Side:
            if laplacian is None:
                return Free(factors)
            return Diffusion(factors, laplacian, config, generator)

        self.network = Network(
            made(users, graphs["user"]),
            made(items, graphs["item"]),
            train.scale,
            float(train.ratings.mean()),
        ).to(dtype)
        self._ratings = Batch(
            torch.tensor(train.users),
            torch.tensor(train.items),
            torch.tensor(train.ratings).to(dtype),
        )
        for (kind, laplacian), is_rated in zip(graphs.items(), rated(train), strict=True):
            doubts = torch.from_numpy(np.where(is_rated, 0, UNKNOWN))
            if laplacian is not None:
                doubts = torch.where(laplacian.connected(), doubts.clamp(max=1), doubts)
            self.register_buffer(f"{kind}_doubts", doubts.to(dtype), persistent=False)
        zero = torch.zeros((), dtype=dtype)
        for name, part in Completed(users, items, zero, zero)._asdict().items():
            self.register_buffer(f"kept_{name}", part.clone())
        self.register_buffer("lowest_loss", torch.tensor(math.inf, dtype=dtype))

    def batches(self) -> EpochLoader[Batch]:
        """The batches of an epoch: every update is on all ratings."""
        steps = self.config.steps
        return EpochLoader(lambda: repeat(self._ratings, steps), steps)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate, fused=True)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        del batch_idx
        completed = self.network()
        loss = self.network.loss(completed, batch, self.config)
        if loss < self.lowest_loss:
            self._keep(completed, loss)
        self.log("loss", loss, on_step=False, on_epoch=True, logger=False, batch_size=1)
        return loss

    @torch.no_grad()
    def _keep(self, completed: Completed, loss: Tensor) -> None:
        self.lowest_loss.copy_(loss)
        for kept, part in zip(self._kept(), completed, strict=True):
            kept.copy_(part)

    def _kept(self) -> Completed:
        return Completed(*(getattr(self, f"kept_{name}") for name in Completed._fields))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        follow_tensorflow(optimizer, self.trainer.global_step + 1)

    def trained(self) -> nn.Module:
        return self.network

    @torch.no_grad()
    def output(self) -> Output:
        """What the factors with the lowest loss so far predict."""
        kept, network = self._kept(), self.network
        slope, intercept = kept.line(network.scale, network.mean)
        line = torch.stack([slope, intercept, torch.full_like(slope, network.mean)])
        return Output(kept.users, kept.items, self.user_doubts, self.item_doubts, line)


class SRGCNN(StepwiseCompleter[Output]):
    """sRGCNN; `fit` takes graphs from `side`.

    A user or an item without training ratings is predicted as an average one that neighbors in the
    graph have moved. Without neighbors, and where both are without training ratings, the prediction
    is the mean of the training ratings.

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
            GlocalkError: the singular vectors are not found, or the precision is neither single nor
                double.
        """
        dtype = dtype_of(context, "sRGCNN")
        generator = torch.Generator().manual_seed(context.seed)
        module = SRGCNNModule(train, context.side, self.config, generator, dtype)
        self._train(module, module.batches(), context)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        output = self._output()
        u, i = self._tensors(output.users, users, items)
        products = predict_pairs(
            output.items, output.users.T, output.users.new_zeros(len(output.users)), u, i
        )
        return _rated(products, output.user_doubts[u] + output.item_doubts[i], output.line)

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        output = self._output()
        u, i = self._tensors(output.users, users, items)
        doubts = output.user_doubts[u][:, None] + output.item_doubts[i]
        return _rated(output.users[u] @ output.items[i].T, doubts, output.line)

    def _take_output(self, state: State, shape: tuple[int, int]) -> Output:
        users, items = shape
        return Output(
            take(state, "users", (users, self.config.rank)),
            take(state, "items", (items, self.config.rank)),
            take(state, "user_doubts", (users,)),
            take(state, "item_doubts", (items,)),
            take(state, "line", (3,)),
        )


def _rated(products: Tensor, doubts: Tensor, line: Tensor) -> Values:
    """Predictions from products of factors and sums of doubts."""
    slope, intercept, mean = line
    predicted = torch.where(doubts < UNKNOWN, slope * products + intercept, mean)
    return np.asarray(predicted.double().cpu())
