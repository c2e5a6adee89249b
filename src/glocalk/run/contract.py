"""What a run relies on in a completer, which a class outside glocalk may lack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glocalk.completers.base import Completer
from glocalk.errors import GlocalkError
from glocalk.run.monitor import Monitor


def check_schedule(completer: Completer) -> None:
    """Refuse a completer whose epochs could not be followed, before it is trained.

    Raises:
        GlocalkError: `schedule` is not a property that returns numbers of epochs, or has no stage
            although there are epochs.
    """
    name, schedule = type(completer).__name__, completer.schedule
    if not (isinstance(schedule, Mapping) and all(map(_is_count, schedule.values()))):
        raise GlocalkError(
            f"{name}.schedule does not say the number of epochs of each stage: make it a property "
            "that returns them, as in {'fit': 10}."
        )
    if completer.has_epochs and not schedule:
        raise GlocalkError(
            f"{name}.has_epochs is true, but its schedule has no stage: define the property "
            "schedule, as in {'fit': 10}, or set has_epochs = False."
        )


def check_followed(completer: Completer, monitor: Monitor) -> None:
    """Refuse a training with epochs that has told the observer of none.

    Raises:
        GlocalkError: it has not.
    """
    if completer.has_epochs and monitor.test is not None and not monitor.curves.stage:
        raise GlocalkError(
            f"{type(completer).__name__} has told the observer of no epoch: let fit_matrix call "
            "context.observer.epoch_ended after each, or set has_epochs = False."
        )


def parameters_of(completer: Completer) -> int:
    """The number of trained parameters.

    Raises:
        GlocalkError: it is none.
    """
    number = completer.num_parameters
    if not _is_count(number):
        raise GlocalkError(
            f"{type(completer).__name__}.num_parameters is {number!r}: make it a property that "
            "returns a whole number."
        )
    return int(number)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
