"""CF-NADE: a neural autoregressive model of an item's ratings, one after another.

Zheng, Tang, Ding, Zhou, "A Neural Autoregressive Approach to Collaborative Filtering", ICML 2016,
arXiv 1605.09477; official code `Ian09/CF-NADE` (Theano). The variant I-CF-NADE-S with one hidden
layer, which has .830 on ML-1M in the paper, and .829 with two: each item is an example, and the
users who rated it, D of them, come in a random order o. With rating levels k = 1 … K, and weights
shared between ratings, so that a rating enters and leaves by the weights of all levels up to it,

    h(m_{<d}) = tanh(c + Σ_{j<d} Σ_{k ≤ r_{o_j}} (W_{o_j}ᵏ + Q_{o_j}))
    s_uᵏ = Σ_{j ≤ k} (V_uʲ · h + b_uʲ)
    p(r_u = k | m_{<d}) = softmax_k s_uᵏ

W [users, K, hidden], Q [users, hidden], c [hidden], V [users, K, hidden], b [users, K]. Each
conditional sees the ratings before it and no other. A training step draws, for each item of its
batch, an order and a d, uniform in 1 … D: the ratings before d are the input, and all others are
predicted from it at once, which estimates all D conditionals of all orders:

    loss = mean over items of D / (D − d + 1) Σ_{j ≥ d} C(s_{o_j}, r_{o_j})
           + λ_w (‖W‖² + ‖Q‖² + ‖V‖²)
    C = (1 − λ) (−log p(r)) + λ ordinal cost, see `ordinal_cost`

The prediction is Σ_k p(k) · level_k, given all training ratings of the item. What the official
code does:

- Q, which the paper does not have: a level's weights count once for each level up to it.
- Initial W, Q, V uniform within √(6 / (users + hidden)), c = 0, and b such that p is each user's
  share of levels among the training ratings: bᵤᵏ = log(nᵤᵏ + ε) − log(nᵤᵏ⁻¹ + ε), ε = 1e-8.
- Adam with β = (.9, .999), whose bias correction 1 − βᵗ is written with 1 − β in the place of β,
  and so corrects next to nothing: steps are up to 6.5 times as long at first, twice as long after
  290 updates.
- Predictions are also made with averaged weights w̄ ← .995 w̄ + .005 w that start at the initial
  weights; here always.
- A user without training ratings is predicted the middle of the scale. Here that user's V and b
  are 0 and all levels equally likely: the mean of the levels, which is the same where they fill
  the scale.
- The epoch is chosen by .5 % held-out ratings. The official code divides the learning rate by 4
  where 60 epochs bring no better validation; here it stays, for what is trained on all ratings has
  nothing held out, and the protocols choose the epoch.

The random draws are made on the CPU, so that they are the same on every device.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from glocalk.completers.base import State, take
from glocalk.completers.cf_nade.loops import Entries, input_sums, level_scores, ordinal_cost
from glocalk.completers.stepwise import (
    StepwiseCompleter,
    StepwiseModule,
    refuse_levels,
    take_levels,
)
from glocalk.config import BaseConfig
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.operators.base import predict_pairs
from glocalk.training.context import FitContext

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8  # of Adam
_PAIRS = 1 << 16  # predicted at a time
_USERS = 1 << 10  # whose weights are gathered at a time


class CFNADEConfig(BaseConfig):
    """Options of CF-NADE."""

    hidden_size: int = Field(ge=1)
    ordinal_weight: float = Field(ge=0, le=1, description="λ, share of the ordinal cost")
    smoothing: float = Field(gt=0, description="ε, added to the counts that b starts from")
    batch_size: int = Field(ge=1, description="items in a batch")
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0, description="λ_w")
    averaging: float = Field(ge=0, lt=1, description="decay of the averaged weights")
    epochs: int = Field(ge=1)
    passes: int = Field(ge=1, description="passes over the items an epoch")


@dataclass(frozen=True, eq=False)
class Batch:
    """Some items, each with its ratings split at random.

    Attributes:
        given: the ratings that are the input.
        asked: those that are to be predicted.
        weights: [items] D / (D − d + 1).
    """

    given: Entries
    asked: Entries
    weights: Tensor


class LeveledRatings:
    """A rating matrix by levels, which splits it at random.

    Args:
        train: the ratings.

    Attributes:
        levels: [levels] their ratings, ascending.
        users, items, labels: [n] user, item and level of each rating, in ascending order of users
            and of one user's levels.
        counts: [items] ratings of each item.
    """

    def __init__(self, train: RatingMatrix) -> None:
        self.shape = train.shape
        self.levels, labels = np.unique(train.ratings, return_inverse=True)
        order = np.lexsort((labels, train.users))
        self.users, self.items, self.labels = train.users[order], train.items[order], labels[order]
        self.counts = np.bincount(self.items, minlength=train.num_items)

    def histogram(self) -> Values:
        """[users, levels] how often each user gives each rating."""
        cells = self.users * len(self.levels) + self.labels
        counts = np.bincount(cells, minlength=self.shape[0] * len(self.levels))
        return counts.reshape(self.shape[0], -1).astype(np.float64)

    def entries(self, device: torch.device) -> Entries:
        """All ratings."""
        return Entries.from_arrays(self.users, self.items, self.labels, self.shape[1], device)

    def split(
        self, batch_size: int, rng: np.random.Generator, device: torch.device
    ) -> Iterator[Batch]:
        """All items once, in a random order, their ratings split anew.

        Args:
            batch_size: items in each batch; the last may have fewer.
            rng: source of the order of items and of users, and of d.
            device: where the batches are.
        """
        given = rng.integers(0, np.maximum(self.counts, 1))  # d − 1
        # An item's users in a random order: fractions sort within their item.
        order = np.argsort(self.items + rng.random(len(self.items)))
        before = np.cumsum(self.counts) - self.counts
        is_given = np.empty(len(order), bool)
        ranked = self.items[order]
        is_given[order] = np.arange(len(order)) - before[ranked] < given[ranked]
        weights = self.counts / np.maximum(self.counts - given, 1)

        shuffled = rng.permutation(len(self.counts))
        batch, place = np.divmod(np.argsort(shuffled), batch_size)
        of_entry = batch[self.items]
        by_batch = np.argsort(of_entry, kind="stable")
        bounds = np.cumsum(np.bincount(of_entry, minlength=batch.max() + 1))
        for number, chosen in enumerate(np.split(by_batch, bounds[:-1])):
            items = shuffled[number * batch_size : (number + 1) * batch_size]

            def entries(positions: Indices, size: int = len(items)) -> Entries:
                return Entries.from_arrays(
                    self.users[positions],
                    place[self.items[positions]],
                    self.labels[positions],
                    size,
                    device,
                )

            yield Batch(
                entries(chosen[is_given[chosen]]),
                entries(chosen[~is_given[chosen]]),
                torch.tensor(weights[items], device=device),
            )


class CFNADENetwork(nn.Module):
    """The conditionals.

    Args:
        histogram: [users, levels] how often each user gives each rating.
        config: the options.
        generator: source of the initial values.
    """

    def __init__(self, histogram: Values, config: CFNADEConfig, generator: torch.Generator) -> None:
        super().__init__()
        users, levels = histogram.shape
        width = config.hidden_size
        limit = math.sqrt(6 / (users + width))

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape).uniform_(-limit, limit, generator=generator))

        self.input_weight = uniform(users, levels, width)  # W
        self.shared_weight = uniform(users, width)  # Q
        self.hidden_bias = nn.Parameter(torch.zeros(width))  # c
        self.output_weight = uniform(users, levels, width)  # V
        counts = np.log(histogram + config.smoothing)
        rated = histogram.sum(axis=1) > 0
        bias = np.diff(counts, axis=1, prepend=0) * rated[:, np.newaxis]
        self.output_bias = nn.Parameter(torch.from_numpy(bias).float())  # b
        with torch.no_grad():
            self.output_weight[torch.from_numpy(~rated)] = 0

    def hidden(self, given: Entries) -> Tensor:
        """The h [items, hidden] of the ratings that are given."""
        sums = input_sums(given, self.input_weight, self.shared_weight)
        return torch.tanh(sums + self.hidden_bias)

    def scores(self, hidden: Tensor, asked: Entries) -> Tensor:
        """The s [levels, n] of the ratings that are asked for."""
        return running_sum(level_scores(asked, hidden, self.output_weight, self.output_bias))

    def cost(self, batch: Batch, ordinal_weight: float) -> Tensor:
        """The loss of a batch, without the penalty."""
        asked = batch.asked
        scores = self.scores(self.hidden(batch.given), asked)
        costs = ordinal_weight * ordinal_cost(scores, asked.levels)
        if ordinal_weight < 1:
            likelihood = scores.gather(0, asked.levels.unsqueeze(0))[0] - scores.logsumexp(dim=0)
            costs = costs - (1 - ordinal_weight) * likelihood
        weights = batch.weights.to(costs.dtype)
        return (costs * weights[asked.items]).sum() / asked.num_items

    def weights(self) -> list[nn.Parameter]:
        """What the penalty is on."""
        return [self.input_weight, self.shared_weight, self.output_weight]

    def biases(self) -> list[nn.Parameter]:
        """What it is not on."""
        return [self.hidden_bias, self.output_bias]


def running_sum(scores: Tensor) -> Tensor:
    """Row k: Σ_{j ≤ k}; as a product, for `cumsum` goes back slower."""
    return scores.new_ones(len(scores), len(scores)).tril() @ scores


class Output(NamedTuple):
    """What predictions are made from.

    `hidden` is [items, hidden], `weight` [users, levels, hidden], `bias` [users, levels], `levels`
    [levels].
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor
    levels: Tensor

    def expected(self, scores: Tensor) -> Tensor:
        """Means of the levels, by the scores [levels, …] before their running sum."""
        return self.levels @ running_sum(scores.flatten(start_dim=1)).softmax(dim=0)

    def predict(self, users: Tensor, items: Tensor) -> Tensor:
        """[pairs] expected rating of each pair (users[k], items[k])."""
        levels = len(self.levels)
        level = torch.arange(levels, device=users.device).unsqueeze(1)
        weight, bias = self.weight.flatten(end_dim=1).T, self.bias.flatten()
        parts = [
            self.expected(
                predict_pairs(
                    self.hidden, weight, bias, (u * levels + level).flatten(), i.repeat(levels)
                ).view(levels, len(u))
            )
            for u, i in zip(torch.split(users, _PAIRS), torch.split(items, _PAIRS), strict=True)
        ]
        return torch.cat(parts)

    def predict_grid(self, users: Tensor, items: Tensor) -> Tensor:
        """[u, i] expected ratings."""
        hidden = self.hidden[items].T
        rows = min(max(_PAIRS // max(len(items), 1), 1), _USERS)
        parts = [
            self.expected(
                (self.weight[u] @ hidden + self.bias[u].unsqueeze(2)).transpose(0, 1)
            ).view(len(u), len(items))
            for u in torch.split(users, rows)
        ]
        return torch.cat(parts)


class CFNADEModule(StepwiseModule[Output]):
    """Adam on the loss of one network, and the average of its weights beside it.

    Args:
        train: the ratings.
        config: the options.
        generator: source of the initial values.
    """

    def __init__(
        self, train: RatingMatrix, config: CFNADEConfig, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.config = config
        self.ratings = LeveledRatings(train)
        self.network = CFNADENetwork(self.ratings.histogram(), config, generator)
        average = get_ema_multi_avg_fn(config.averaging)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=average)
        self.average.update_parameters(self.network)  # the first is a copy: the initial weights
        self._batches: Iterator[Batch] = iter(())
        self._entries: Entries | None = None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        # Adam adds its decay times the weight, half the gradient of the square.
        decay = 2 * self.config.weight_decay
        groups: list[dict[str, Any]] = [
            {"params": self.network.weights(), "weight_decay": decay},
            {"params": self.network.biases()},
        ]
        return torch.optim.Adam(groups, betas=_BETAS, fused=True)

    def training_step(self, batch: int, batch_idx: int) -> Tensor:
        """The cost of the next batch; `batch` is its number within its pass."""
        del batch_idx
        if batch == 0:
            # Seeded from torch's generator, which starts anew at every epoch.
            seed = int(torch.randint(2**62, ()))
            self._batches = self.ratings.split(
                self.config.batch_size, np.random.default_rng(seed), self.device
            )
        cost = self.network.cost(next(self._batches), self.config.ordinal_weight)
        self.log("loss", cost, on_step=False, on_epoch=True, batch_size=1)
        return cost

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Take from Adam its bias correction, and put the official code's in its place."""
        rate, epsilon = adam_options(self.config.learning_rate, self.trainer.global_step + 1)
        for group in optimizer.param_groups:
            group["lr"], group["eps"] = rate, epsilon

    def on_train_batch_end(self, outputs: object, batch: object, batch_idx: int) -> None:
        del outputs, batch, batch_idx
        self.average.update_parameters(self.network)

    def trained(self) -> nn.Module:
        return self.network

    @torch.no_grad()
    def output(self) -> Output:
        """What the averaged network predicts from, given all ratings."""
        network = self.average.module
        assert isinstance(network, CFNADENetwork)
        weight = network.output_weight.detach()
        if self._entries is None or self._entries.users.device != weight.device:
            self._entries = self.ratings.entries(weight.device)
        return Output(
            network.hidden(self._entries),
            weight,
            network.output_bias.detach(),
            torch.tensor(self.ratings.levels, dtype=weight.dtype, device=weight.device),
        )


def adam_options(learning_rate: float, update: int) -> tuple[float, float]:
    """Learning rate and ε with which torch's Adam makes the official code's step.

        torch:    η m / (1 − β₁ᵗ) / (√v / √(1 − β₂ᵗ) + ε)
        official: η m √(1 − (1 − β₂)ᵗ) / (1 − (1 − β₁)ᵗ) / (√v + ε)

    Args:
        learning_rate: the official code's η.
        update: t, 1 at first.
    """
    first, second = (1 - beta**update for beta in _BETAS)
    corrected = math.sqrt(1 - (1 - _BETAS[1]) ** update) / (1 - (1 - _BETAS[0]) ** update)
    return learning_rate * corrected * first / math.sqrt(second), _EPSILON / math.sqrt(second)


class CFNADE(StepwiseCompleter[Output]):
    """One training; predictions are those of the averaged weights."""

    Config = CFNADEConfig
    official = "validated"  # the official code tests the weights of the best validation epoch
    config: CFNADEConfig

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        """Train.

        Raises:
            GlocalkError: more rating levels than there may be.
        """
        refuse_levels(train, "CF-NADE")
        generator = torch.Generator().manual_seed(context.seed)
        module = CFNADEModule(train, self.config, generator)
        batches = -(-train.num_items // self.config.batch_size)
        self._run(module, list(range(batches)) * self.config.passes, context)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        output = self._output()
        return output.predict(*self._tensors(output.bias, users, items)).double().cpu().numpy()

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
