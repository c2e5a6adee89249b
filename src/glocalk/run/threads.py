"""The number of threads of a run or a search."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from glocalk.files import write_atomically
from glocalk.threads import ALL_THREADS, free_threads

_log = logging.getLogger(__name__)


def set_threads(wanted: int | None, kept: Path) -> None:
    """Set torch's number of threads.

    Args:
        wanted: the number; None for the cores that are free now.
        kept: file that keeps the number of free cores, so that a resumed training has the number,
            and thereby the bits, of one that was not interrupted.
    """
    if wanted is None:
        wanted = _read(kept)
    if wanted is None:
        wanted = free_threads()
        if wanted < ALL_THREADS:
            _log.info(
                "Other programs keep this machine busy: computing on %d of %d threads "
                "(trainer.threads=%d takes all).",
                *(wanted, ALL_THREADS, ALL_THREADS),
            )
        write_atomically(kept, f"{wanted}\n")
    torch.set_num_threads(wanted)


def _read(kept: Path) -> int | None:
    try:
        number = int(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # there is none, or it is damaged
        return None
    return number if 1 <= number <= ALL_THREADS else None
