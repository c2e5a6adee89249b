"""GLocal-K and the baselines of its paper, on the paper's splits, under honest protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from glocalk.predictions import Model


def load(run: str | Path) -> Model:
    """The fitted model of a run, to predict with: `glocalk.load("runs/…").predict(users, items)`.

    Raises:
        GlocalkError: there is no such run, it kept no model, or the model file is damaged.
    """
    from glocalk.predictions import load as load_model  # heavy: torch

    return load_model(run)
