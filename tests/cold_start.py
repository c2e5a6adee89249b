"""How well a completer predicts for users and items without training ratings."""

import functools

import numpy as np

from glocalk.data.rating_matrix import RatingMatrix
from sides import side_of


@functools.cache
def planted_cold_start(scale=(1, 5)):
    """{"train", "users", "items", "both": ratings} with users and items that `train` lacks.

    Strong offsets of both sides and one product of factors; the mean lies above the middle of the
    scale, as in rating data. "users" are pairs of such a user and an item that `train` has.
    """
    rng = np.random.default_rng(0)
    shape = 80, 60
    offsets = 0.6 * rng.normal(size=(80, 1)) + 0.6 * rng.normal(size=60)
    products = 0.7 * rng.normal(size=(80, 1)) * rng.normal(size=60)
    stars = np.clip(np.rint(3.9 + offsets + products + 0.2 * rng.normal(size=shape)), 1, 5)
    values = np.interp(stars, (1, 5), scale)
    users, items = np.nonzero(rng.random(shape) < 0.4)
    ratings = RatingMatrix(users, items, values[users, items], shape, scale)
    cold_user, cold_item = users >= 64, items >= 48
    return {
        "train": ratings.select(~cold_user & ~cold_item),
        "users": ratings.select(cold_user & ~cold_item),
        "items": ratings.select(~cold_user & cold_item),
        "both": ratings.select(cold_user & cold_item),
    }


def relative_errors(completer, parts):
    """RMSE on the three cold parts, each divided by that of the training mean.

    Args:
        completer: unfitted.
        parts: what `planted_cold_start` returned.
    """
    train = parts["train"]
    completer.fit(train, seed=0, side=side_of(train.shape))

    def rmse(predicted, part):
        return np.sqrt(np.mean((np.clip(predicted, *part.scale) - part.ratings) ** 2))

    return {
        name: rmse(completer.predict_pairs(part.users, part.items), part)
        / rmse(train.ratings.mean(), part)
        for name, part in parts.items()
        if name != "train"
    }
