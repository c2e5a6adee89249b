"""What predictions need to know about the training ratings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from glocalk.data.ids import Ids
from glocalk.data.rating_matrix import Indices, RatingMatrix
from glocalk.data.ratings import Ratings


@dataclass(frozen=True, eq=False)
class TrainedOn:
    """What predictions need to know about the training ratings.

    Attributes:
        ids: labels of users and items.
        scale: (lowest, highest) rating.
        mean: mean of the training ratings.
        counts: [users] number of training ratings of each user.
        items: [ratings] the item of each training rating, user after user.
        title: name of the data set, for error messages.
    """

    ids: Ids
    scale: tuple[float, float]
    mean: float
    counts: NDArray[Any]
    items: NDArray[Any]
    title: str = "the training ratings"

    @classmethod
    def of(cls, train: RatingMatrix, title: str = "the training ratings") -> Self:
        """From the training ratings; without ids, their indices are the ids."""
        ids = train.ids if isinstance(train, Ratings) else Ids.numbered(train.shape)
        return cls(
            ids=ids,
            scale=train.scale,
            mean=float(train.ratings.mean()),
            counts=np.bincount(train.users, minlength=train.num_users),
            items=train.items.astype(np.int32),
            title=title,
        )

    @cached_property
    def starts(self) -> Indices:
        """[users + 1] bounds of each user's entries in `items`."""
        return np.concatenate([[0], np.cumsum(self.counts)])
