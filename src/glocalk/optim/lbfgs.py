"""Full-batch L-BFGS, one epoch per step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor

from glocalk.optim.line_search import Point, more_thuente

LineSearch = Literal["more_thuente", "strong_wolfe"]
Closure = Callable[[], Tensor]
Pair = tuple[Tensor, Tensor, float]  # s, y, s·y

# Convergence tests of L-BFGS-B, with SciPy's defaults.
_LEAST_DECREASE = 2.22e-9  # relative decrease of the loss
_LEAST_GRADIENT = 1e-5  # largest component of the gradient

_LINE = 16  # elements that fill at least one cache line of 64 bytes


def make_lbfgs(
    parameters: Iterable[Tensor],
    *,
    iterations: int,
    memory: int,
    restart: bool,
    line_search: LineSearch,
) -> torch.optim.Optimizer:
    """An L-BFGS optimizer, each `step` of which is one epoch of `iterations` iterations.

    `iterations` counts iterations like SciPy's `maxiter`, not evaluations of the loss.

    Args:
        parameters: what to optimize.
        iterations: L-BFGS iterations per step.
        memory: number of past (step, gradient change) pairs kept.
        restart: forget the pairs at the start of each step. GLocal-K's official code does so,
            because it calls the minimizer anew in each epoch.
        line_search: `more_thuente` is the line search of SciPy's L-BFGS-B, which the official
            code calls; its first step is g/‖g‖₂. `strong_wolfe` is torch's L-BFGS with its cubic
            line search; its first step is min(1, 1/‖g‖₁)·g.
    """
    kind = LBFGS if line_search == "more_thuente" else TorchLBFGS
    return kind(parameters, iterations=iterations, memory=memory, restart=restart)


class LBFGS(torch.optim.Optimizer):
    """L-BFGS as in SciPy's L-BFGS-B without bounds, on torch tensors.

        x ← x + t d,   d = −H g,   H from the pairs s = t d and y = g(x + t d) − g(x)

    `more_thuente` finds t, starting from 1, or from 1/‖g‖₂ if there is no pair yet. A step ends
    before its last iteration if the loss decreases by less than 2.22·10⁻⁹ of its value, or if no
    component of the gradient exceeds 10⁻⁵.

    If no parameter has been written since the previous step, its last loss and gradient are
    reused. The closure must therefore depend on nothing but the parameters.

    Args:
        parameters, iterations, memory, restart: see `make_lbfgs`.

    Source: Liu and Nocedal (1989), Alg. 2.1; restarts and convergence tests: L-BFGS-B 3.0.
    """

    def __init__(
        self, parameters: Iterable[Tensor], *, iterations: int, memory: int, restart: bool
    ) -> None:
        super().__init__(parameters, {"iterations": iterations, "restart": restart})
        self._parameters: list[Tensor] = [p for g in self.param_groups for p in g["params"]]
        # The pair of a step's last iteration is used by the next step only.
        self._most = min(memory, iterations - 1) if restart else memory
        self._size = sum(p.numel() for p in self._parameters)
        self._free: list[Tensor] = []  # vectors that may be overwritten
        self._gradient: Tensor | None = None  # at the end of the last step, as is the loss
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
        """Keep the pair of an iteration if the curvature along it is positive."""
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
        """Empty the list and release its vectors for reuse."""
        for step, change, _ in pairs:
            self._free += [step, change]
        pairs.clear()

    def _vector(self) -> Tensor:
        """An uninitialized vector with one element for each element of the parameters.

        All vectors that a step can hold at a time are rows of one block, so that memory is
        allocated and freed as a whole; single vectors would leave holes between the arrays of an
        evaluation. If pairs outlive a step, vectors are allocated one by one, because the
        checkpoint of a row would contain the whole block.
        """
        if not self._free:
            rows = 2 * self._most + 4 if self.param_groups[0]["restart"] else 1
            # Each row starts on a cache line, as a separately allocated tensor does: the order in
            # which torch sums depends on the alignment.
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
        """The gradients as one vector; those of the parameters are released."""
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
    """torch's L-BFGS with its strong-Wolfe line search, optionally restarted at each step.

    Args:
        parameters, iterations, memory, restart: see `make_lbfgs`.
    """

    def __init__(
        self, parameters: Iterable[Tensor], *, iterations: int, memory: int, restart: bool
    ) -> None:
        super().__init__(
            parameters,
            max_iter=iterations,
            # By default, torch ends a step after 1.25 · max_iter evaluations. Its line search
            # makes at most 25 per iteration.
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
