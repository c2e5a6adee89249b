"""Which part of an optimizer's steps goes into losses and gradients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)


@dataclass
class StepTimes:
    """Of all steps of one optimizer."""

    steps: int = 0
    evaluations: int = 0  # of its closure
    seconds: float = 0.0
    closure_seconds: float = 0.0


@contextmanager
def step_clock() -> Iterator[list[StepTimes]]:
    """Time every optimizer that steps inside; the list fills in the order of their first steps."""
    order: list[StepTimes] = []
    times: WeakKeyDictionary[Optimizer, StepTimes] = WeakKeyDictionary()
    started = 0.0

    def before(
        optimizer: Optimizer, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        nonlocal started
        if optimizer not in times:
            times[optimizer] = StepTimes()
            order.append(times[optimizer])
        if "closure" in options:
            options = {**options, "closure": timed(options["closure"], times[optimizer])}
        else:
            itself, closure, *rest = arguments
            arguments = (itself, timed(closure, times[optimizer]), *rest)
        started = time.perf_counter()
        return arguments, options

    def timed(closure: Callable[[], Any], account: StepTimes) -> Callable[[], Any]:
        def run() -> Any:
            start = time.perf_counter()
            loss = closure()
            account.closure_seconds += time.perf_counter() - start
            account.evaluations += 1
            return loss

        return run

    def after(optimizer: Optimizer, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        del arguments, options
        times[optimizer].seconds += time.perf_counter() - started
        times[optimizer].steps += 1

    handles = [register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)]
    try:
        yield order
    finally:
        for handle in handles:
            handle.remove()
