"""Ablations of GLocal-K's global kernel; everything else is GLocal-K.

GLocal-K's second stage predicts from p(ReLU(R ⊗ GK)), where GK is made of trained item kernels kᵢ
(`glocal_k.py`). Each ablation changes one thing about it:

    GLocalKScalar     p(ReLU(s R)): one trained number in place of the convolution
    GLocalKPermuted   users and items of R are put in a random order for the convolution alone
    GLocalKDecayed    loss + λ_k ½ Σᵢ kᵢ²: the item kernels are penalized like the weights

The first stage is that of GLocal-K, with the same initial values for the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from glocalk.completers.autoencoders.glocal_k import (
    FineTuning,
    GLocalK,
    GLocalKConfig,
    GLocalKNetwork,
)
from glocalk.completers.autoencoders.layers import EffectiveLayer
from glocalk.data.labels import Side
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.operators.base import RatingOperator
from glocalk.training.context import FitContext
from glocalk.training.data import FullBatch
from glocalk.training.shared import SharedStage


class _Ablation(GLocalK):
    """GLocal-K up to the end of pre-training, which the ablations share with it."""

    @property
    def shared_stage(self) -> SharedStage:
        """Pre-training of GLocal-K."""
        options = self.config.model_dump(include=set(GLocalKConfig.model_fields))
        return GLocalK(**options).shared_stage


class GLocalKScalarConfig(GLocalKConfig):
    """Options of GLocal-K, with a global kernel of one number."""

    kernel_size: int = Field(default=1, ge=1, le=1, description="1: the kernel is one number")
    convolution_layers: int = Field(default=1, ge=1, le=1, description="1: there is one number")


class ScalarNetwork(GLocalKNetwork):
    """The network whose global kernel becomes a trained number itself."""

    _collapsed = False

    @torch.no_grad()
    def collapse(self, ratings: RatingOperator) -> None:
        """Make the 1 × 1 global kernel as it is now the only parameter behind it."""
        layers, _ = self.effective()
        (scalar,) = self.global_kernels(ratings, layers)
        self.item_kernels = nn.ParameterList([scalar.clone()])
        self._collapsed = True

    def global_kernels(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> list[Tensor]:
        if self._collapsed:
            return list(self.item_kernels)
        return super().global_kernels(ratings, layers)


class GLocalKScalar(_Ablation):
    """GLocal-K with one trained number s in place of the convolution: p(ReLU(s R)).

    The initial s is drawn as a tap is: it is the 1 × 1 global kernel of random item kernels,
    s = dot_scale · Σᵢ μᵢ kᵢ, drawn again while it is not positive (`redraw_kernels`).
    """

    Config = GLocalKScalarConfig
    network_class = ScalarNetwork
    config: GLocalKScalarConfig

    def _finetuning(
        self, network: GLocalKNetwork, data: FullBatch, context: FitContext
    ) -> tuple[FineTuning, FullBatch]:
        cast(ScalarNetwork, network).collapse(data.operator(network))
        return super()._finetuning(network, data, context)


class PermutedConvolution(RatingOperator):
    """The rating matrix, whose rows and columns stand in another order when it is convolved.

    Args:
        ratings: R [items, users].
        permuted: R in the other order.
        items: [items] the item in each row of `permuted`.
        users: [users] the user in each column of `permuted`.
    """

    def __init__(
        self, ratings: RatingOperator, permuted: RatingOperator, items: Tensor, users: Tensor
    ) -> None:
        self.shape, self.ratings = ratings.shape, ratings.ratings
        self._plain, self._permuted = ratings, permuted
        self._rows, self._users = torch.argsort(items), users

    def product(self, weight: Tensor) -> Tensor:
        return self._plain.product(weight)

    def convolved_product(self, kernels: Sequence[Tensor], weight: Tensor) -> Tensor:
        return self._permuted.convolved_product(kernels, weight[self._users])[self._rows]

    def live_shares(self, kernels: Sequence[Tensor]) -> tuple[float, float]:
        return self._permuted.live_shares(kernels)

    def half_squared_error(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return self._plain.half_squared_error(hidden, weight, bias)

    def outputs(self, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return self._plain.outputs(hidden, weight, bias)


class PermutedBatch(FullBatch):
    """The whole rating matrix, in a random order when it is convolved.

    Args:
        data: the rating matrix.
        seed: seed of the order.
    """

    def __init__(self, data: FullBatch, seed: int) -> None:
        train = data.train
        super().__init__(train, data.formulation, data.unit)
        generator = np.random.default_rng(seed)
        users, items = (generator.permutation(size) for size in train.shape)
        places = np.argsort(users)[train.users], np.argsort(items)[train.items]
        permuted = RatingMatrix(*places, train.ratings, train.shape, train.scale)
        self._plain, self._permuted = data, FullBatch(permuted, data.formulation, data.unit)
        self._users, self._items = torch.from_numpy(users), torch.from_numpy(items)

    def operator(self, module: nn.Module) -> RatingOperator:
        device = next(module.parameters()).device
        return PermutedConvolution(
            self._plain.operator(module),
            self._permuted.operator(module),
            self._items.to(device),
            self._users.to(device),
        )


class GLocalKPermuted(_Ablation):
    """GLocal-K whose users and items are put in a random order before the convolution.

    The convolution adds up ratings of neighbors in the order of ids. If that order tells
    something, a random one is worse. The order is drawn from the seed; pre-training, the item
    kernels and the output keep the order of ids. New items are not folded in.
    """

    @property
    def folds_in(self) -> frozenset[Side]:
        return frozenset()  # the order of the users is not kept

    def _finetuning(
        self, network: GLocalKNetwork, data: FullBatch, context: FitContext
    ) -> tuple[FineTuning, FullBatch]:
        return super()._finetuning(network, PermutedBatch(data, context.seed), context)


class GLocalKDecayedConfig(GLocalKConfig):
    """Options of GLocal-K, and the penalty on the item kernels."""

    lambda_k: float | None = Field(
        default=None, ge=0, description="λ_k, penalty on the item kernels; null: λ₂"
    )


class DecayedFineTuning(FineTuning):
    """Stage 2 with the penalty λ_k ½ Σᵢ kᵢ²."""

    def loss(self, ratings: RatingOperator) -> Tensor:
        config = cast(GLocalKDecayedConfig, self.network.config)
        lambda_k = config.lambda_2 if config.lambda_k is None else config.lambda_k
        squares = [k.square().sum(dtype=torch.float64) for k in self.network.item_kernels]
        return super().loss(ratings) + lambda_k / 2 * torch.stack(squares).sum()


class GLocalKDecayed(_Ablation):
    """GLocal-K whose item kernels are penalized: loss + λ_k ½ Σᵢ kᵢ².

    GLocal-K penalizes the weights W of the first layer, but a larger global kernel has the same
    effect as larger weights there, and is free.
    """

    Config = GLocalKDecayedConfig
    config: GLocalKDecayedConfig

    def _finetuning(
        self, network: GLocalKNetwork, data: FullBatch, context: FitContext
    ) -> tuple[FineTuning, FullBatch]:
        _, data = super()._finetuning(network, data, context)
        return DecayedFineTuning(network, self.config.finetune.iterations), data
