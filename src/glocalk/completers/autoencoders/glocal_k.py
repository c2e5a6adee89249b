"""GLocal-K: global and local kernels for recommender systems.

Han, Lim, Long, Burgstaller, Poon, CIKM 2021, arXiv 2108.12184; official code
`usydnlp/Glocal_K`. An auto-encoder over items' rating rows, whose weights are multiplied by
local kernels, is pre-trained on the rating matrix R [items, users]:

    p(R) = output(hidden(R)),   loss = ½ Σ_observed (r − p)² + Σ_layers (λ₂ ½ΣW² + λ_s ½ΣŴ²)

It is then fine-tuned, with the same loss, on R convolved with a global kernel, which is made of
trained item kernels kᵢ and the network's own predictions:

    μ = mean over users of p(R),   GK = dot_scale · Σᵢ μᵢ kᵢ,   p = p(ReLU(R ⊗ GK))

`kernels.py` has both kernels, `operators/convolution.py` the convolution.

Differences from the official code: item kernels whose global kernel starts with fewer than two
positive entries are drawn again (`redraw_kernels`), and the loss is summed in float64. The variants
of the paper's Table 2, which the official code does not have, are our reading: several convolution
layers, and aggregation by the average. `hold_kernels`, off by default, is an addition: it leaves
the kinks of the loss at which L-BFGS stands still (`docs/kernels.md`).
"""

from __future__ import annotations

import logging
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from glocalk.completers.autoencoders.base import AutoEncoderCompleter
from glocalk.completers.autoencoders.kernel_stage import KernelConfig, KernelNetwork, KernelStage
from glocalk.completers.autoencoders.kernels import average_global_kernel, global_kernel
from glocalk.completers.autoencoders.layers import EffectiveLayer, encode, truncated_normal_
from glocalk.completers.autoencoders.stage import StageConfig
from glocalk.completers.autoencoders.trace import KernelTrace
from glocalk.completers.base import class_name
from glocalk.config import ADDED
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.operators.base import RatingOperator, mean_prediction
from glocalk.training.context import FitContext
from glocalk.training.data import FullBatch
from glocalk.training.shared import SharedPart, SharedStage

_log = logging.getLogger(__name__)

_KERNEL_SIGMA = 0.1  # of the item kernels' initial values
# All entries of a random global kernel are negative with probability 2⁻ᵗ². Of 100 draws of a
# 3 × 3 kernel, 98 have at least two positive entries.
_MOST_DRAWS = 100

# Options without effect on pre-training. A new option is not among them until someone has made
# sure that it has none: runs that differ in others do not share their pre-training.
_WITHOUT_EFFECT_ON_PRETRAINING: dict[str, Any] = {
    "kernel_size": True,
    "convolution_layers": True,
    "aggregation": True,
    "dot_scale": True,
    "redraw_kernels": True,
    "hold_kernels": True,
    "pretrain": {"epochs"},
    "finetune": True,
}


class OptionalStageConfig(StageConfig):
    """A stage that is skipped if it has 0 epochs."""

    epochs: int = Field(ge=0, description="number of epochs; 0 skips the stage")


class GLocalKConfig(KernelConfig):
    """Options of GLocal-K, in the paper's notation.

    The defaults are those published for MovieLens 100K.
    """

    kernel_size: int = Field(default=3, ge=1, description="t of the t × t global kernel; odd")
    convolution_layers: int = Field(default=1, ge=1, description="number of convolutions")
    aggregation: Literal["weighted", "average"] = Field(
        default="weighted", description="how the item kernels make the global kernel"
    )
    dot_scale: float = Field(default=1.0, description="scale of the global kernel")
    redraw_kernels: bool = Field(
        default=True,
        description="draw item kernels again if their global kernel has < 2 positive entries",
    )
    hold_kernels: Annotated[bool, ADDED] = Field(
        default=False,
        description="repeat an epoch of fine-tuning that makes no progress, with the item kernels "
        "held",
    )
    pretrain: OptionalStageConfig = OptionalStageConfig(epochs=30, iterations=5)
    finetune: OptionalStageConfig = OptionalStageConfig(epochs=60, iterations=5)

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError("the size must be odd (3, 5, 7), because the kernel needs a center")
        return size

    @model_validator(mode="after")
    def _trains(self) -> GLocalKConfig:
        if not self.pretrain.epochs and not self.finetune.epochs:
            raise ValueError("one of the two stages needs at least one epoch")
        return self


