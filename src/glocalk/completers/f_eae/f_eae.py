"""F-EAE: a factorized auto-encoder of exchangeable matrix layers.

Hartford, Graham, Leyton-Brown, Ravanbakhsh, "Deep Models of Interactions Across Sets", ICML 2018,
arXiv 1803.02879; official code `mravanba/deep_exchangeable_tensors` (TensorFlow 1). A layer maps
the features x [n, inputs] of the rated cells to others, and is equivariant to permutations of users
and of items, whose indices it does not see:

    yᵤᵢ = xᵤᵢ θ₀ + mean_{u'} x_{u'i} θ₁ + mean_{i'} x_{ui'} θ₂ + mean_{u'i'} x_{u'i'} θ₃

means over rated cells. With φ a leaky ReLU (slope .01) and one-hot levels as input,

    encoder:  layer, φ, layer, φ, layer; then p_u = mean_i x_{ui} A, q_i = mean_u x_{ui} B
    decoder:  φ(p_u θ₄ + q_i θ₅), layer, φ, layer, φ, dropout, layer, φ, dropout, layer → scores
    p(r | u, i) = softmax of the scores,   r̂ᵤᵢ = Σ_r p(r | u, i) · level_r
    loss = mean over cells of −log p(rᵤᵢ | u, i), the cells being the encoder's input as well

trained by Adam (TensorFlow's, ε 1e-6); averages of the weights (decay .9) predict. Initial weights
are normal, σ .01, A and B Glorot's. Details of the official code:

- Layers have no biases, and initial weights are small: the scores shrink from layer to layer, so
  that narrow networks (60 units, say) learn nothing at first. `initial_deviation` changes that.
- Means divide by the number of cells plus .001.
- On ML-100K an update is on all ratings. On ML-1M it is on a part of the matrix: 800 users, drawn
  in proportion to their ratings, and 1300 items, in proportion to those users' ratings.
- The epoch is chosen by held-out ratings, every tenth being evaluated.

Differences:

- The means in the decoder are over training cells. The official code also counts the cells to be
  predicted, validation and test ratings alike, so that a prediction depends on which others are
  asked for.
- Predictions are made from the whole matrix where updates are on parts; there, from parts too.
- A penalty of 10⁻¹⁰ on squared weights is left out.
- Pairs with a user or an item without training ratings are predicted by the mean of the training
  ratings. There, a prediction comes from the means over no cells, which are 0.

An epoch is `steps` updates. Cost and memory grow with ratings × hidden².
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from glocalk.completers.base import State, take
from glocalk.completers.blocks.rated import rated
from glocalk.completers.budget import BudgetConfig
from glocalk.completers.f_eae.network import (
    DECODER_LAYERS,
    Entries,
    ExchangeableLayer,
    FEAENetwork,
    activation,
)
from glocalk.completers.stepwise import (
    AveragedModule,
    EpochLoader,
    StepwiseCompleter,
    dtype_of,
    refuse_levels,
    take_levels,
)
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.distributions import LevelDistribution, with_means
from glocalk.optim.averaging import AveragedNetwork
from glocalk.training.context import FitContext

_PAIRS = 4096  # predicted at a time


class FEAEConfig(BudgetConfig):
    """Options of F-EAE; the defaults are those of the official code for ML-100K."""

    hidden_size: int = Field(default=220, ge=1, description="units of a hidden layer")
    latent_size: int = Field(default=100, ge=1, description="length of p and q")
    dropout: float = Field(
        default=0.5, ge=0, lt=1, description="share of units left out before the last two layers"
    )
    learning_rate: float = Field(default=0.0005, gt=0)
    initial_deviation: float = Field(
        default=0.01, gt=0, description="standard deviation of the initial weights"
    )
    averaging: float = Field(
        default=0.9, ge=0, lt=1, description="decay of the averaged weights, which predict"
    )
    max_users: int = Field(default=30000, ge=1, description="most users of an update")
    max_items: int = Field(default=30000, ge=1, description="most items of an update")
    epochs: int = Field(default=200, ge=1)
    steps: int = Field(default=10, ge=1, description="updates per epoch")


class Output(NamedTuple):
    """What predictions are computed from.

    Attributes:
        users: [4, users, hidden] what each user adds in the decoder's hidden layers.
        items: [4, items, hidden] the same of each item.
        kernels: [3, hidden, hidden] θ₀ of the hidden layers after the first.
        last_users: [users, levels] what each user adds to the scores.
        last_items: [items, levels] the same of each item.
        last_kernel: [hidden, levels] θ₀ of the last layer.
        levels: [levels] ratings of the levels.
        known_users: [users] 1 with training ratings, else 0.
        known_items: [items] the same.
        mean: the mean of the training ratings.
    """

    users: Tensor
    items: Tensor
    kernels: Tensor
    last_users: Tensor
    last_items: Tensor
    last_kernel: Tensor
    levels: Tensor
    known_users: Tensor
    known_items: Tensor
    mean: Tensor


class FEAEModule(AveragedModule[FEAENetwork, Output]):
    """Adam on the loss of a network, and the average of its weights.

    Args:
        train: the ratings.
        config: the options.
        generator: source of the initial values.
    """

    config: FEAEConfig
    epsilon = 1e-6

    def __init__(self, train: RatingMatrix, config: FEAEConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.train_ratings, self.config = train, config
        self.levels, self._labels = np.unique(train.ratings, return_inverse=True)
        self.network = FEAENetwork(
            len(self.levels),
            config.hidden_size,
            config.latent_size,
            config.initial_deviation,
            generator,
        )
        self.average = AveragedNetwork(self.network, config.averaging)
        self._whole = self._part(np.arange(len(train)))

    def batches(self) -> EpochLoader[Entries]:
        """The parts of the matrix that an epoch's updates are on."""
        return EpochLoader(self._draw, self.config.steps)

    def _draw(self) -> Iterator[Entries]:
        train, config = self.train_ratings, self.config
        for _ in range(config.steps):
            chosen = np.arange(len(train))
            for indices, most in ((train.users, config.max_users), (train.items, config.max_items)):
                counts = np.bincount(indices[chosen]).astype(np.float64)
                if np.count_nonzero(counts) > most:
                    drawn = torch.multinomial(torch.from_numpy(counts), most).numpy()
                    chosen = chosen[np.isin(indices[chosen], drawn)]
            yield self._whole if len(chosen) == len(train) else self._part(chosen)

    def _part(self, chosen: Indices) -> Entries:
        train = self.train_ratings
        users, items, labels = (
            torch.from_numpy(part[chosen]) for part in (train.users, train.items, self._labels)
        )
        return Entries(users, items, labels, train.shape)

    def loss(self, batch: Entries) -> Tensor:
        return self.network.loss(batch, self.config.dropout)

    @torch.no_grad()
    def output(self) -> Output:
        """What the averaged network predicts from."""
        network, train = self.average.network, self.train_ratings
        like = network.first
        users, items, labels = (part.to(like.device) for part in self._whole[:3])
        entries = Entries(users, items, labels, train.shape)
        (*parts, last), _ = network.decode(entries, network.encode(entries))
        *hidden, scores = cast(Iterable[ExchangeableLayer], network.decoder)
        known_users, known_items = (torch.from_numpy(side).to(like) for side in rated(train))
        return Output(
            torch.stack([part.users for part in parts]),
            torch.stack([part.items for part in parts]),
            torch.stack([layer.weights[0] for layer in hidden]),
            last.users,
            last.items,
            scores.weights[0].clone(),
            torch.from_numpy(self.levels).to(like),
            known_users,
            known_items,
            torch.tensor(train.ratings.mean()).to(like),
        )


