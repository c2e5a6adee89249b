"""CF-NADE: a neural autoregressive model of an item's ratings, one after another.

Zheng, Tang, Ding, Zhou, "A Neural Autoregressive Approach to Collaborative Filtering", ICML 2016,
arXiv 1605.09477; official code `Ian09/CF-NADE` (Theano). The variant is I-CF-NADE-S with one hidden
layer, which has .830 on ML-1M in the paper, and .829 with two: each item is an example, and its D
users come in a random order o. With rating levels k = 1 … K, and weights shared between ratings, so
that a rating uses the weights of all levels up to its own, as input and as output,

    h(m_{<d}) = tanh(c + Σ_{j<d} Σ_{k ≤ r_{o_j}} (W_{o_j}ᵏ + Q_{o_j}))
    s_uᵏ = Σ_{j ≤ k} (V_uʲ · h + b_uʲ)
    p(r_u = k | m_{<d}) = softmax_k s_uᵏ

W [users, K, hidden], Q [users, hidden], c [hidden], V [users, K, hidden], b [users, K]. Each
conditional sees only the ratings before it. For each item of its batch, a training step draws an
order and a d, uniform in 1 … D: the ratings before d are the input, and all others are predicted
from it at once, which estimates all D conditionals of all orders:

    loss = mean over items of D / (D − d + 1) Σ_{j ≥ d} C(s_{o_j}, r_{o_j})
           + λ_w (‖W‖² + ‖Q‖² + ‖V‖²)
    C = (1 − λ) (−log p(r)) + λ ordinal cost, see `ordinal_cost`

The prediction is Σ_k p(k) · level_k, given all training ratings of the item. Details of the
official code:

- Q, which the paper does not have; it is added once for each level up to the rating's.
- Initial W, Q, V uniform within √(6 / (users + hidden)), c = 0, and b such that p is each user's
  share of levels among the training ratings: bᵤᵏ = log(nᵤᵏ + ε) − log(nᵤᵏ⁻¹ + ε), ε = 1e-8.
- Adam with β = (.9, .999), whose bias correction 1 − βᵗ uses 1 − β instead of β and therefore
  barely corrects: steps are up to 6.5 times as long at first, and twice as long after 290 updates.
- Predictions are also made with averaged weights w̄ ← .995 w̄ + .005 w that start at the initial
  weights; here always.
- The prediction for a user without training ratings is the middle of the scale. Here V of such a
  user is 0 and b such that p is the share of levels among all training ratings: the prediction is
  their mean.
- The epoch is chosen by 0.5 % of the ratings, held out. The official code divides the learning rate
  by 4 when 60 epochs bring no better validation error. Here it is constant, because a final run
  holds nothing out, and the protocols choose the epoch.

Random numbers are drawn on the CPU, so that they are the same on every device.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from glocalk.completers.base import State, take
from glocalk.completers.cf_nade.batches import Batch, LeveledRatings
from glocalk.completers.cf_nade.entries import Entries
from glocalk.completers.cf_nade.network import CFNADENetwork, Output
from glocalk.completers.stepwise import (
    AveragedModule,
    EpochLoader,
    StepwiseCompleter,
    refuse_levels,
    take_levels,
)
from glocalk.config import BaseConfig
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.distributions import LevelDistribution
from glocalk.optim.averaging import AveragedNetwork
from glocalk.training.context import FitContext

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8  # of Adam


class CFNADEConfig(BaseConfig):
    """Options of CF-NADE."""

    hidden_size: int = Field(default=500, ge=1, description="number of hidden units")
    ordinal_weight: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="λ, share of the ordinal cost; the likelihood has the rest",
    )
    smoothing: float = Field(
        default=1e-8, gt=0, description="ε, added to the counts that the output biases start from"
    )
    batch_size: int = Field(default=512, ge=1, description="items per batch")
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(
        default=0.02, ge=0, description="λ_w, on all weights, not on biases"
    )
    averaging: float = Field(
        default=0.995, ge=0, lt=1, description="decay of the averaged weights, which predict"
    )
    epochs: int = Field(default=40, ge=1)
    passes: int = Field(default=10, ge=1, description="passes over the items per epoch")


class CFNADEModule(AveragedModule[CFNADENetwork, Output]):
    """Adam on the loss of a network, and the average of its weights.

    Args:
        train: the ratings.
        config: the options.
        generator: source of the initial values.
    """

    config: CFNADEConfig

    def __init__(
        self, train: RatingMatrix, config: CFNADEConfig, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config = config
        self.ratings = LeveledRatings(train)
        self.network = CFNADENetwork(
            self.ratings.histogram(), config.hidden_size, config.smoothing, generator
        )
        self.average = AveragedNetwork(self.network, config.averaging)
        self._entries: Entries | None = None

    def batches(self) -> EpochLoader[Batch]:
        """The batches of an epoch."""
        size, passes = self.config.batch_size, self.config.passes
        length = passes * math.ceil(self.ratings.shape[1] / size)
        return EpochLoader(lambda: self.ratings.epoch(size, passes), length)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        # torch adds weight_decay · w to the gradient, and the penalty's gradient is 2 λ_w w.
        decay = 2 * self.config.weight_decay
        groups: list[dict[str, Any]] = [
            {"params": self.network.weights(), "weight_decay": decay},
            {"params": self.network.biases()},
        ]
        return torch.optim.Adam(groups, betas=_BETAS, fused=True)

    def loss(self, batch: Batch) -> Tensor:
        return self.network.cost(batch, self.config.ordinal_weight)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Replace Adam's bias correction by the official code's."""
        rate, epsilon = adam_options(self.config.learning_rate, self.trainer.global_step + 1)
        for group in optimizer.param_groups:
            group["lr"], group["eps"] = rate, epsilon

    @torch.no_grad()
    def output(self) -> Output:
        """What the averaged network predicts from, given all ratings."""
        network = self.average.network
        weight = network.output_weight.detach()
        if self._entries is None or self._entries.users.device != weight.device:
            self._entries = self.ratings.entries().to(weight.device)
        return Output(
            network.hidden(self._entries),
            weight,
            network.output_bias.detach(),
            torch.tensor(self.ratings.levels, dtype=weight.dtype, device=weight.device),
        )


