"""The iterations of softImpute-ALS, on deviations that are observed in part; see `soft_impute`."""

from __future__ import annotations

import logging
import math
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from glocalk.completers.blocks.singular import leading_singular
from glocalk.data.rating_matrix import Indices, Values
from glocalk.sparse import csr
from glocalk.sparse.csr import CSR
from glocalk.training.loop import LoopState

_log = logging.getLogger(__name__)

_CHECK = 10  # iterations between two checks of the duality gap, each as costly as an iteration
_START_PRECISION = 1e-2  # of the initial singular values
_REMEDY = "raise model.tolerance, or change model.nuclear_penalty"  # where there are none
_LEAST_START = 1e-3  # of the largest singular value; a column of A and B that starts at 0 stays 0


class Options(Protocol):
    """The options of Soft-Impute that its iterations depend on."""

    nuclear_penalty: float
    rank: int
    tolerance: float
    iterations: int


class Factors(NamedTuple):
    """Z = A Bᵀ: `left` A [users, rank] and `right` B [items, rank], float64."""

    left: Tensor
    right: Tensor

    @property
    def nuclear_bound(self) -> float:
        """½ (‖A‖² + ‖B‖²): an upper bound of ‖Z‖_*, attained at the minimum."""
        return float(self.left.square().sum() + self.right.square().sum()) / 2

    def beyond(self, before: Factors, share: float) -> Factors:
        """Extrapolate by `share` of the way from `before`."""
        return Factors(*(new + share * (new - old) for new, old in zip(self, before, strict=True)))


class Observed:
    """P(D): the observed deviations, by user and by item."""

    def __init__(
        self, users: Indices, items: Indices, deviations: Values, shape: tuple[int, int]
    ) -> None:
        self.by_user = CSR.from_triples(users, items, deviations, shape)
        self.by_item = CSR.from_triples(items, users, deviations, shape[::-1])
        self._order = np.lexsort((users, items))  # from (user, item) order to (item, user)

    def residual(self, factors: Factors) -> CSR:
        """P(D − A Bᵀ) [users, items]."""
        completed = csr.sampled_product(self.by_user, *(factor.numpy() for factor in factors))
        return self.by_user.with_values(self.by_user.values - completed)

    def transposed(self, residual: CSR) -> CSR:
        """The residual [items, users]."""
        return csr.permute(self.by_item, self._order, residual.values)[0]


def _step(observed: Observed, factors: Factors, penalty: float) -> Factors:
    """One iteration: B, then A."""
    left, right = factors
    residual = observed.residual(factors)
    right = _ridge(observed.transposed(residual), left, right, penalty)
    residual = observed.residual(Factors(left, right))
    return Factors(_ridge(residual, right, left, penalty), right)


def _ridge(residual: CSR, fixed: Tensor, moving: Tensor, penalty: float) -> Tensor:
    """(R F + M FᵀF) (FᵀF + λ)⁻¹: R [m, f], F [f, rank], M [m, rank] → [m, rank]."""
    gram = fixed.T @ fixed
    imputed = _product(residual, fixed) + moving @ gram
    ridge = gram + penalty * torch.eye(len(gram), dtype=gram.dtype)
    solution: Tensor = torch.linalg.solve(ridge, imputed, left=False)
    return solution.contiguous()


def _product(matrix: CSR, dense: Tensor) -> Tensor:
    """S D of S [m, n] and D [n, k]: [m, k]."""
    return torch.from_numpy(csr.matmul(matrix, dense.contiguous().numpy()))


def _uphill(start: Factors, factors: Factors, before: Factors) -> bool:
    """Whether the step from `start` to `factors` points against that from `before` to it."""
    ways = zip(start, factors, before, strict=True)
    return sum(float(torch.sum((s - f) * (f - b))) for s, f, b in ways) > 0


