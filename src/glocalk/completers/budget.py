"""Budgets: a long training may be run for a share of the official epochs."""

from __future__ import annotations

import math

from pydantic import Field

from glocalk.config import BaseConfig


class BudgetConfig(BaseConfig):
    """Options of a model that can be trained for a share of the official epochs."""

    epochs: int = Field(ge=1, description="official number of epochs")
    budget: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="share of the epochs to train, rounded up to whole epochs",
    )

    @property
    def trained_epochs(self) -> int:
        """Number of epochs within the budget, rounded up."""
        return math.ceil(round(self.epochs * self.budget, 9))

    @property
    def share(self) -> float:
        """Share of the official epochs that is trained."""
        return self.trained_epochs / self.epochs
