"""Full-batch L-BFGS, an epoch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor

from glocalk.optim.line_search import Point, more_thuente

LineSearch = Literal["more_thuente", "strong_wolfe"]
Closure = Callable[[], Tensor]
Pair = tuple[Tensor, Tensor, float]  # s, y, s·y

# L-BFGS-B's tests of convergence, at SciPy's defaults.
_LEAST_DECREASE = 2.22e-9  # of the loss, relative
_LEAST_GRADIENT = 1e-5  # of its largest component

_LINE = 16  # elements that fill at least one cache line of 64 bytes


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
        parameters: what to optimize.
        iterations: L-BFGS iterations a step.
        memory: number of past (step, gradient change) pairs kept.
        restart: forget the pairs at the start of each step, as the official code does, which
            calls the minimizer afresh every epoch.
        line_search: `more_thuente`, that of SciPy's L-BFGS-B, which the official code calls,
            first step g/‖g‖₂; `strong_wolfe`, torch's L-BFGS with its cubic search, first step
            min(1, 1/‖g‖₁)·g.
    """
    kind = LBFGS if line_search == "more_thuente" else TorchLBFGS
    return kind(parameters, iterations=iterations, memory=memory, restart=restart)


class LBFGS(torch.optim.Optimizer):
    """L-BFGS as SciPy's L-BFGS-B does it without bounds, on torch's vectors.

        x ← x + t d,   d = −H g,   H from the pairs s = t d and y = g(x + t d) − g(x)

    t is found by `more_thuente`, tried first at 1, or at 1/‖g‖₂ where there is no pair yet. A
    step ends before its last iteration where the loss falls by less than 2.22·10⁻⁹ of itself,
    or no component of the gradient exceeds 10⁻⁵.

    A step starts from the loss and gradient that the one before ended with, if no parameter was
    written since: the closure must be a function of the parameters alone.

    Args:
        parameters, iterations, memory, restart: see `make_lbfgs`.

    Source: Liu and Nocedal (1989), Alg. 2.1; restarts and tests of convergence: L-BFGS-B 3.0.
    """

    def __init__(
        self, parameters: Iterable[Tensor], *, iterations: int, memory: int, restart: bool
    ) -> None:
        super().__init__(parameters, {"iterations": iterations, "restart": restart})
        self._parameters: list[Tensor] = [p for g in self.param_groups for p in g["params"]]
        # The pair of a step's last iteration serves the next step alone.
        self._most = min(memory, iterations - 1) if restart else memory
        self._size = sum(p.numel() for p in self._parameters)
        self._free: list[Tensor] = []  # vectors to overwrite
        self._gradient: Tensor | None = None  # where the last step ended, and its loss
        self._loss = self._parameters[0].new_zeros(())
        self._versions: list[int] = []

    def step(self, closure: Closure) -> Tensor:  # type: ignore[override]
        """One epoch; returns the loss before it."""
        closure = torch.enable_grad()(closure)
        group, state = self.param_groups[0], self.state[self._parameters[0]]
        pairs: list[Pair] = state.pop("pairs", [])
        if group["restart"]:
            self._forget(pairs)
        with torch.no_grad():
            loss = self._iterate(closure, pairs, group["iterations"])
        if group["restart"]:
            self._forget(pairs)
        else:
            state["pairs"] = pairs
        return loss

    def _iterate(self, closure: Closure, pairs: list[Pair], iterations: int) -> Tensor:
        gradient = self._gradient
        if gradient is None or self._versions != [p._version for p in self._parameters]:
            self._loss = closure().detach()
            gradient = self._flat_gradient(self._vector() if gradient is None else gradient)
        before = loss = self._loss
        x, direction, trial_gradient = self._vector(), self._vector(), self._vector()
        torch.cat([p.reshape(-1) for p in self._parameters], out=x)

        def evaluate(step: float) -> Point:
            nonlocal loss
            self._move(x, direction, step)
            loss = closure().detach()
            self._flat_gradient(trial_gradient)
            return Point(step, loss.item(), torch.dot(trial_gradient, direction).item())

        done = 0
        while done < iterations and gradient.abs().max() > _LEAST_GRADIENT:
            _newton(gradient, pairs, out=direction)
            start = Point(0.0, self._loss.item(), torch.dot(gradient, direction).item())
            first = 1.0 if pairs else 1 / torch.linalg.vector_norm(gradient).item()
            found = more_thuente(evaluate, start, first) if start.slope < 0 else None
            if found is None:
                self._move(x, direction, 0.0)
                if not pairs:
                    break
                self._forget(pairs)
                continue
            if self._most:
                self._remember(pairs, direction, found, gradient, trial_gradient, start)
            x.add_(direction, alpha=found.step)
            gradient, trial_gradient = trial_gradient, gradient
            self._loss = loss
            done += 1
            scale = max(abs(start.value), abs(found.value), 1.0)
            if start.value - found.value <= _LEAST_DECREASE * scale:
                break
        self._free += [x, direction, trial_gradient]
        self._gradient = gradient
        self._versions = [p._version for p in self._parameters]
        return before

    def _remember(
        self,
        pairs: list[Pair],
        direction: Tensor,
        found: Point,
        gradient: Tensor,
        found_gradient: Tensor,
        start: Point,
    ) -> None:
        """Keep the pair of an iteration, unless the curvature along it is not positive."""
        epsilon = torch.finfo(direction.dtype).eps
        if found.slope - start.slope <= -epsilon * start.slope:
            return
        if len(pairs) == self._most:
            self._free += pairs.pop(0)[:2]
        step, change = self._vector(), self._vector()
        torch.mul(direction, found.step, out=step)
        torch.sub(found_gradient, gradient, out=change)
        pairs.append((step, change, torch.dot(step, change).item()))

    def _forget(self, pairs: list[Pair]) -> None:
        """Empty the list; its vectors may be overwritten."""
        for step, change, _ in pairs:
            self._free += [step, change]
        pairs.clear()

    def _vector(self) -> Tensor:
        """A vector as long as the parameters together, of any content.

        All that a step can hold at a time are rows of one block, which comes and goes as a whole:
        one by one they would leave holes among an evaluation's own arrays. With pairs that
        outlive a step they are single, for a checkpoint of a row would hold the block.
        """
        if not self._free:
            rows = 2 * self._most + 4 if self.param_groups[0]["restart"] else 1
            # Each row starts on a cache line, as arrays of their own do: torch adds up in an
            # order that depends on that.
            width = -(-self._size // _LINE) * _LINE
            self._free = list(self._parameters[0].new_empty(rows, width)[:, : self._size])
        return self._free.pop()

    def _move(self, x: Tensor, direction: Tensor, step: float) -> None:
        """Set the parameters to x + step · direction."""
        sizes = [p.numel() for p in self._parameters]
        parts = zip(self._parameters, x.split(sizes), direction.split(sizes), strict=True)
        for parameter, start, along in parts:
            torch.add(start.view_as(parameter), along.view_as(parameter), alpha=step, out=parameter)

    def _flat_gradient(self, out: Tensor) -> Tensor:
        """The gradients as one vector, which takes their place."""
        gradients = [
            (torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1)
            for p in self._parameters
        ]
        self.zero_grad()
        return torch.cat(gradients, out=out)


def _newton(gradient: Tensor, pairs: list[Pair], *, out: Tensor) -> None:
    """Set `out` to −H g by the two-loop recursion, H₀ = s·y / y·y of the last pair."""
    torch.neg(gradient, out=out)
    if not pairs:
        return
    alphas: list[float] = []
    for step, change, curvature in reversed(pairs):
        alphas.append(torch.dot(step, out).item() / curvature)
        out.add_(change, alpha=-alphas[-1])
    _, change, curvature = pairs[-1]
    out.mul_(curvature / torch.dot(change, change).item())
    for (step, change, curvature), alpha in zip(pairs, reversed(alphas), strict=True):
        beta = torch.dot(change, out).item() / curvature
        out.add_(step, alpha=alpha - beta)


class TorchLBFGS(torch.optim.LBFGS):
    """torch's L-BFGS with its strong-Wolfe search, restarted at each step on request."""

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
