"""Which users and items have training ratings: the others are predicted by defaults."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glocalk.data.rating_matrix import RatingMatrix


def rated(train: RatingMatrix) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each user [users] and each item [items] has a training rating."""
    users, items = (
        np.bincount(indices, minlength=size) > 0
        for indices, size in zip((train.users, train.items), train.shape, strict=True)
    )
    return users, items
