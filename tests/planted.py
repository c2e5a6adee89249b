"""Small planted rating matrices for tests, independent of the package's synthetic source."""

import numpy as np

from glocalk.data.rating_matrix import RatingMatrix


def planted(num_users=60, num_items=45, rank=2, density=0.4, seed=0, noise=0.3):
    """(train, test): ratings 1 … 5, low-rank and offsets; the last user and item have none."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(num_users, rank)) / rank, rng.normal(size=(num_items, rank))
    values = 3 + factors[0] @ factors[1].T + noise * rng.normal(size=(num_users, num_items))
    values += 0.7 * rng.normal(size=(num_users, 1)) + 0.7 * rng.normal(size=num_items)
    values = np.clip(np.rint(values), 1, 5)
    known = rng.random((num_users, num_items)) < density
    known[-1, :] = known[:, -1] = False
    users, items = np.nonzero(known)
    ratings = values[users, items]
    test = rng.random(len(users)) < 0.15

    def part(chosen):
        shape = (num_users, num_items)
        return RatingMatrix(users[chosen], items[chosen], ratings[chosen], shape, (1, 5))

    return part(~test), part(test)
