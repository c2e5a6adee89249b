"""What users and items are called outside: the labels behind the indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from glocalk.data.ratings import Indices
from glocalk.errors import GlocalkError

Labels: TypeAlias = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Ids:
    """Labels by index.

    Attributes:
        users: [users] label of each user index, whole numbers or text, none twice.
        items: [items] label of each item index.
    """

    users: Labels
    items: Labels

    def __post_init__(self) -> None:
        for name, labels in (("user", self.users), ("item", self.items)):
            twice = pd.Index(labels).duplicated()
            if twice.any():
                raise GlocalkError(f"The {name} id '{labels[np.argmax(twice)]}' stands twice.")

    @classmethod
    def numbered(cls, shape: tuple[int, int]) -> Ids:
        """Labels equal to the indices, for data without ids of its own."""
        return cls(np.arange(shape[0]), np.arange(shape[1]))

    def find_users(self, labels: ArrayLike) -> Indices:
        """[n] index of each user label, −1 where it is unknown."""
        return _positions(self.users, labels)

    def find_items(self, labels: ArrayLike) -> Indices:
        """[n] index of each item label, −1 where it is unknown."""
        return _positions(self.items, labels)


def _positions(known: Labels, labels: ArrayLike) -> Indices:
    wanted = np.asarray(labels)
    if known.dtype.kind in "iu" and wanted.dtype.kind not in "iu":
        # `7` read from text is still 7.
        wanted = pd.to_numeric(pd.Series(wanted), errors="coerce").to_numpy()
    elif known.dtype.kind not in "iu":
        wanted = wanted.astype(str).astype(object)
    return pd.Index(known).get_indexer(pd.Index(wanted)).astype(np.int64)
