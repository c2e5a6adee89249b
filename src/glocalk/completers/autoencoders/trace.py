"""What GLocal-K tells of its global kernel while it is fine-tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from glocalk.completers.autoencoders.layers import EffectiveLayer
from glocalk.operators.base import RatingOperator
from glocalk.training.context import FitContext
from glocalk.training.data import FullBatch


class Convolving(Protocol):
    """A network with global kernels."""

    def effective(self) -> tuple[list[EffectiveLayer], Tensor]: ...

    def global_kernels(
        self, ratings: RatingOperator, layers: list[EffectiveLayer]
    ) -> list[Tensor]: ...


class KernelTrace(Callback):
    """Tells the observer of the global kernels: before the first epoch, and after each.

    The numbers, by name:

    - `taps/1`, `taps/2`, …: the t² taps of each convolution layer's kernel, row by row.
    - `live`: shares of positive cells in the convolved and rectified matrix: among all cells, and
      among those with a rating.
    - `redraws`, before the first epoch only: how often each layer's item kernels were drawn again.

    Args:
        stage: name of the stage.
        data: the ratings.
        context: holds the observer.
        redraws: see above.
    """

    def __init__(
        self, stage: str, data: FullBatch, context: FitContext, redraws: Sequence[int]
    ) -> None:
        self.stage, self.data, self.observer = stage, data, context.observer
        self.redraws = redraws

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        if trainer.current_epoch == 0:  # not resumed
            initial = {**self._numbers(pl_module), "redraws": self.redraws}
            self.observer.traced(self.stage, 0, initial)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        self.observer.traced(self.stage, trainer.current_epoch + 1, self._numbers(pl_module))

    @torch.no_grad()
    def _numbers(self, module: Any) -> Mapping[str, Sequence[float]]:
        network, ratings = cast(Convolving, module.network), self.data.operator(module)
        layers, _ = network.effective()
        kernels = network.global_kernels(ratings, layers)
        taps = {f"taps/{layer}": k.flatten().tolist() for layer, k in enumerate(kernels, start=1)}
        return {**taps, "live": ratings.live_shares(kernels)}
