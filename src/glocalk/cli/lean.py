"""Imports for commands that train, without what they never use.

torchmetrics, which Lightning imports, imports matplotlib for its plots and `scipy.signal` for a
patch that an audio metric needs. That is a third of the time that a training takes to start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def import_torchmetrics() -> None:
    """Import torchmetrics without its plots and its audio metrics.

    For a process of the command line alone: nothing in it draws a metric.
    """
    if "torchmetrics" not in sys.modules:
        with _without_plots(), _without_signals():
            import torchmetrics  # noqa: F401


@contextmanager
def _without_signals() -> Iterator[None]:
    name = "scipy.signal"
    if name in sys.modules:
        yield
        return
    stand_in = ModuleType(name)
    stand_in.hamming = None  # type: ignore[attr-defined]  # what torchmetrics would patch in
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def _without_plots() -> Iterator[None]:
    from lightning_utilities.core.imports import RequirementCache

    is_met = RequirementCache.__bool__

    def is_met_but_for_plots(cache: RequirementCache) -> bool:
        return cache.requirement != "matplotlib" and is_met(cache)

    RequirementCache.__bool__ = is_met_but_for_plots  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        RequirementCache.__bool__ = is_met  # type: ignore[method-assign]
