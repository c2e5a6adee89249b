"""Measure how much of an optimizer's steps is spent on losses and gradients."""

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
    """Totals over all steps of one optimizer."""

    steps: int = 0
    evaluations: int = 0  # calls of its closure
    seconds: float = 0.0
    closure_seconds: float = 0.0


@contextmanager
def step_clock() -> Iterator[list[StepTimes]]:
    """Time every optimizer that steps inside the block.

    The list that it yields has an entry per optimizer, in the order of their first steps.
    """
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
            optimizer_itself, closure, *rest = arguments
            arguments = (optimizer_itself, timed(closure, times[optimizer]), *rest)
        started = time.perf_counter()
        return arguments, options

    def timed(closure: Callable[[], Any], total: StepTimes) -> Callable[[], Any]:
        def run() -> Any:
            start = time.perf_counter()
            loss = closure()
            total.closure_seconds += time.perf_counter() - start
            total.evaluations += 1
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
