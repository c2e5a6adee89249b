"""Options of IMC-GAE; `imc_gae.py` has the equations."""

from __future__ import annotations

from pydantic import Field

from glocalk.completers.budget import BudgetConfig
from glocalk.completers.imc_gae.network import FEATURES


class IMCGAEConfig(BudgetConfig):
    """Options of IMC-GAE; the defaults are those published for ML-100K."""

    hidden_size: int = Field(
        default=1800, ge=FEATURES, description="3 width, the length of h; a multiple of 3"
    )
    embedding_size: int = Field(default=75, ge=1, description="length of o and z")
    layers: int = Field(default=2, ge=1)
    message_bases: int = Field(default=4, ge=1, description="number of matrices B")
    bases: int = Field(default=2, ge=1, description="number of matrices Q of the decoder")
    dropout: float = Field(
        default=0.7,
        ge=0,
        lt=1,
        description="share of nodes, and of hidden units, that the first layer leaves out",
    )
    adjacent_regularization: float = Field(default=0.00004, ge=0, description="λ")
    max_norm: float = Field(default=1.0, gt=0, description="largest norm of a gradient")
    learning_rate: float = Field(default=0.01, gt=0, description="the initial one")
    min_learning_rate: float = Field(default=0.001, gt=0)
    decay: float = Field(
        default=0.5, gt=0, le=1, description="factor by which the learning rate decays"
    )
    decay_patience: int = Field(
        default=50, ge=0, description="updates without a lower held-out error before a decay"
    )
    patience: int = Field(
        default=200, ge=0, description="the same before training stops, at the lowest rate"
    )
    held_out: float = Field(
        default=0.05, ge=0, lt=1, description="share of the training ratings held out"
    )
    epochs: int = Field(default=200, ge=1, description="most epochs")
    steps: int = Field(default=10, ge=1, description="full-batch updates per epoch")

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes of the network."""
        names = {"hidden_size", "embedding_size", "layers", "message_bases", "bases"}
        return self.model_dump(include=names)
