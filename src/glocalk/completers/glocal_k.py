"""GLocal-K: global and local kernels for recommender systems.

Han, Lim, Long, Burgstaller, Poon, CIKM 2021, arXiv 2108.12184; official code
`usydnlp/Glocal_K`. An auto-encoder over items' rating rows whose weights are multiplied by
local kernels is pre-trained on the rating matrix R [items, users]:

    p(R) = output(hidden(R)),   loss = ½ Σ_observed (r − p)² + Σ_layers (λ₂ ½ΣW² + λ_s ½ΣŴ²)

and fine-tuned, with the same loss, on R convolved with a global kernel that the network's own
prediction makes:

    μ = mean over users of p(R),   GK = dot_scale · Σᵢ μᵢ kᵢ,   p = p(ReLU(R ⊗ GK))
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Literal, NamedTuple

import lightning
import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from glocalk.completers.base import Completer, State, Training, take
from glocalk.completers.stage import FullBatch, Stage, run_stage
from glocalk.data.ratings import Indices, RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.nn.autoencoder import EffectiveLayer, KernelAutoEncoder, encode, truncated_normal_
from glocalk.nn.formulation import Formulation
from glocalk.nn.kernels import average_global_kernel, global_kernel
from glocalk.nn.lbfgs import LineSearch, make_lbfgs
from glocalk.nn.operators import RatingOperator, mean_prediction, predict_pairs
from glocalk.settings import Settings

_log = logging.getLogger(__name__)

_KERNEL_SIGMA = 0.1  # of the item kernels' initial values
# All entries of a global kernel are negative with probability 2⁻ᵗ²; two of 3 × 3 are positive in
# 98 draws of 100, mostly the first.
_MOST_DRAWS = 100


class StageSettings(Settings):
    """One stage's length and Trainer options."""

    epochs: int = Field(ge=0, description="number of L-BFGS restarts")
    iterations: int = Field(ge=1, description="L-BFGS iterations an epoch")
    trainer: dict[str, Any] = Field(default={}, description="over the run's Trainer options")


class LBFGSSettings(Settings):
    """How L-BFGS runs."""

    restart: bool = True  # its memory is dropped at every epoch, as in the official code
    line_search: LineSearch = "more_thuente"
    memory: int = Field(default=10, ge=1)


class GLocalKSettings(Settings):
    """Options of GLocal-K, with the paper's symbols."""

    hidden_size: int = Field(ge=1)
    hidden_layers: int = Field(ge=1)
    kernel_dimension: int = Field(ge=1, description="length of u and v")
    kernel_size: int = Field(ge=1, description="t of the t × t global kernel")
    convolution_layers: int = Field(ge=1)
    aggregation: Literal["weighted", "average"]
    dot_scale: float
    redraw_kernels: bool = Field(description="whether item kernels that blind are drawn again")
    lambda_2: float = Field(ge=0, description="λ₂, on the raw weights W")
    lambda_s: float = Field(ge=0, description="λ_s, on the kernel values Ŵ")
    pretrain: StageSettings
    finetune: StageSettings
    lbfgs: LBFGSSettings
    formulation: Formulation

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError("the global kernel has a middle, so its size must be odd (3, 5, 7)")
        return size

    @model_validator(mode="after")
    def _trains(self) -> GLocalKSettings:
        if not self.pretrain.epochs and not self.finetune.epochs:
            raise ValueError("one of the two stages needs an epoch")
        return self