class GLocalKNetwork(KernelNetwork):
    """The network that both stages train.

    Args:
        shape: (users, items).
        config: the options.
        generator: source of the initial values.
    """

    config: GLocalKConfig

    def __init__(
        self, shape: tuple[int, int], config: GLocalKConfig, generator: torch.Generator
    ) -> None:
        users, items = shape
        super().__init__(users, config, generator)
        self.item_kernels = nn.ParameterList(
            truncated_normal_(torch.empty(items, config.kernel_size**2), _KERNEL_SIGMA, generator)
            for _ in range(config.convolution_layers)
        )

    def global_pass(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> Tensor:
        """Last hidden layer [items, hidden] of the pass over the convolved R: fine-tuning."""
        kernels = self.global_kernels(ratings, layers)
        return encode(ratings.convolved_product(kernels, layers[0].weight), layers)

    def global_kernels(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> list[Tensor]:
        """The [t, t] global kernel of each convolution layer."""
        scale = self.config.dot_scale
        if self.config.aggregation == "average":
            return [average_global_kernel(kernels, scale) for kernels in self.item_kernels]
        pooled = mean_prediction(self.local_pass(ratings, layers), *layers[-1])
        return [global_kernel(pooled, kernels, scale) for kernels in self.item_kernels]

    @torch.no_grad()
    def redraw_degenerate_kernels(
        self, ratings: RatingOperator, generator: torch.Generator
    ) -> list[int]:
        """Draw item kernels again while their global kernel has fewer than two positive entries.

        Each positive entry leaves about one positive cell per rating in the convolved matrix.
        With one such entry or none, the convolved matrix has fewer positive cells than R has
        ratings; if it is 0 everywhere, so is every gradient of the kernel. The decision uses the
        kernels alone: no error, and no rating of the test set.

        Returns:
            For each convolution layer, how often its kernels were drawn again.
        """
        layers, _ = self.effective()
        draws = [0] * len(self.item_kernels)
        for _ in range(_MOST_DRAWS):
            degenerate = [
                int((kernel > 0).sum()) < min(2, kernel.numel())
                for kernel in self.global_kernels(ratings, layers)
            ]
            if not any(degenerate):
                break
            for layer in [layer for layer, again in enumerate(degenerate) if again]:
                truncated_normal_(self.item_kernels[layer], _KERNEL_SIGMA, generator)
                draws[layer] += 1
        return draws


class PreTraining(KernelStage):
    """Stage 1: the auto-encoder on the rating matrix (Sec. 3.1 of the paper)."""

    stage = "pretrain"
    network: GLocalKNetwork

    def trained(self) -> nn.Module:
        return self.network.autoencoder


class FineTuning(KernelStage):
    """Stage 2: auto-encoder and item kernels on the convolved matrix (Sec. 3.2)."""

    stage = "finetune"
    network: GLocalKNetwork

    def hidden(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> Tensor:
        return self.network.global_pass(ratings, layers)

    def kernels(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> list[Tensor]:
        return self.network.global_kernels(ratings, layers)

    def training_step(self, batch: RatingOperator, batch_idx: int) -> None:
        super().training_step(batch, batch_idx)
        if self.network.config.hold_kernels and not self.progressed:
            _log.info("Epoch %d is repeated with the item kernels held.", self.current_epoch + 1)
            self.descend(batch, self.make_optimizer(self.network.autoencoder))


class GLocalK(AutoEncoderCompleter):
    """GLocal-K: an auto-encoder with local kernels, fine-tuned on a convolved rating matrix.

    The module's docstring has the equations; `GLocalKConfig` has the options.

    An item without training ratings is a row of zeros like any other row. For a user without
    training ratings, the prediction is the mean of the training ratings. The official code predicts
    from that user's output weights and bias, which are not fitted to any rating.

    A new item has no item kernel and no place in the order of items: it is convolved with the
    global kernel as trained, between two rows without ratings.

    Example:
        >>> import glocalk
        >>> ratings = glocalk.Ratings.from_arrays(
        ...     ["ann", "ann", "bob", "bob", "eve"], ["x", "y", "x", "z", "y"], [5, 3, 4, 2, 1]
        ... )
        >>> model = glocalk.GLocalK(hidden_size=10, pretrain={"epochs": 2}, finetune={"epochs": 2})
        >>> model.fit(ratings, seed=0).predict(["ann"], ["z"]).shape
        (1,)
    """

    Config = GLocalKConfig
    model_version = 3
    official = "best_test"  # the official code prints its best test epoch, see the README
    config: GLocalKConfig

    network_class: ClassVar[type[GLocalKNetwork]] = GLocalKNetwork

    @property
    def schedule(self) -> dict[str, int]:
        epochs = {"pretrain": self.config.pretrain.epochs, "finetune": self.config.finetune.epochs}
        return {stage: number for stage, number in epochs.items() if number}

    @property
    def shared_stage(self) -> SharedStage:
        """Pre-training, which runs with other item kernels have in common."""
        options = self.config.model_dump(mode="json", exclude=_WITHOUT_EFFECT_ON_PRETRAINING)
        made_by = {"class": class_name(type(self)), "version": self.model_version}
        return SharedStage(PreTraining.stage, {**made_by, "config": options})

    @property
    def _hidden_layers(self) -> int:
        return self.config.hidden_layers

    @property
    def _kernels(self) -> tuple[int, int]:
        config = self.config
        return (config.convolution_layers, config.kernel_size) if config.finetune.epochs else (0, 1)

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        generator = torch.Generator().manual_seed(context.seed)
        network = self.network_class(train.shape, self.config, generator)
        data = self._batch(train)
        pretrain, finetune = self.config.pretrain, self.config.finetune
        if pretrain.epochs:
            stage = PreTraining(network, pretrain.iterations)
            shared = SharedPart(network.autoencoder, self.shared_stage.options)
            self._run(stage, pretrain, data, context, shared=shared)
        if finetune.epochs:
            draws = [0] * self.config.convolution_layers
            if self.config.redraw_kernels:
                draws = network.redraw_degenerate_kernels(data.operator(network), generator)
            if any(draws):
                _log.info("Item kernels drawn again, by convolution layer: %s times.", draws)
            finetuning, data = self._finetuning(network, data, context)
            trace = [KernelTrace(FineTuning.stage, data, context, draws)] if context.trace else []
            self._run(finetuning, finetune, data, context, trace)

    def _finetuning(
        self, network: GLocalKNetwork, data: FullBatch, context: FitContext
    ) -> tuple[FineTuning, FullBatch]:
        """The second stage, and what it is trained on."""
        del context
        return FineTuning(network, self.config.finetune.iterations), data