def adam_options(learning_rate: float, update: int) -> tuple[float, float]:
    """Learning rate and ε for which torch's Adam makes the step of the official code.

        torch:    η m / (1 − β₁ᵗ) / (√v / √(1 − β₂ᵗ) + ε)
        official: η m √(1 − (1 − β₂)ᵗ) / (1 − (1 − β₁)ᵗ) / (√v + ε)

    Args:
        learning_rate: the official code's η.
        update: t, from 1.
    """
    first, second = (1 - beta**update for beta in _BETAS)
    corrected = math.sqrt(1 - (1 - _BETAS[1]) ** update) / (1 - (1 - _BETAS[0]) ** update)
    return learning_rate * corrected * first / math.sqrt(second), _EPSILON / math.sqrt(second)


class CFNADE(StepwiseCompleter[Output]):
    """CF-NADE: a neural autoregressive model of each item's ratings.

    Predictions are those of the averaged weights.

    The prediction for a user without training ratings is the mean of the training ratings. An item
    without training ratings has no input: its prediction depends on the user and the biases.

    The predictive distribution is the p that the prediction is the mean of. All training ratings of
    the item are its input, whose order has no effect on h: it is no mixture over orders.

    Example:
        >>> import glocalk
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> model = glocalk.CFNADE(hidden_size=4, epochs=2, passes=1).fit(ratings, seed=0)
        >>> model.predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = CFNADEConfig
    official = "validated"  # the official code tests the weights of the best validation epoch
    config: CFNADEConfig

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: there are more rating levels than allowed.
        """
        refuse_levels(train, "CF-NADE")
        generator = torch.Generator().manual_seed(context.seed)
        module = CFNADEModule(train, self.config, generator)
        self._train(module, context)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        output = self._output()
        return output.predict(*self._tensors(output.bias, users, items)).double().cpu().numpy()

    @property
    def gives_distribution(self) -> bool:
        return True

    def predict_distribution_pairs(self, users: Indices, items: Indices) -> LevelDistribution:
        output = self._output()
        probabilities = output.predict_levels(*self._tensors(output.bias, users, items))
        levels = output.levels.double().cpu().numpy()
        return LevelDistribution(levels, probabilities.double().cpu().numpy())

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        output = self._output()
        return output.predict_grid(*self._tensors(output.bias, users, items)).double().cpu().numpy()

    def _take_output(self, state: State, shape: tuple[int, int]) -> Output:
        users, items = shape
        width = self.config.hidden_size
        levels = take_levels(state)
        return Output(
            take(state, "hidden", (items, width)),
            take(state, "weight", (users, len(levels), width)),
            take(state, "bias", (users, len(levels))),
            levels,
        )
