"""Bayesian matrix factorization by Gibbs sampling, through the library myfm.

    rᵤᵢ ~ Normal(w₀ + wᵤ + wᵢ + vᵤ·vᵢ, α⁻¹)
    wᵤ ~ Normal(μ, λ⁻¹),   vᵤₖ ~ Normal(μₖ, λₖ⁻¹);   items likewise, with μ and λ of their own

A factorization machine whose features are the one-hot user and the one-hot item is this model:
Freudenthaler, Schmidt-Thieme, Rendle, "Bayesian factorization machines", NIPS workshop on sparse
representation, 2011; Rendle, Zhang, Koren, arXiv 1905.01395, show how far it goes. All of α, μ, λ,
w and v are sampled: nothing is regularized by hand. Library: `tohtsky/myFM`, whose priors and
initial values are kept. It is given the ratings less their mean, and nothing else.

The prediction is the posterior mean, over samples s = 1 … S,

    r̂ᵤᵢ = (1/S) Σₛ (w₀ˢ + wᵤˢ + wᵢˢ + vᵤˢ·vᵢˢ)

The first three summands average by themselves. The last one is a matrix of rank ≤ S·rank, of whose
singular values only about as many as the rank stand out of the sampling noise: it is kept as the
product of two matrices of `kept_rank` columns, cut anew as samples come, so that no sample is
stored: 512 of ML-1M at rank 32 are 650 MB in float32, the product at 128 columns 10 MB in float64.
What the cut costs, by the RMSE on held-out training ratings: ML-100K at rank 10, exact mean
.90293, 80 columns .90298, thinned to the 8 samples that take the same room .91173; Douban at rank
16, exact .73764, 64 columns .73759, 4 samples .77266.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from typing import Any

import numpy as np
from pydantic import Field
from scipy import sparse

from glocalk.completers.factorization.factors import FactorCompleter, Factors
from glocalk.config import BaseConfig
from glocalk.data.ratings import RatingMatrix, Values
from glocalk.errors import GlocalkError
from glocalk.training.context import FitContext


class BayesianMFConfig(BaseConfig):
    """Options; all else is sampled."""

    rank: int = Field(ge=1)
    burn_in: int = Field(ge=0, description="first samples that are left out")
    samples: int = Field(ge=1, description="S, those after them, all averaged")
    kept_rank: int = Field(ge=1, description="of the kept mean of vᵤ·vᵢ")


class BayesianMF(FactorCompleter):
    """Predicts the posterior mean. A killed training starts again."""

    Config = BayesianMFConfig
    config: BayesianMFConfig
    has_epochs = False

    @property
    def rank(self) -> int:
        return self.config.kept_rank

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        config = self.config
        mean = float(train.ratings.mean())
        posterior = PosteriorMean(train.shape, config.kept_rank)

        def keep(iteration: int, sample: Any, *_: Any) -> tuple[bool, None]:
            if iteration >= config.burn_in:
                posterior.add(sample.w0, sample.w, sample.V)
            return False, None

        machine = _myfm().MyFMRegressor(config.rank, random_seed=context.seed % 2**31)
        with contextlib.redirect_stderr(io.StringIO()):  # a progress bar that cannot be turned off
            machine.fit(
                one_hot(train),
                train.ratings - mean,
                n_iter=config.burn_in + config.samples,
                n_kept_samples=1,
                group_shapes=list(train.shape),
                callback=keep,
            )
        self.factors = posterior.factors(mean)

    @property
    def num_parameters(self) -> int:
        """Of each sample."""
        users, items = len(self._fitted.user_offsets), len(self._fitted.item_offsets)
        return 1 + (users + items) * (1 + self.config.rank)


class PosteriorMean:
    """The running mean of samples, of the factors' products up to `kept_rank`.

    Args:
        shape: (users, items).
        kept_rank: columns kept; exact where they are as many as users or items.
    """

    def __init__(self, shape: tuple[int, int], kept_rank: int) -> None:
        self._users, items = shape
        self._kept_rank = kept_rank
        self._count = 0
        self._constant = 0.0
        self._offsets = np.zeros(self._users + items)
        # Their product is Σ vᵤ·vᵢ over the samples so far.
        self._left = np.zeros((self._users, kept_rank))
        self._right = np.zeros((items, kept_rank))

    def add(self, constant: float, offsets: Values, vectors: Values) -> None:
        """One sample: w₀, w [users + items] and v [users + items, rank]."""
        self._count += 1
        self._constant += constant
        self._offsets += offsets
        self._left = np.hstack([self._left, vectors[: self._users]])
        self._right = np.hstack([self._right, vectors[self._users :]])
        if self._left.shape[1] >= 2 * self._kept_rank:
            self._cut()

    def factors(self, mean: float) -> Factors:
        """The mean as offsets and factors, for ratings that `mean` was taken from."""
        self._cut()
        return Factors(
            mean + self._constant / self._count,
            self._offsets[: self._users] / self._count,
            self._offsets[self._users :] / self._count,
            self._left / self._count,
            self._right,
        )

    def _cut(self) -> None:
        """Replace the product by the nearest one of `kept_rank` columns (Eckart and Young)."""
        left, left_core = np.linalg.qr(self._left)
        right, right_core = np.linalg.qr(self._right)
        u, values, vt = np.linalg.svd(left_core @ right_core.T, full_matrices=False)
        self._left = _padded(left @ (u * values), self._kept_rank)
        self._right = _padded(right @ vt.T, self._kept_rank)


def _padded(matrix: Values, columns: int) -> Values:
    """The first `columns` columns, and zeros where there are fewer."""
    first = matrix[:, :columns]
    return np.pad(first, ((0, 0), (0, columns - first.shape[1])))


def one_hot(train: RatingMatrix) -> sparse.csr_array:
    """[ratings, users + items] with a 1 for the user and a 1 for the item of each rating."""
    columns = np.column_stack([train.users, train.num_users + train.items]).ravel()
    bounds = np.arange(0, len(columns) + 1, 2)
    return sparse.csr_array(
        (np.ones(len(columns)), columns, bounds), shape=(len(train), sum(train.shape))
    )


def _myfm() -> Any:
    """The library, an optional one.

    Raises:
        GlocalkError: it, or what it needs, is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "pkg_resources is deprecated")  # it imports that
            return importlib.import_module("myfm")
    except ImportError as error:
        raise GlocalkError(
            "Bayesian matrix factorization (bayesian_mf) samples with the library myfm, which "
            f"cannot be imported ({error}): pip install 'glocalk[bayes]'."
        ) from error
