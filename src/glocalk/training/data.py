"""Data modules: what a training step is given."""

from __future__ import annotations

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader

from glocalk.data.rating_matrix import RatingMatrix
from glocalk.operators.base import RatingOperator
from glocalk.operators.formulation import Formulation, make_operator


class FullBatch(lightning.LightningDataModule):
    """The whole rating matrix as the single batch of an epoch.

    The batch is a `RatingOperator` on the device and in the precision of the trained module.

    Args:
        train: the training ratings.
        formulation: how the operator computes, see `make_operator`.
        unit: what the ratings of the batch are divided by.
    """

    def __init__(self, train: RatingMatrix, formulation: Formulation, unit: float = 1.0) -> None:
        super().__init__()
        self.train, self.formulation, self.unit = train, formulation, unit
        self._operators: dict[tuple[torch.device, torch.dtype], RatingOperator] = {}

    def train_dataloader(self) -> DataLoader[RatingOperator]:
        """A loader of one batch.

        The Trainer asks for it after it has moved and converted the module, so the operator is
        made where it is used, and Lightning passes it on as it is.
        """
        if self.trainer is None:
            raise RuntimeError("FullBatch makes its loader for a Trainer: call trainer.fit.")
        batches = [self.operator(self.trainer.lightning_module)]
        # A loader draws a seed whenever it is iterated; with its own generator it leaves torch's
        # global one alone.
        return DataLoader(
            batches,  # type: ignore[arg-type]
            batch_size=None,
            generator=torch.Generator(),
        )

    def operator(self, module: nn.Module) -> RatingOperator:
        """The operator on the device and in the precision of `module`; made once and kept."""
        like = next(module.parameters())
        key = like.device, like.dtype
        if key not in self._operators:
            train = self.train
            self._operators[key] = make_operator(
                torch.tensor(train.users, device=like.device),
                torch.tensor(train.items, device=like.device),
                torch.tensor(train.ratings / self.unit, device=like.device, dtype=like.dtype),
                (train.num_items, train.num_users),
                self.formulation,
            )
        return self._operators[key]
