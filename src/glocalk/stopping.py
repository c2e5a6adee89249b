"""A request to stop, which long work obeys at its safe points.

A signal may arrive at any moment. An exception raised there is lost if a destructor is running, and
looks like a failure to compiled code that calls back into Python, for example while a checkpoint is
written. A training therefore runs under `only_at_safe_points` and asks `safe_point()` where it may
end: between batches, after an evaluation, once a checkpoint is complete.

`glocalk.cli.signals` makes the requests. Nothing here changes how a Python program that uses the
library handles signals.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class StoppedError(BaseException):
    """A signal asked to stop; not an `Exception`, so that no handler treats it as a failure.

    Attributes:
        number: number of the signal.
        continues: a clause on how the work goes on later; empty if nothing is to be said.
    """

    def __init__(self, number: int, continues: str = "") -> None:
        super().__init__(number)
        self.number, self.continues = number, continues


class _Request:
    """The request of this process, if there is one."""

    number: int | None = None
    obeyed_at_safe_points = False
    extra_seconds = 0.0


def request(number: int) -> None:
    """Ask to stop because signal `number` arrived; called by its handler.

    Raises:
        StoppedError: nothing that must not be interrupted is under way.
    """
    if _Request.number is None:
        _Request.number = number
        if not _Request.obeyed_at_safe_points:
            raise StoppedError(number)


def requested() -> bool:
    """Whether a stop was asked for."""
    return _Request.number is not None


def safe_point() -> None:
    """Stop here if that was asked for.

    Raises:
        StoppedError: it was.
    """
    if _Request.number is not None:
        raise StoppedError(_Request.number)


def forget() -> None:
    """Withdraw the request."""
    _Request.number = None


@contextmanager
def only_at_safe_points() -> Iterator[None]:
    """Let requests stop the body at its safe points, before it and after it, but nowhere else.

    Raises:
        StoppedError: a stop was asked for.
    """
    outer = _Request.obeyed_at_safe_points
    _Request.obeyed_at_safe_points = True
    try:
        safe_point()
        yield
    finally:
        _Request.obeyed_at_safe_points = outer
    if not outer:
        safe_point()


@contextmanager
def longer(seconds: float) -> Iterator[None]:
    """Give the body more time to stop: it waits for processes that stop themselves."""
    before = _Request.extra_seconds
    _Request.extra_seconds = before + seconds
    try:
        yield
    finally:
        _Request.extra_seconds = before


def extra_seconds() -> float:
    """The time to stop that what is under way needs beyond that of a single training."""
    return _Request.extra_seconds
