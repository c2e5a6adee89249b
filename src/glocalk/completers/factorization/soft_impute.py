"""Soft-Impute: matrix completion with the nuclear norm.

Mazumder, Hastie, Tibshirani, "Spectral regularization algorithms for learning large incomplete
matrices", JMLR 2010. Deviations d = r − b from a baseline bᵤᵢ = μ + bᵤ + bᵢ are completed by

    Z = argmin ½ Σ_observed (d − z)² + λ ‖Z‖_*,   r̂ᵤᵢ = bᵤᵢ + zᵤᵢ

The problem is solved by alternating least squares on the repeatedly imputed matrix: softImpute-ALS
of Hastie, Mazumder, Lee, Zadeh, "Matrix completion and low-rank SVD via fast alternating least
squares", JMLR 2015 (R package `softImpute`). With Z = A Bᵀ, A [users, rank] and B [items, rank],

    B ← argmin ½ ‖X − A Bᵀ‖² + ½λ ‖B‖²,   X = P(d − A Bᵀ) + A Bᵀ
      = (P(d − A Bᵀ)ᵀ A + B AᵀA) (AᵀA + λ)⁻¹

and likewise for A, where P keeps the observed entries. X is sparse plus low-rank: nothing of size
users × items is held. ‖Z‖_* is the smallest ½ (‖A‖² + ‖B‖²) over all A Bᵀ = Z, so the minimum is
that of the convex problem if its rank is below the number of columns of A. Each step starts from
extrapolated A and B, as in Nesterov's method, which restarts when it points uphill (O'Donoghue and
Candès, 2015).

The dual problem bounds the distance from the minimum: W = P(d − Z), scaled down to the spectral
norm λ, gives the lower bound ⟨W, d⟩ − ½ ‖W‖². The papers follow a path of penalties to choose λ;
a single λ needs no path, because the problem is convex.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from glocalk.completers.base import Completer, State, take
from glocalk.completers.baselines import Bias, BiasConfig
from glocalk.completers.factorization.singular import leading_singular
from glocalk.config import BaseConfig
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.operators.base import predict_pairs
from glocalk.sparse import csr
from glocalk.sparse.csr import CSR
from glocalk.training.context import FitContext

_log = logging.getLogger(__name__)

_CHECK = 10  # iterations between two checks of the duality gap, each as costly as an iteration
_START_PRECISION = 1e-2  # of the initial singular values
_LEAST_START = 1e-3  # of the largest singular value; a column of A and B that starts at 0 stays 0


class SoftImputeConfig(BaseConfig):
    """Options of `SoftImpute`; the defaults are those chosen on validation for ML-100K."""

    nuclear_penalty: float = Field(
        default=13.0, gt=0, description="λ, on the sum of the singular values, in units of ratings"
    )
    rank: int = Field(
        default=150,
        ge=1,
        description="number of columns of A and B; must exceed the rank of the solution, otherwise "
        "the result is not that of the convex problem",
    )
    tolerance: float = Field(
        default=0.0005, gt=0, description="duality gap to stop at, relative to the objective"
    )
    iterations: int = Field(default=300, ge=1, description="largest number of iterations")
    baseline: BiasConfig = BiasConfig(item_damping=5.0, user_damping=5.0)


class SoftImpute(Completer):
    """Matrix completion with the nuclear norm, of the deviations d = r − b from a baseline b.

        Z = argmin ½ Σ_observed (d − z)² + λ ‖Z‖_*
        r̂ᵤᵢ = bᵤᵢ + zᵤᵢ

    The result is the minimum of a convex problem and depends on no seed and no number of epochs.
    The module documents the algorithm. Source: Mazumder, Hastie, Tibshirani, "Spectral
    regularization algorithms for learning large incomplete matrices", JMLR 2010.

    Users and items without training ratings have z = 0: the prediction is the baseline, see `Bias`.

    Example:
        >>> import glocalk
        >>> users = ["ann", "ann", "bob", "bob", "eve", "eve"]
        >>> items = ["Alien", "Brazil", "Alien", "Casablanca", "Brazil", "Casablanca"]
        >>> ratings = glocalk.Ratings.from_arrays(users, items, [5, 3, 4, 1, 2, 2], scale=(1, 5))
        >>> model = glocalk.SoftImpute(nuclear_penalty=0.1).fit(ratings)
        >>> model.predict(["eve"], ["Alien"]).round(2)
        array([3.16])
    """

    Config = SoftImputeConfig
    has_epochs = False
    deterministic = True

    config: SoftImputeConfig

    _baseline: Bias | None = None
    _factors: _Factors | None = None

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        del context
        self._baseline = Bias(self.config.baseline).fit(train)
        deviations = train.ratings - self._baseline.predict_pairs(train.users, train.items)
        observed = _Observed(train.users, train.items, deviations, train.shape)
        self._factors = _complete(observed, self.config)

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        left, right = self._fitted
        completed: Values = predict_pairs(
            right, left.T, left.new_zeros(len(left)), torch.tensor(users), torch.tensor(items)
        ).numpy()
        return self._require(self._baseline).predict_pairs(users, items) + completed

    def predict_grid(self, users: Indices, items: Indices) -> Values:
        left, right = self._fitted
        completed: Values = (left[torch.tensor(users)] @ right[torch.tensor(items)].T).numpy()
        return self._require(self._baseline).predict_grid(users, items) + completed

    def state(self) -> State:
        left, right = self._fitted
        return {**self._require(self._baseline).state(), "left": left, "right": right}

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        self._baseline = Bias(self.config.baseline)
        self._baseline.restore(state, shape)
        users, items = shape
        rank = state["left"].shape[-1] if "left" in state else 0
        self._factors = _Factors(
            take(state, "left", (users, rank)), take(state, "right", (items, rank))
        )

    @property
    def _fitted(self) -> _Factors:
        return self._require(self._factors)

    @property
    def num_parameters(self) -> int:
        return self._require(self._baseline).num_parameters + sum(
            factor.numel() for factor in self._fitted
        )


class _Factors(NamedTuple):
    """Z = A Bᵀ: `left` A [users, rank] and `right` B [items, rank], float64."""

    left: Tensor
    right: Tensor

    @property
    def nuclear_bound(self) -> float:
        """½ (‖A‖² + ‖B‖²): an upper bound of ‖Z‖_*, attained at the minimum."""
        return float(self.left.square().sum() + self.right.square().sum()) / 2

    def beyond(self, before: _Factors, share: float) -> _Factors:
        """Extrapolate by `share` of the way from `before`."""
        return _Factors(*(new + share * (new - old) for new, old in zip(self, before, strict=True)))


class _Observed:
    """P(D): the observed deviations, by user and by item."""

    def __init__(
        self, users: Indices, items: Indices, deviations: Values, shape: tuple[int, int]
    ) -> None:
        self.by_user = CSR.from_triples(users, items, deviations, shape)
        self.by_item = CSR.from_triples(items, users, deviations, shape[::-1])
        self._order = np.lexsort((users, items))  # from (user, item) order to (item, user)

    def residual(self, factors: _Factors) -> CSR:
        """P(D − A Bᵀ) [users, items]."""
        completed = csr.sampled_product(self.by_user, *(factor.numpy() for factor in factors))
        return self.by_user.with_values(self.by_user.values - completed)

    def transposed(self, residual: CSR) -> CSR:
        """The residual [items, users]."""
        return csr.permute(self.by_item, self._order, residual.values)[0]

    def gap(self, factors: _Factors, penalty: float, tolerance: float) -> float:
        """Upper bound of the objective's distance from its minimum, relative to the objective.

        A loose precision of the singular vectors suffices: the error of the spectral norm is its
        square. And near the minimum many singular values equal λ, so that their vectors cannot be
        told apart.
        """
        residual = self.residual(factors)
        off = residual.values
        objective = off @ off / 2 + penalty * factors.nuclear_bound
        norm = float(leading_singular(residual, 1, np.sqrt(tolerance) / 10)[1][0])
        dual = off * min(1.0, penalty / max(norm, penalty))
        least = dual @ self.by_user.values - dual @ dual / 2
        return float((objective - least) / objective)


def _complete(observed: _Observed, config: SoftImputeConfig) -> _Factors:
    """A and B of the minimum, with as many columns as its rank."""
    penalty = config.nuclear_penalty
    users, items = observed.by_user.shape
    nothing = _Factors(torch.zeros(users, 0).double(), torch.zeros(items, 0).double())
    if np.linalg.norm(observed.by_user.values) <= penalty:  # so is the largest singular value
        return nothing
    size = min(config.rank, users, items)
    left, values, right = leading_singular(observed.by_user, size, _START_PRECISION)
    if values[0] <= penalty:
        return nothing
    start = values.clamp(min=_LEAST_START * float(values[0])).sqrt()
    factors = ahead = _Factors(left * start, right * start)
    speed, gap = 1.0, np.inf
    for iteration in range(1, config.iterations + 1):
        before, factors = factors, _step(observed, ahead, penalty)
        if _uphill(ahead, factors, before):
            speed = 1.0
        faster = (1 + np.sqrt(1 + 4 * speed**2)) / 2
        ahead, speed = factors.beyond(before, (speed - 1) / faster), faster
        if iteration % _CHECK == 0 or iteration == config.iterations:
            gap = observed.gap(factors, penalty, config.tolerance)
            if gap <= config.tolerance:
                break
    solution = _threshold(observed, factors, penalty)
    if gap > config.tolerance:
        _log.warning(
            "Soft-Impute stopped within %.1e of the minimum, not %.1e, at rank %d of at most %d: "
            "raise model.rank or model.iterations.",
            gap,
            config.tolerance,
            solution.left.shape[1],
            size,
        )
    return solution


def _step(observed: _Observed, factors: _Factors, penalty: float) -> _Factors:
    """One iteration: B, then A."""
    left, right = factors
    residual = observed.residual(factors)
    right = _ridge(observed.transposed(residual), left, right, penalty)
    residual = observed.residual(_Factors(left, right))
    return _Factors(_ridge(residual, right, left, penalty), right)


def _ridge(residual: CSR, fixed: Tensor, moving: Tensor, penalty: float) -> Tensor:
    """(R F + M FᵀF) (FᵀF + λ)⁻¹: R [m, f], F [f, rank], M [m, rank] → [m, rank]."""
    gram = fixed.T @ fixed
    imputed = _product(residual, fixed) + moving @ gram
    ridge = gram + penalty * torch.eye(len(gram), dtype=gram.dtype)
    solution: Tensor = torch.linalg.solve(ridge, imputed, left=False)
    return solution.contiguous()


def _product(matrix: CSR, dense: Tensor) -> Tensor:
    return torch.from_numpy(csr.matmul(matrix, dense.contiguous().numpy()))


def _uphill(start: _Factors, factors: _Factors, before: _Factors) -> bool:
    """Whether the step from `start` to `factors` points against that from `before` to it."""
    ways = zip(start, factors, before, strict=True)
    return sum(float(torch.sum((s - f) * (f - b))) for s, f, b in ways) > 0


def _threshold(observed: _Observed, factors: _Factors, penalty: float) -> _Factors:
    """The best Z whose rows lie in the span of B, the last step of softImpute-ALS.

    Singular values of at most λ become exactly 0, which reveals the rank of the minimum.
    """
    left, right = factors
    basis, _ = torch.linalg.qr(right)
    imputed = _product(observed.residual(factors), basis) + left @ (right.T @ basis)
    vectors, values, turn = torch.linalg.svd(imputed, full_matrices=False)
    kept = values > penalty
    scale = (values[kept] - penalty).sqrt()
    return _Factors(vectors[:, kept] * scale, basis @ turn[kept].T * scale)