class Solver:
    """The descent to the minimum; the zeros of a new one are replaced by `start` or `restore`.

    Args:
        observed: the deviations to complete.
        options: λ and when to stop.

    Attributes:
        iterations: number of iterations made.
        finished: whether the minimum, or the largest number of iterations, is reached.
    """

    def __init__(self, observed: Observed, options: Options) -> None:
        self._observed, self._options = observed, options
        self._size = min(options.rank, *observed.by_user.shape)
        self._factors = Factors(
            *(torch.zeros(side, self._size, dtype=torch.float64) for side in observed.by_user.shape)
        )
        self._ahead = self._factors  # extrapolated
        self._speed, self._gap = 1.0, math.inf
        self.iterations = 0

    def start(self) -> bool:
        """Start from the largest singular values; False if none exceeds λ, and so Z = 0."""
        deviations, penalty = self._observed.by_user, self._options.nuclear_penalty
        if np.linalg.norm(deviations.values) <= penalty:  # so is the largest singular value
            return False
        left, values, right = leading_singular(deviations, self._size, _START_PRECISION, _REMEDY)
        if values[0] <= penalty:
            return False
        start = values.clamp(min=_LEAST_START * float(values[0])).sqrt()
        self._factors = self._ahead = Factors(left * start, right * start)
        return True

    @property
    def finished(self) -> bool:
        return self._gap <= self._options.tolerance or self.iterations == self._options.iterations

    def iterate(self) -> None:
        """Make an iteration."""
        options = self._options
        before, ahead = self._factors, self._ahead
        self._factors = _step(self._observed, ahead, options.nuclear_penalty)
        if _uphill(ahead, self._factors, before):
            self._speed = 1.0
        faster = (1 + math.sqrt(1 + 4 * self._speed**2)) / 2
        self._ahead = self._factors.beyond(before, (self._speed - 1) / faster)
        self._speed = faster
        self.iterations += 1
        if self.iterations % _CHECK == 0 or self.iterations == options.iterations:
            penalty, tolerance = options.nuclear_penalty, options.tolerance
            self._gap = relative_gap(self._observed, self._factors, penalty, tolerance)

    def state(self) -> LoopState:
        (left, right), (left_ahead, right_ahead) = self._factors, self._ahead
        return {
            "left": left.numpy(),
            "right": right.numpy(),
            "left_ahead": left_ahead.numpy(),
            "right_ahead": right_ahead.numpy(),
            "speed": self._speed,
            "gap": self._gap,
            "iterations": self.iterations,
        }

    def restore(self, state: LoopState) -> None:
        def factors(left: str, right: str) -> Factors:
            return Factors(torch.from_numpy(state[left]), torch.from_numpy(state[right]))

        self._factors = factors("left", "right")
        self._ahead = factors("left_ahead", "right_ahead")
        self._speed, self._gap = state["speed"], state["gap"]
        self.iterations = state["iterations"]

    def solution(self) -> Factors:
        """A and B of the minimum, with as many columns as its rank."""
        solution = _threshold(self._observed, self._factors, self._options.nuclear_penalty)
        if self._gap > self._options.tolerance:
            _log.warning(
                "Soft-Impute stopped within %.1e of the minimum, not %.1e, at rank %d of at most "
                "%d: raise model.rank or model.iterations.",
                self._gap,
                self._options.tolerance,
                solution.left.shape[1],
                self._size,
            )
        return solution


def relative_gap(observed: Observed, factors: Factors, penalty: float, tolerance: float) -> float:
    """Upper bound of the objective's distance from its minimum, relative to the objective.

    A loose precision of the singular vectors suffices: the error of the spectral norm is its
    square. And near the minimum many singular values equal λ, so that their vectors cannot be
    told apart.
    """
    residual = observed.residual(factors)
    off = residual.values
    objective = off @ off / 2 + penalty * factors.nuclear_bound
    norm = float(leading_singular(residual, 1, np.sqrt(tolerance) / 10, _REMEDY)[1][0])
    dual = off * min(1.0, penalty / max(norm, penalty))
    least = dual @ observed.by_user.values - dual @ dual / 2
    return float((objective - least) / objective)


def _threshold(observed: Observed, factors: Factors, penalty: float) -> Factors:
    """The best Z whose rows lie in the span of B, the last step of softImpute-ALS.

    Singular values of at most λ become exactly 0, which reveals the rank of the minimum.
    """
    left, right = factors
    basis, _ = torch.linalg.qr(right)
    imputed = _product(observed.residual(factors), basis) + left @ (right.T @ basis)
    vectors, values, turn = torch.linalg.svd(imputed, full_matrices=False)
    kept = values > penalty
    scale = (values[kept] - penalty).sqrt()
    return Factors(vectors[:, kept] * scale, basis @ turn[kept].T * scale)
