"""GLocal-K and the baselines of its paper, on the paper's splits, under honest protocols."""

from __future__ import annotations

import importlib
from typing import Any

from glocalk.completers import PUBLIC


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(importlib.import_module(PUBLIC[name]), name)
    if name == "load":
        return importlib.import_module("glocalk.completers.registry").load
    if name == "Ratings":
        return importlib.import_module("glocalk.data.labeled").Ratings
    raise AttributeError(f"module 'glocalk' has no attribute '{name}'")
