"""Bayesian factorization machine with side information, by Gibbs sampling.

With x the features of a rating, f and f' any two of them,

    s = w₀ + Σ_f w_f x_f + Σ_{f < f'} (v_f · v_f') x_f x_f'

Features are, each group with a prior of its own: the one-hot user and item; attributes of both,
encoded as the config says, rows of several values divided to unit length; the items N(u) that the
user rated, each |N(u)|^−½, and the users who rated the item, likewise, both from training ratings
alone; and the one-hot date of the rating. Without attributes, implicit features and dates, it is
the model of `bayesian_mf`.

Freudenthaler, Schmidt-Thieme, Rendle, "Bayesian factorization machines", NIPS workshop on sparse
representation, 2011; with implicit features on both sides and dates, "Bayesian timeSVD++ flipped"
of Rendle, Zhang, Koren, arXiv 1905.01395. The priors and the scheme of the draws are those of the
library `tohtsky/myFM` by Tomoki Ohtsuka, see `sampler.py` and `likelihoods.py`. Its notebook
`examples/ml-100k-extended.ipynb` has the strongest published figures on ML-100K (u1): an RMSE of
.8833 by regression and of .8808 by ordered probit, at rank 10, with 512 samples. Run again with
myFM 0.4 on the same ratings, its cells give .8814, .8823 and .8823 by ordered probit (seeds 42, 0
and 1).

- `likelihood: normal` is r ~ Normal(mean + s, α⁻¹); the prediction is the mean score over samples,
  kept as in `bayesian_mf`.
- `likelihood: probit` takes ratings as ordered levels; the prediction is the mean rating under the
  mean of the probabilities over samples.

Dates. A completer is asked for pairs of users and items. With `dates: true` it takes the date of a
pair from `RatingDates`, at prediction as in training, so that the date of a test rating is known,
though not the rating; the figures of the library assume it. Nothing else is taken from the dates of
pairs without training ratings. A pair without a date, or with one that no training rating has, gets
a date of its own that is drawn from the prior. By default no dates are used, because a system that
recommends at one moment does not have them. Dates are days, UTC.

Deviations from the library's notebook:

- It has a further feature in each group for what is unknown. Here only the dates have one: an
  unknown attribute is no feature.
- The mean of the training ratings is subtracted before sampling by `normal`.
- Mean scores are kept in `kept_rank` columns. On ML-100K, predictions from 320 columns are .004
  from those of the exact mean (root mean square), from 160 columns .014, from the 80 that
  `bayesian_mf` has .035; the RMSE on u1 is .8828, .8830 and .8838, of the exact mean .8827.
- Cut points start at the shares of the levels, and their mode is found to a closer tolerance.
- A user or an item without training ratings has weights from the prior, its attributes, and the
  mean implicit features of a rating; the library gives it none, and lacks their mean effect.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field

from glocalk.completers.base import Completer, State, take
from glocalk.completers.bayesian_fm.dates import PairDates
from glocalk.completers.bayesian_fm.design import Design, date_block, item_block, user_block
from glocalk.completers.bayesian_fm.likelihoods import Normal, OrderedProbit
from glocalk.completers.bayesian_fm.posterior import (
    MeanScores,
    Posterior,
    Predictions,
    SampledLevels,
    SampleStore,
    ScoreMean,
    Sizes,
)
from glocalk.completers.bayesian_fm.sampler import Likelihood, Sampler
from glocalk.completers.resumable import Progress
from glocalk.config import BaseConfig
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values
from glocalk.data.side.encode import FeatureConfig
from glocalk.data.side.information import Need
from glocalk.distributions import Distribution
from glocalk.errors import GlocalkError
from glocalk.training.context import FitContext
from glocalk.training.loop import LoopState

_MOST_LEVELS = 100


class BayesianFMConfig(BaseConfig):
    """Options of `BayesianFM`; everything else is sampled.

    Rank, `burn_in` and `samples` are those of the library's notebook on ML-100K.
    """

    likelihood: Literal["normal", "probit"] = Field(
        default="normal", description="how ratings follow from scores: normal errors, or levels"
    )
    rank: int = Field(default=10, ge=1, description="number of columns of V")
    user_features: tuple[FeatureConfig, ...] | None = Field(
        default=(), description="attributes of users; null takes all, encoded by their form"
    )
    item_features: tuple[FeatureConfig, ...] | None = Field(
        default=(), description="attributes of items, likewise"
    )
    implicit_items: bool = Field(
        default=True, description="whether the items that a user rated are features"
    )
    implicit_users: bool = Field(
        default=True, description="whether the users who rated an item are features"
    )
    dates: bool = Field(
        default=False, description="whether the date is a feature, and known when predicting"
    )
    burn_in: int = Field(default=0, ge=0, description="number of first samples to leave out")
    samples: int = Field(default=512, ge=1, description="number of samples to average")
    thinning: int = Field(default=1, ge=1, description="every how many samples one is averaged")
    kept_rank: int = Field(
        default=320, ge=1, description="normal: number of columns that mean products are kept in"
    )


class BayesianFM(Completer):
    """Bayesian factorization machine with side information, by Gibbs sampling.

        s = w₀ + Σ_f w_f x_f + Σ_{f < f'} (v_f · v_f') x_f x_f'

    The module has the features, the sources and what is done with dates. The prediction is the mean
    over samples of s, or under ordered probit of the expected rating.

    For a user or an item without training ratings, weights are sampled from their priors, so that
    the prediction is close to that from the attributes and the other side.

    The predictive distribution under ordered probit is the mean of the probabilities over samples;
    otherwise it is normal, with the variance of the mixture over samples, that of the noise and
    that of the scores: see `blocks/sampling/kept.py`.

    Example:
        >>> import glocalk, pandas as pd
        >>> ratings = glocalk.Ratings.from_arrays([0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [5, 3, 4, 1, 2])
        >>> users = pd.DataFrame({"user": [0, 1, 2], "job": ["cook", "nurse", "cook"]})
        >>> side = glocalk.SideInformation.from_frames(ratings.ids, users=users)
        >>> model = glocalk.BayesianFM(rank=2, samples=20, user_features=None)
        >>> model.fit(ratings, side=side, seed=0).predict([2, 0], [1, 2]).shape
        (2,)
    """

    Config = BayesianFMConfig
    model_version = 2
    config: BayesianFMConfig
    has_epochs = False

    _predictions: Predictions | None = None
    _dates: PairDates | None = None
    _num_parameters: int | None = None

    @property
    def needs(self) -> tuple[Need, ...]:
        used: dict[Need, bool] = {
            "user attributes": self.config.user_features != (),
            "item attributes": self.config.item_features != (),
            "rating dates": self.config.dates,
        }
        return tuple(need for need, is_used in used.items() if is_used)

    def fit_matrix(self, train: RatingMatrix, context: FitContext) -> None:
        config = self.config
        dates = PairDates.of(train, context.side.dates) if config.dates else None
        chain = _Chain(train, config, dates, context)
        progress = Progress("fit", chain, self, train, context)
        draws = config.burn_in + config.samples * config.thinning
        while progress.epochs < draws:
            after = progress.epochs + 1 - config.burn_in
            chain.draw(kept=after > 0 and after % config.thinning == 0)
            progress.epoch_ended(last=progress.epochs + 1 == draws)
        self._dates, self._predictions = dates, chain.posterior.finish()
        self._num_parameters = chain.num_parameters

    def predict_pairs(self, users: Indices, items: Indices) -> Values:
        predictions = self._require(self._predictions)
        return predictions.predict(users, items, self._rows_of_dates(users, items))

    @property
    def gives_distribution(self) -> bool:
        return True

    def predict_distribution_pairs(self, users: Indices, items: Indices) -> Distribution:
        predictions = self._require(self._predictions)
        return predictions.distribution(users, items, self._rows_of_dates(users, items))

    def probabilities(self, users: Indices, items: Indices) -> Values:
        """Mean probability of each level of the training ratings, under ordered probit.

        Args:
            users: [pairs] user indices.
            items: [pairs] item indices.

        Returns:
            [pairs, levels]; each row sums to 1.

        Raises:
            GlocalkError: the likelihood is another one.
        """
        predictions = self._require(self._predictions)
        if not isinstance(predictions, SampledLevels):
            raise GlocalkError("Only likelihood=probit has probabilities of levels.")
        return predictions.probabilities(users, items, self._rows_of_dates(users, items))

    def _rows_of_dates(self, users: Indices, items: Indices) -> Indices | None:
        return None if self._dates is None else self._dates.rows(users, items)

    def state(self) -> State:
        predictions = self._require(self._predictions)
        return {
            **predictions.state(),
            **(self._dates.state() if self._dates is not None else {}),
            "num_parameters": torch.tensor(self.num_parameters),
        }

    def restore(self, state: State, shape: tuple[int, int]) -> None:
        config = self.config
        dates = PairDates.of_state(state, shape[1]) if config.dates else None
        sizes = Sizes(dates.size if dates is not None else 0, *shape)
        predictions: Predictions
        if config.likelihood == "probit":
            predictions = SampledLevels.of_state(state, sizes, config.rank, config.samples)
        else:
            predictions = MeanScores.of_state(
                state, sizes, config.rank, config.kept_rank, config.samples
            )
        self._num_parameters = int(take(state, "num_parameters", (), whole=True))
        self._dates, self._predictions = dates, predictions

    @property
    def num_parameters(self) -> int:
        """Number of parameters of one sample."""
        return self._require(self._num_parameters)


class _Chain:
    """The samples of a training, and what is kept of them."""

    def __init__(
        self,
        train: RatingMatrix,
        config: BayesianFMConfig,
        dates: PairDates | None,
        context: FitContext,
    ) -> None:
        blocks = [
            user_block(train, context.side, config.user_features, config.implicit_items),
            item_block(train, context.side, config.item_features, config.implicit_users),
        ]
        sizes = Sizes(0, *train.shape)
        if dates is not None:
            blocks.insert(0, date_block(dates.rows(train.users, train.items), dates.size))
            sizes = sizes._replace(dates=dates.size)
        design = Design.of(blocks)
        likelihood: Likelihood
        if config.likelihood == "probit":
            levels, labels = np.unique(train.ratings, return_inverse=True)
            _refuse(levels)
            likelihood = OrderedProbit(labels)
            self.posterior: Posterior = SampleStore(sizes, config.rank, config.samples, levels)
        else:
            likelihood = Normal(train.ratings)
            mean = float(train.ratings.mean())
            self.posterior = ScoreMean(sizes, config.rank, config.kept_rank, config.samples, mean)
        self._sampler = Sampler(design, likelihood, config.rank, context.seed % 2**31)
        self.num_parameters = (
            1 + design.num_features * (1 + config.rank) + len(likelihood.cut_points)
        )

    def draw(self, kept: bool) -> None:
        self._sampler.draw()
        if kept:
            self.posterior.add(self._sampler)

    def state(self) -> LoopState:
        return {**self._sampler.state(), **self.posterior.state()}

    def restore(self, state: LoopState) -> None:
        self._sampler.restore(state)
        self.posterior.restore(state)


def _refuse(levels: Values) -> None:
    if len(levels) > _MOST_LEVELS:
        raise GlocalkError(
            f"Ordered probit has a cut point between each two ratings, but there are {len(levels)} "
            f"distinct ones and at most {_MOST_LEVELS} are allowed: round the ratings, or choose "
            "likelihood=normal."
        )
