"""Options of IGMC; `igmc.py` has the equations."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from glocalk.completers.budget import BudgetConfig
from glocalk.config import BaseConfig


class EnsembleConfig(BaseConfig):
    """The networks whose mean is the last prediction."""

    members: int = Field(default=4, ge=1, description="number of networks")
    interval: int = Field(
        default=10, ge=1, description="official epochs from one network to the next"
    )


class IGMCConfig(BudgetConfig):
    """Options of IGMC; the defaults are those published for ML-100K."""

    max_neighbors: int = Field(
        default=200, ge=1, description="most other users, and most other items, of a subgraph"
    )
    hidden_size: int = Field(default=32, ge=1, description="units of each convolution")
    layers: int = Field(default=4, ge=2, description="number of convolutions")
    bases: int = Field(default=4, ge=1, description="number of matrices B")
    aggregation: Literal["sum", "mean"] = Field(
        default="sum", description="c_r: 1 as in the official code, or 1 / |N_r| as in the paper"
    )
    dense_size: int = Field(default=128, ge=1, description="units of the layer before the rating")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="share of those units left out")
    edge_dropout: float = Field(default=0.2, ge=0, lt=1, description="share of edges left out")
    adjacent_regularization: float = Field(default=0.001, ge=0, description="λ")
    learning_rate: float = Field(default=0.001, gt=0)
    decay: float = Field(
        default=0.1, gt=0, le=1, description="factor by which the learning rate decays"
    )
    decay_epochs: int = Field(
        default=50, ge=1, description="official epochs from one decay to the next"
    )
    batch_size: int = Field(default=50, ge=1, description="pairs per update")
    epochs: int = Field(default=80, ge=1, description="official number of epochs")
    ensemble: EnsembleConfig = EnsembleConfig()

    @model_validator(mode="after")
    def _ensemble_fits(self) -> IGMCConfig:
        if (self.ensemble.members - 1) * self.ensemble.interval >= self.epochs:
            raise ValueError(
                "the ensemble's first network must be taken after the training starts: lower "
                "ensemble.members or ensemble.interval"
            )
        return self

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes of the network."""
        return self.model_dump(include={"hidden_size", "layers", "bases", "dense_size"})
