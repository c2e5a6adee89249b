"""Full-batch L-BFGS, an epoch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
import scipy.optimize
import torch
from numpy.typing import NDArray
from torch import Tensor

LineSearch = Literal["strong_wolfe", "scipy"]
Closure = Callable[[], Tensor]


def make_lbfgs(
    parameters: Iterable[Tensor],
    *,
    iterations: int,
    memory: int,
    restart: bool,
    line_search: LineSearch,
) -> torch.optim.Optimizer:
    """An L-BFGS whose every `step` is one epoch of `iterations` iterations.

    `iterations` counts iterations as SciPy's `maxiter` does, not evaluations of the loss.

    Args:
        parameters: what to optimise.
        iterations: L-BFGS iterations a step.
        memory: number of past (step, gradient change) pairs kept.
        restart: forget the pairs at the start of each step, as the official code does, which
            calls the minimiser afresh every epoch.
        line_search: `strong_wolfe`, torch's L-BFGS with its cubic strong-Wolfe search, first
            step min(1, 1/‖g‖₁)·g; `scipy`, SciPy's L-BFGS-B with the Moré–Thuente search, first
            step g/‖g‖₂, always restarted.
    """
    if line_search == "scipy":
        if not restart:
            raise ValueError("SciPy's L-BFGS-B cannot carry its memory over: restart it.")
        return ScipyLBFGSB(parameters, iterations=iterations, memory=memory)
    return EpochLBFGS(parameters, iterations=iterations, memory=memory, restart=restart)


class EpochLBFGS(torch.optim.LBFGS):
    """torch's L-BFGS with the strong-Wolfe search, restarted at each step on request."""

    def __init__(
        self, parameters: Iterable[Tensor], *, iterations: int, memory: int, restart: bool
    ) -> None:
        super().__init__(
            parameters,
            max_iter=iterations,
            # torch would stop an epoch short after 1.25 · max_iter evaluations; 25 an iteration
            # is the most its line search makes.
            max_eval=25 * iterations + 1,
            history_size=memory,
            line_search_fn="strong_wolfe",
        )
        self.restart = restart

    def step(self, closure: Closure) -> Any:  # type: ignore[override]
        """One epoch; returns the loss before it."""
        if self.restart:
            self.state.clear()
        return super().step(closure)


class ScipyLBFGSB(torch.optim.Optimizer):
    """SciPy's L-BFGS-B, the optimiser that the official code calls through TensorFlow 1."""

    def __init__(self, parameters: Iterable[Tensor], *, iterations: int, memory: int) -> None:
        super().__init__(parameters, {"iterations": iterations, "memory": memory})
        self._parameters = [p for group in self.param_groups for p in group["params"]]

    def step(self, closure: Closure) -> Tensor:  # type: ignore[override]
        """One epoch; returns the loss before it."""
        first: list[Tensor] = []
        closure = torch.enable_grad()(closure)

        def loss_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            self._assign(flat)
            loss = closure().detach()
            first.append(loss)
            gradients = [
                torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters
            ]
            return float(loss), _flatten(gradients)

        group = self.param_groups[0]
        result = scipy.optimize.minimize(
            loss_and_gradient,
            _flatten(self._parameters),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": group["iterations"], "maxcor": group["memory"]},
        )
        self._assign(result.x)
        return first[0]

    @torch.no_grad()
    def _assign(self, flat: NDArray[np.float64]) -> None:
        values = torch.split(torch.from_numpy(flat), [p.numel() for p in self._parameters])
        for parameter, value in zip(self._parameters, values, strict=True):
            parameter.copy_(value.view_as(parameter))


def _flatten(tensors: Iterable[Tensor]) -> NDArray[np.float64]:
    return np.concatenate([t.detach().double().cpu().numpy().ravel() for t in tensors])
