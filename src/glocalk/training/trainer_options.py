"""Options that are handed to `lightning.Trainer`."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import lightning
from pydantic import AfterValidator

from glocalk.config import unknown_option


def check_trainer_options(options: dict[str, Any]) -> dict[str, Any]:
    """`options`, if `lightning.Trainer` has all of them; for validators of config classes.

    Raises:
        PydanticCustomError: an unknown option.
    """
    known = inspect.signature(lightning.Trainer).parameters
    for name in options:
        if name not in known:
            raise unknown_option(name, known)
    return options


TrainerOptions = Annotated[dict[str, Any], AfterValidator(check_trainer_options)]
"""The type of an option that holds options of `lightning.Trainer`."""
