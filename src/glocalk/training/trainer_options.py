"""Options that are handed to `lightning.Trainer`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import lightning

from glocalk.config import did_you_mean
from glocalk.errors import GlocalkError


def check_trainer_options(options: Mapping[str, Any], where: str) -> None:
    """Refuse options that `lightning.Trainer` does not have.

    Args:
        options: values by name.
        where: what they are an entry of, as in `trainer`.

    Raises:
        GlocalkError: an unknown option.
    """
    known = inspect.signature(lightning.Trainer).parameters
    for name in options:
        if name not in known:
            raise GlocalkError(f"Unknown option '{where}.{name}': {did_you_mean(name, known)}")