class FEAE(StepwiseCompleter[Output]):
    """F-EAE: an auto-encoder whose layers are equivariant to permutations of users and items.

    Predictions are those of the averaged weights.

    The prediction for pairs with a user or an item without training ratings is the mean of the
    training ratings. The predictive distribution is p; for these pairs, the nearest one with that
    mean, see `glocalk.distributions.with_means`.

    Example:
        >>> import glocalk
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> model = glocalk.FEAE(hidden_size=8, latent_size=4, epochs=2, steps=5)
        >>> model.fit(ratings, seed=0).predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = FEAEConfig
    official = "validated"  # the official code tests at the epoch with the least held-out error
    config: FEAEConfig

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: there are more rating levels than allowed, or the precision is neither
                single nor double.
        """
        refuse_levels(train, "F-EAE")
        dtype = dtype_of(context, "F-EAE")
        generator = torch.Generator().manual_seed(context.seed)
        module = FEAEModule(train, self.config, generator).to(dtype)
        self._train(module, context)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        return self._in_parts(_expected, users, items)

    @property
    def gives_distribution(self) -> bool:
        return True

    def predict_distribution_pairs(self, users: Indices, items: Indices) -> LevelDistribution:
        shares = self._in_parts(_probabilities, users, items)
        levels = self._output().levels.double().cpu().numpy()
        return with_means(levels, shares, self.predict_pairs(users, items))

    def _in_parts(
        self, of: Callable[[Output, Tensor, Tensor], Tensor], users: Indices, items: Indices
    ) -> Values:
        output = self._output()
        pairs = self._tensors(output.mean, users, items)
        parts = zip(*(side.split(_PAIRS) for side in pairs), strict=True)
        return torch.cat([of(output, u, i) for u, i in parts]).double().cpu().numpy()

    def _take_output(self, state: State, shape: tuple[int, int]) -> Output:
        (users, items), hidden = shape, self.config.hidden_size
        levels = take_levels(state)
        return Output(
            take(state, "users", (1 + DECODER_LAYERS, users, hidden)),
            take(state, "items", (1 + DECODER_LAYERS, items, hidden)),
            take(state, "kernels", (DECODER_LAYERS, hidden, hidden)),
            take(state, "last_users", (users, len(levels))),
            take(state, "last_items", (items, len(levels))),
            take(state, "last_kernel", (hidden, len(levels))),
            levels,
            take(state, "known_users", (users,)),
            take(state, "known_items", (items,)),
            take(state, "mean", ()),
        )


def _expected(output: Output, users: Tensor, items: Tensor) -> Tensor:
    """Expected rating of each pair (users[k], items[k]): [pairs]."""
    known = output.known_users[users] * output.known_items[items] > 0
    return torch.where(known, _probabilities(output, users, items) @ output.levels, output.mean)


def _probabilities(output: Output, users: Tensor, items: Tensor) -> Tensor:
    """Probability of each level of each pair (users[k], items[k]): [pairs, levels]."""
    added = output.users[:, users] + output.items[:, items]  # [layers, pairs, hidden]
    x = activation(added[0])
    for kernel, part in zip(output.kernels, added[1:], strict=True):
        x = activation(x @ kernel + part)
    scores = x @ output.last_kernel + output.last_users[users] + output.last_items[items]
    return scores.softmax(dim=1)
