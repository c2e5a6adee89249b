"""Bayesian matrix factorization by Gibbs sampling.

    rᵤᵢ ~ Normal(w₀ + wᵤ + wᵢ + vᵤ·vᵢ, α⁻¹)
    wᵤ ~ Normal(μ, λ⁻¹),   vᵤₖ ~ Normal(μₖ, λₖ⁻¹);   items likewise, with μ and λ of their own

This is a factorization machine whose features are the one-hot user and the one-hot item:
Freudenthaler, Schmidt-Thieme, Rendle, "Bayesian factorization machines", NIPS workshop on sparse
representation, 2011; Rendle, Zhang, Koren, arXiv 1905.01395, show how strong a baseline it is. All
of α, μ, λ, w and v are sampled: nothing is regularized by hand. The sampler in `gibbs` gives the
samples of the library `tohtsky/myFM`, with its priors and initial values. It is given the ratings
minus their mean, and nothing else.

The prediction is the posterior mean, over samples s = 1 … S,

    r̂ᵤᵢ = (1/S) Σₛ (w₀ˢ + wᵤˢ + wᵢˢ + vᵤˢ·vᵢˢ)

The first three summands are averaged separately. The last one is a matrix of rank ≤ S·rank, and
only about `rank` of its singular values stand out from the sampling noise. It is kept as the
product of two matrices of `kept_rank` columns, truncated again as samples arrive, so that no sample
is stored. 512 samples of ML-1M at rank 32 would take 650 MB in float32; the product with 128
columns takes 10 MB in float64. The truncation costs little, by the RMSE on held-out training
ratings: on ML-100K at rank 10, the exact mean has .90293, 80 columns have .90298, and the 8 samples
that take the same memory .91173; on Douban at rank 16, the exact mean has .73764, 64 columns
.73759, 4 samples .77266.

The predictive distribution is normal, with the variance of the mixture over samples: that of the
noise and that of the scores. `blocks/sampling/kept.py` has the equation, and what is kept for it.
"""

from __future__ import annotations

from pydantic import Field

from glocalk.completers.base import State
from glocalk.completers.blocks.sampling.kept import KeptSamples, SampleKeeper, found
from glocalk.completers.blocks.sampling.posterior import PosteriorMean
from glocalk.completers.factorization.factors import FactorCompleter, Factors
from glocalk.completers.factorization.gibbs import GibbsSampler
from glocalk.completers.resumable import Progress
from glocalk.config import BaseConfig
from glocalk.data.rating_matrix import Indices, RatingMatrix
from glocalk.distributions import NormalDistribution
from glocalk.training.context import FitContext
from glocalk.training.loop import LoopState


class BayesianMFConfig(BaseConfig):
    """Options of `BayesianMF`; everything else is sampled.

    The rank is that of the library's tutorial on ML-100K, `burn_in` and `samples` those of its
    examples.
    """

    rank: int = Field(default=10, ge=1, description="length of the sampled factor vectors")
    burn_in: int = Field(default=5, ge=0, description="number of first samples to leave out")
    samples: int = Field(default=512, ge=1, description="S, number of samples to average")
    kept_rank: int = Field(
        default=80, ge=1, description="number of columns that the mean of vᵤ·vᵢ is kept in"
    )


class BayesianMF(FactorCompleter):
    """Bayesian matrix factorization: predicts the posterior mean of Gibbs samples.

        rᵤᵢ ~ Normal(w₀ + wᵤ + wᵢ + vᵤ·vᵢ, α⁻¹)
        r̂ᵤᵢ = (1/S) Σₛ (w₀ˢ + wᵤˢ + wᵢˢ + vᵤˢ·vᵢˢ)

    The module documents the priors and how the mean is kept. Sources: Freudenthaler,
    Schmidt-Thieme, Rendle, "Bayesian factorization machines", 2011; the library `tohtsky/myFM`.

    For a user or an item without training ratings, w and v are sampled from their priors
    Normal(μ, λ⁻¹) and Normal(μₖ, λₖ⁻¹), so that their averages are close to the prior means.

    The predictive distribution is Normal(r̂ᵤᵢ, mean of α⁻¹ + variance of the scores over samples).
    """

    Config = BayesianMFConfig
    config: BayesianMFConfig
    has_epochs = False

    _samples: KeptSamples | None = None

    @property
    def rank(self) -> int:
        return self.config.kept_rank

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        chain = _Chain(train, self.config, context.seed)
        progress = Progress("fit", chain, self, train, context)
        samples = self.config.burn_in + self.config.samples
        while progress.epochs < samples:
            chain.draw(kept=progress.epochs >= self.config.burn_in)
            progress.epoch_ended(last=progress.epochs + 1 == samples)
        constant, *rest = chain.posterior.means()
        mean = float(train.ratings.mean())
        self.factors, self._samples = Factors(mean + constant, *rest), chain.keeper.finish(mean)

    @property
    def gives_distribution(self) -> bool:
        return True

    def predict_distribution_pairs(self, users: Indices, items: Indices) -> NormalDistribution:
        mean = self.predict_pairs(users, items)
        samples = found(self._samples, "BayesianMF")
        return samples.distribution({"users": users, "items": items}, mean)

    def state(self) -> State:
        return {**super().state(), **(self._samples.state() if self._samples else {})}

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        super().restore(state, shape)
        config, sizes = self.config, _sizes(shape)
        self._samples = KeptSamples.of_state(state, sizes, config.rank, config.samples)

    @property
    def num_parameters(self) -> int:
        """Number of parameters of one sample."""
        users, items = len(self._fitted.user_biases), len(self._fitted.item_biases)
        return 1 + (users + items) * (1 + self.config.rank)


def _sizes(shape: tuple[int, int]) -> dict[str, int]:
    return dict(zip(("users", "items"), shape, strict=True))


class _Chain:
    """The samples of a training, the mean of those that are averaged, and some of them."""

    def __init__(self, train: RatingMatrix, config: BayesianMFConfig, seed: int) -> None:
        self._sampler = GibbsSampler(train, config.rank, seed % 2**31)
        self.posterior = PosteriorMean(train.shape, config.kept_rank)
        self.keeper = SampleKeeper(_sizes(train.shape), config.rank, config.samples)

    def draw(self, kept: bool) -> None:
        sampler = self._sampler
        sampler.draw()
        if kept:
            sample = sampler.constant, sampler.biases, sampler.vectors.T
            self.posterior.add(*sample)
            self.keeper.add(*sample, sampler.alpha)

    def state(self) -> LoopState:
        return {
            **self._sampler.state(),
            **self.posterior.state(self._sampler.rank),
            **self.keeper.state(),
        }

    def restore(self, state: LoopState) -> None:
        self._sampler.restore(state)
        self.posterior.restore(state)
        self.keeper.restore(state)
