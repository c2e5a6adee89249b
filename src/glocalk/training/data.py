"""Data modules: what one epoch trains on."""

from __future__ import annotations

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader

from glocalk.data.ratings import RatingMatrix
from glocalk.operators.base import RatingOperator
from glocalk.operators.formulation import Formulation, make_operator


class FullBatch(lightning.LightningDataModule):
    """The whole rating matrix as the one batch of an epoch, an operator where the model is.

    Args:
        train: the ratings.
        formulation: how the operator computes, see `make_operator`.
    """

    def __init__(self, train: RatingMatrix, formulation: Formulation) -> None:
        super().__init__()
        self.train, self.formulation = train, formulation
        self._operators: dict[tuple[torch.device, torch.dtype], RatingOperator] = {}

    def train_dataloader(self) -> DataLoader[int]:
        # One batch, which the hook below puts the operator in the place of: Lightning would walk
        # through the matrix itself to convert its parts.
        return DataLoader([0], batch_size=None)  # type: ignore[arg-type]

    def transfer_batch_to_device(
        self, batch: int, device: torch.device, dataloader_idx: int
    ) -> RatingOperator:
        """Lightning's hook: the batch on the model's device is the operator there."""
        del batch, device, dataloader_idx  # there is one of each
        assert self.trainer is not None
        return self.operator(self.trainer.lightning_module)

    def operator(self, module: nn.Module) -> RatingOperator:
        """The operator on the device and in the precision of `module`, made once."""
        like = next(module.parameters())
        key = like.device, like.dtype
        if key not in self._operators:
            train = self.train
            self._operators[key] = make_operator(
                torch.tensor(train.users, device=like.device),
                torch.tensor(train.items, device=like.device),
                torch.tensor(train.ratings, device=like.device, dtype=like.dtype),
                (train.num_items, train.num_users),
                self.formulation,
            )
        return self._operators[key]
