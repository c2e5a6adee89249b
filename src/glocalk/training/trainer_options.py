"""Options that are handed to `lightning.Trainer`."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import lightning
from pydantic import AfterValidator

from glocalk.config import unknown_option
from glocalk.errors import GlocalkError

_PRECISIONS = ("32-true", "32", 32, "64-true", "64", 64)


def check_trainer_options(options: dict[str, Any]) -> dict[str, Any]:
    """`options`, if `lightning.Trainer` has all of them; for validators of config classes.

    Raises:
        PydanticCustomError: an unknown option.
        GlocalkError: what a training gives the Trainer itself, more than one device, or a
            precision that mixes number formats.
    """
    known = inspect.signature(lightning.Trainer).parameters
    for name in options:
        if name not in known:
            raise unknown_option(name, known)
    for name in ("callbacks", "plugins"):
        if name in options:
            raise GlocalkError(f"A training has its own trainer.{name}: leave that option out.")
    # Lightning starts the command again for every further device; each process would wait for the
    # lock that the first one holds on its run.
    if not _is_one_device(options.get("devices", 1)) or options.get("num_nodes", 1) != 1:
        raise GlocalkError(
            "A training uses one device: set trainer.devices=1 and trainer.num_nodes=1, or name "
            "one GPU, as in trainer=gpu trainer.devices=[0]; several seeds run side by side as "
            "several commands."
        )
    if options.get("strategy", "auto") != "auto":
        raise GlocalkError("A training uses one device: leave trainer.strategy at auto.")
    if options.get("precision", 32) not in _PRECISIONS:
        raise GlocalkError(
            f"A training cannot use trainer.precision={options['precision']}: the models compute "
            "in one precision, trainer.precision=32-true or 64-true."
        )
    return options


def _is_one_device(devices: Any) -> bool:
    if isinstance(devices, list):
        return len(devices) == 1
    return str(devices) == "1"


TrainerOptions = Annotated[dict[str, Any], AfterValidator(check_trainer_options)]
"""The type of an option that holds options of `lightning.Trainer`."""
