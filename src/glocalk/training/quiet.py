"""Lightning without the messages that do not apply here."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_MESSAGES = (
    ".*does not have many workers.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*Experiment logs directory .* exists.*",
    ".*LeafSpec.*",
    # Of torch on a GPU: what it does by itself, and the state of an interface.
    ".*no current CUDA context.*",
    ".*Sparse CSR tensor support is in beta state.*",
    ".*Sparse invariant checks are implicitly disabled.*",
)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Suppress Lightning's notes on devices, loaders and folders; its other warnings stay."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _MESSAGES:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        logger.setLevel(level)
