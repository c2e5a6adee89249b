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

The row a of a new user is the one that minimizes the objective in A and B with B as it is, which at
the minimum the rows of A do as well; with N the items that the user rated,

    a = argmin ½ Σ_{i ∈ N} (d − a·Bᵢ)² + ½λ ‖a‖²

and likewise that of a new item.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from pydantic import Field

from glocalk.completers.base import Completer, State, take
from glocalk.completers.baselines import Bias, BiasConfig
from glocalk.completers.factorization.alternating import (
    Factors,
    Observed,
    Solver,
)
from glocalk.completers.factorization.ridge import solve_rows
from glocalk.completers.resumable import Progress
from glocalk.config import BaseConfig
from glocalk.data.labels import Side
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.inference.newcomers import Newcomers, NewRatings
from glocalk.operators.base import predict_pairs
from glocalk.sparse.csr import CSR
from glocalk.training.context import FitContext


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
    _factors: Factors | None = None

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        self._baseline = Bias(self.config.baseline).fit(train)
        deviations = train.ratings - self._baseline.predict_pairs(train.users, train.items)
        solver = Solver(Observed(train.users, train.items, deviations, train.shape), self.config)
        progress = Progress("fit", solver, self, train, context)
        if progress.epochs == 0 and not solver.start():
            self._factors = Factors(*(torch.zeros(side, 0).double() for side in train.shape))
            return
        while not solver.finished:
            solver.iterate()
            progress.epoch_ended(last=solver.finished)
        self._factors = solver.solution()

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

    @property
    def folds_in(self) -> frozenset[Side]:
        return frozenset({"users", "items"})

    def fold_in_matrix(self, new: NewRatings) -> Self:
        left, right = (factor.numpy() for factor in self._fitted)
        baseline = self._require(self._baseline).fold_in_matrix(new)
        users, items = (
            baseline.predict_pairs(new.users.owners, new.users.columns),
            baseline.predict_pairs(new.items.columns, new.items.owners),
        )
        extended = self.unfitted()
        extended._baseline = baseline
        extended._factors = Factors(
            torch.from_numpy(new.users.extend(left, self._rows(new.users, users, right))),
            torch.from_numpy(new.items.extend(right, self._rows(new.items, items, left))),
        )
        return extended

    def _rows(self, newcomers: Newcomers, baseline: Values, fixed: Values) -> Values:
        """Rows [newcomers, rank] of A or B, given the other one."""
        rows, width = len(newcomers), fixed.shape[1]
        rest = newcomers.ratings - baseline
        targets = CSR.from_triples(newcomers.rows, newcomers.columns, rest, (rows, len(fixed)))
        penalties = np.full((rows, width), self.config.nuclear_penalty)
        solved: Values = solve_rows(targets, targets.values, fixed, penalties)
        return solved

    def state(self) -> State:
        left, right = self._fitted
        return {**self._require(self._baseline).state(), "left": left, "right": right}

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        self._baseline = Bias(self.config.baseline)
        self._baseline.restore(state, shape)
        users, items = shape
        rank = ([0, *state["left"].shape] if "left" in state else [0])[-1]
        self._factors = Factors(
            take(state, "left", (users, rank)).double(),
            take(state, "right", (items, rank)).double(),
        )

    @property
    def _fitted(self) -> Factors:
        return self._require(self._factors)

    @property
    def num_parameters(self) -> int:
        return self._require(self._baseline).num_parameters + sum(
            factor.numel() for factor in self._fitted
        )
