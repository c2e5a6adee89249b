"""Options of GRAEM and GRALS."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glocalk.config import BaseConfig
from glocalk.data.side.encode import FeatureConfig


class PruningConfig(BaseConfig):
    """How contested edges are found; the defaults are those of the official code."""

    alternations: int = Field(default=35, ge=1, description="turns of each side without a graph")
    steps: int = Field(default=3, ge=1, description="most steps of conjugate gradients in a turn")
    regularization: float = Field(default=1.2, gt=0, description="λ, without a graph")
    precision: float = Field(default=20.0, gt=0, description="α, of the ratings")


class GraphFactorsConfig(BaseConfig):
    """What GRAEM and GRALS have in common."""

    rank: int = Field(default=10, ge=1, description="number of factors")
    user_graph: Literal["attributes", "given", "none"] = Field(
        default="attributes",
        description="attributes: the nearest neighbors by attributes; given: that of the data set",
    )
    item_graph: Literal["attributes", "given", "none"] = Field(
        default="attributes", description="likewise"
    )
    user_features: tuple[FeatureConfig, ...] | None = Field(
        default=None, description="attributes of users; null takes all, encoded by their form"
    )
    item_features: tuple[FeatureConfig, ...] | None = Field(
        default=None, description="attributes of items, likewise"
    )
    neighbors: int = Field(default=10, ge=1, description="neighbors of each node by attributes")


class GRAEMConfig(GraphFactorsConfig):
    """Options of GRAEM; the defaults are those of the official code for ML-100K."""

    prune: bool = Field(default=True, description="whether contested edges are removed")
    pruning: PruningConfig = Field(default=PruningConfig(), description="ignored without prune")
    graph_weight: float = Field(default=0.5, ge=0, description="γ, of the Laplacian")
    noise: float = Field(default=0.1, gt=0, description="σ, of ratings divided by the highest")
    learning_rate: float = Field(default=1e-5, gt=0, description="η")
    momentum: float = Field(default=0.2, ge=0, lt=1, description="m")
    batches: int = Field(default=12, ge=1, description="updates of an epoch")
    epochs: int = Field(default=100, ge=1)


class GRALSConfig(GraphFactorsConfig):
    """Options of GRALS; the defaults are those of GRAEM's code for ML-100K."""

    graph_weight: float = Field(default=0.4, ge=0, description="λ_L, of the Laplacian")
    regularization: float = Field(default=1e-4, gt=0, description="λ, of every factor")
    steps: int = Field(default=2, ge=1, description="most steps of conjugate gradients in a turn")
    epochs: int = Field(default=200, ge=1, description="turns of each side")
