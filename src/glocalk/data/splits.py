"""Which ratings train, which validate, which test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from glocalk.data.ids import Ids
from glocalk.data.labeled import Ratings
from glocalk.data.ratings import RatingMatrix
from glocalk.errors import GlocalkError


@dataclass(frozen=True, eq=False)
class Split:
    """A data set divided into training and test ratings, perhaps with validation ratings.

    Attributes:
        name: what divides it, as the tables show it: `u1`, `90:10 seed 1234`, `monti`.
        train: the ratings that a completer may see.
        test: the ratings that it is judged by.
        valid: training ratings held out to choose an epoch by; None where all of them train.
        ids: labels of users and items; None where the data set has none, see `labels`.

    Raises:
        GlocalkError: the parts differ in shape or scale, one is empty, or two share a pair.
    """

    name: str
    train: RatingMatrix
    test: RatingMatrix
    valid: RatingMatrix | None = None
    ids: Ids | None = None

    def __post_init__(self) -> None:
        parts = {
            "train": ("training", self.train),
            "test": ("test", self.test),
            "valid": ("validation", self.valid),
        }
        seen: set[tuple[object, ...]] = set()
        cells: list[np.ndarray] = []
        for field, (name, part) in parts.items():
            if part is None:
                continue
            if not len(part):
                raise GlocalkError(f"The {name} set of split '{self.name}' has no ratings.")
            seen.add((part.shape, part.scale))
            cells.append(part.users * part.num_items + part.items)
            if self.ids is not None and not isinstance(part, Ratings):
                # Whoever is handed a part knows whom and what its indices stand for.
                object.__setattr__(self, field, Ratings.of(part, self.ids))
        if len(seen) > 1:
            raise GlocalkError(f"The parts of split '{self.name}' differ in shape or scale.")
        joined = np.sort(np.concatenate(cells))
        if (np.diff(joined) == 0).any():
            raise GlocalkError(
                f"Two parts of split '{self.name}' hold the same (user, item) pair: "
                "a test rating must not be trained on."
            )

    @property
    def labels(self) -> Ids:
        """The ids, or the indices where the data set has none."""
        return self.ids or Ids.numbered(self.train.shape)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over the parts' checksums."""
        parts = (self.train, self.test, self.valid)
        return hashlib.sha256(
            " ".join(part.checksum if part else "-" for part in parts).encode()
        ).hexdigest()

    def keep(self, share: float, seed: int) -> Split:
        """The split with a random `share` of its training ratings, as in Fig. 2 of the paper."""
        if share == 1:
            return self
        kept, _ = _divide(self.train, share, seed)
        return replace(self, train=kept)

    def hold_out(self, share: float, seed: int) -> Split:
        """The split with a random `share` of its training ratings moved to validation."""
        valid, train = _divide(self.train, share, seed)
        return replace(self, train=train, valid=valid)


def _divide(ratings: RatingMatrix, share: float, seed: int) -> tuple[RatingMatrix, RatingMatrix]:
    """A random `share` of the ratings, and the rest; neither is empty."""
    if not 0 < share < 1:
        raise GlocalkError(f"A share of the training ratings lies between 0 and 1, not at {share}.")
    size = min(max(round(share * len(ratings)), 1), len(ratings) - 1)
    chosen = np.zeros(len(ratings), dtype=bool)
    chosen[np.random.default_rng(seed).permutation(len(ratings))[:size]] = True
    return ratings.select(chosen), ratings.select(~chosen)