class GLocalKNetwork(nn.Module):
    """The network that both stages train.

    Args:
        shape: (users, items).
        config: the options.
        generator: source of the initial values.
    """

    def __init__(
        self, shape: tuple[int, int], config: GLocalKSettings, generator: torch.Generator
    ) -> None:
        super().__init__()
        users, items = shape
        self.config = config
        self.autoencoder = KernelAutoEncoder(
            users, config.hidden_size, config.hidden_layers, config.kernel_dimension, generator
        )
        self.item_kernels = nn.ParameterList(
            truncated_normal_(torch.empty(items, config.kernel_size**2), _KERNEL_SIGMA, generator)
            for _ in range(config.convolution_layers)
        )

    def effective(self) -> tuple[list[EffectiveLayer], Tensor]:
        """The layers as they act, and the penalty."""
        return self.autoencoder.effective(self.config.lambda_2, self.config.lambda_s)

    def local_pass(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> Tensor:
        """Last hidden layer [items, hidden] of the pass over R: all of pre-training."""
        return encode(ratings.product(layers[0].weight), layers)

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
    def redraw_blinding_kernels(
        self, ratings: RatingOperator, generator: torch.Generator
    ) -> list[int]:
        """Draw item kernels again while their global kernel has fewer than two positive entries.

        Each positive entry keeps about one cell alive for each rating; under one of them or none
        the convolved matrix has fewer live cells than R has ratings, down to 0 everywhere, where
        every gradient of the kernel is 0 as well. No error is looked at, and none of the test set.

        Returns:
            For each convolution layer, how often its kernels were drawn again.
        """
        layers, _ = self.effective()
        draws = [0] * len(self.item_kernels)
        for _ in range(_MOST_DRAWS):
            blind = [
                int((kernel > 0).sum()) < min(2, kernel.numel())
                for kernel in self.global_kernels(ratings, layers)
            ]
            if not any(blind):
                break
            for layer in [layer for layer, is_blind in enumerate(blind) if is_blind]:
                truncated_normal_(self.item_kernels[layer], _KERNEL_SIGMA, generator)
                draws[layer] += 1
        return draws


class Output(NamedTuple):
    """What predictions are made from: r̂ᵤᵢ = hᵢ·wᵤ + bᵤ.

    `hidden` H is [items, hidden], `weight` W ⊙ Ŵ of the output layer [hidden, users], `bias`
    [users].
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor


class _LBFGSStage(lightning.LightningModule):
    """Full-batch L-BFGS on the loss of one pass, an epoch a step."""

    stage: ClassVar[str]  # its name in configs, curves and checkpoints
    automatic_optimization = False  # one step evaluates the loss many times

    def __init__(self, network: GLocalKNetwork, iterations: int) -> None:
        super().__init__()
        self.network = network
        self.iterations = iterations

    def hidden(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> Tensor:
        """Last hidden layer [items, hidden] that this stage predicts from."""
        raise NotImplementedError

    def trained(self) -> nn.Module:
        """The part of the network that this stage trains."""
        raise NotImplementedError

    def loss(self, ratings: RatingOperator) -> Tensor:
        """½ Σ_observed (r − p)² + penalty: sums, not means."""
        layers, penalty = self.network.effective()
        return ratings.half_squared_error(self.hidden(ratings, layers), *layers[-1]) + penalty

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return make_lbfgs(
            self.trained().parameters(),
            iterations=self.iterations,
            **self.network.config.lbfgs.model_dump(),
        )

    def training_step(self, batch: RatingOperator, batch_idx: int) -> None:
        del batch_idx
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = self.loss(batch)
            if not torch.isfinite(loss):
                raise GlocalkError(
                    f"The loss is {loss:g} in epoch {self.current_epoch + 1} of {self.stage}: the "
                    "training has diverged."
                )
            self.manual_backward(loss)
            return loss

        # The loss at the epoch's start; logged after the step, for the closure runs many times.
        self.log("loss", optimizer.step(closure))

    @torch.no_grad()
    def output(self, ratings: RatingOperator) -> Output:
        """What this stage predicts from, as trained so far."""
        layers, _ = self.network.effective()
        weight, bias = layers[-1]
        return Output(self.hidden(ratings, layers), weight, bias.detach())


class PreTraining(_LBFGSStage):
    """Stage 1: the auto-encoder on the rating matrix (Sec. 3.1 of the paper)."""

    stage = "pretrain"

    def hidden(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> Tensor:
        return self.network.local_pass(ratings, layers)

    def trained(self) -> nn.Module:
        return self.network.autoencoder


class FineTuning(_LBFGSStage):
    """Stage 2: auto-encoder and item kernels on the convolved matrix (Sec. 3.2)."""

    stage = "finetune"

    def hidden(self, ratings: RatingOperator, layers: list[EffectiveLayer]) -> Tensor:
        return self.network.global_pass(ratings, layers)

    def trained(self) -> nn.Module:
        return self.network


class GLocalK(Completer):
    """Pre-training, then fine-tuning of one network; predictions are those of the last stage."""

    Config = GLocalKSettings
    model_version = 3
    official = "best_test"  # the official code prints its best test epoch, see the README

    def __init__(self, config: GLocalKSettings) -> None:
        self.config = config
        self._stage: _LBFGSStage | None = None
        self._data: FullBatch | None = None
        self._restored: tuple[Output, int] | None = None

    @property
    def schedule(self) -> dict[str, int]:
        epochs = {"pretrain": self.config.pretrain.epochs, "finetune": self.config.finetune.epochs}
        return {stage: number for stage, number in epochs.items() if number}

    def fit(self, train: RatingMatrix, valid: RatingMatrix | None, training: Training) -> None:
        del valid  # nothing is chosen during the training
        self._restored = None
        generator = torch.Generator().manual_seed(training.seed)
        network = GLocalKNetwork(train.shape, self.config, generator)
        self._data = FullBatch(train, self.config.formulation)
        for settings, kind in (
            (self.config.pretrain, PreTraining),
            (self.config.finetune, FineTuning),
        ):
            if not settings.epochs:
                continue
            self._stage = kind(network, settings.iterations)
            if kind is FineTuning and self.config.redraw_kernels:
                self._redraw_kernels(generator)
            stage = Stage(kind.stage, self._stage, settings.epochs, settings.trainer)
            run_stage(stage, self._data, training, self.predict)

    def _redraw_kernels(self, generator: torch.Generator) -> None:
        assert self._stage is not None
        assert self._data is not None
        draws = self._stage.network.redraw_blinding_kernels(
            self._data.operator(self._stage), generator
        )
        if any(draws):
            _log.info("Item kernels drawn again, by convolution layer: %s times.", draws)

    def predict(self, users: Indices, items: Indices) -> Values:
        output = self._output()
        device = output.bias.device
        predicted = predict_pairs(
            *output, torch.tensor(users, device=device), torch.tensor(items, device=device)
        )
        return predicted.double().cpu().numpy()

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        hidden, weight, bias = self._output()
        u, i = torch.tensor(users, device=bias.device), torch.tensor(items, device=bias.device)
        grid = torch.addmm(bias[u].unsqueeze(1), weight.T[u], hidden[i].T)
        return grid.double().cpu().numpy()

    def state(self) -> State:
        hidden, weight, bias = self._output()
        # Rather than the parameters, which predict from the training ratings alone.
        return {
            "hidden": hidden,
            "weight": weight.T.contiguous(),  # [users, hidden], as `predict_pairs` gathers it
            "bias": bias,
            "parameters": torch.tensor(self.num_parameters),
        }

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        users, items = shape
        size = self.config.hidden_size
        output = Output(
            take(state, "hidden", (items, size)),
            take(state, "weight", (users, size)).T,
            take(state, "bias", (users,)),
        )
        self._restored = output, int(take(state, "parameters", ()))

    @torch.no_grad()
    def _output(self) -> Output:
        if self._restored is not None:
            return self._restored[0]
        assert self._stage is not None, "fit first"
        assert self._data is not None, "fit first"
        return self._stage.output(self._data.operator(self._stage))

    @property
    def num_parameters(self) -> int:
        if self._restored is not None:
            return self._restored[1]
        assert self._stage is not None, "fit first"
        return sum(parameter.numel() for parameter in self._stage.network.parameters())
