"""Made-up users whose true RMSE is known, and records of them."""

import numpy as np

from glocalk.report.statistics.sample import Sample

# Users have 1, 5 or 40 test ratings, and the more the smaller their mean squared error.
RATINGS = np.array([1, 5, 40])
ERRORS = np.array([1.6, 1.0, 0.7])
SHARES = np.array([0.5, 0.3, 0.2])

# E[Σ e_u] / E[Σ n_u]
TRUE_RMSE = np.sqrt((SHARES * RATINGS * ERRORS).sum() / (SHARES * RATINGS).sum())


def users(random, number, factors):
    """A sample for each factor on the errors, of the same users with two seeds each.

    Errors are squares of normal ones with a variance that differs from user to user, so that the
    errors of a user are related in all samples and seeds.
    """
    kind = random.choice(3, size=number, p=SHARES)
    level = ERRORS[kind] * random.gamma(4, 1 / 4, size=number)  # mean 1, standard deviation .5
    counts = RATINGS[kind].astype(float)
    return [
        Sample(
            name="a model",
            split="d0d0",
            counts=counts,
            errors=factor * level[:, None] * random.chisquare(counts[:, None], size=(number, 2)),
        )
        for factor in factors
    ]


def sample(counts, *seeds, split="d0d0", deterministic=False):
    """A sample of these errors [users] of each seed."""
    errors = np.array(seeds, dtype=float).T
    return Sample("a model", split, np.array(counts, dtype=float), errors, deterministic)
