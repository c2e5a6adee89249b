"""Glorot's uniform initial values."""

from __future__ import annotations

import math

import torch
from torch import nn


def glorot(inputs: int, outputs: int, generator: torch.Generator) -> nn.Parameter:
    """[inputs, outputs] Glorot's uniform initial values."""
    limit = glorot_limit(inputs, outputs)
    return nn.Parameter(torch.empty(inputs, outputs).uniform_(-limit, limit, generator=generator))


def glorot_limit(inputs: int, outputs: int) -> float:
    """√(6 / (inputs + outputs)), the bound of Glorot's uniform initial values."""
    return math.sqrt(6 / (inputs + outputs))
