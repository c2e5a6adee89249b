"""Ways of choosing test ratings among all ratings, and validation ratings in the same manner."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from glocalk.data.labels import Side
from glocalk.data.rating_matrix import Indices
from glocalk.errors import GlocalkError

Mask: TypeAlias = NDArray[np.bool_]


class Pairs(Protocol):
    """Rated pairs, in the order of the matrix: a `RatingMatrix`, or what is read from a file."""

    @property
    def users(self) -> NDArray[np.integer[Any]]: ...

    @property
    def items(self) -> NDArray[np.integer[Any]]: ...

    @property
    def num_items(self) -> int: ...


def cells_of(pairs: Pairs) -> Indices:
    """[n] position user · items + item of each pair."""
    return pairs.users.astype(np.int64) * pairs.num_items + pairs.items


@dataclass(frozen=True, eq=False)
class RatingOrder:
    """The place of each rated pair in the order of time.

    Attributes:
        cells: [n] position of each pair in the matrix, ascending.
        places: [n] place of each pair: 0 for the oldest rating, n − 1 for the newest.
    """

    cells: Indices
    places: Indices

    @classmethod
    def by_time(cls, cells: Indices, times: NDArray[Any]) -> Self:
        """The order of the times; of equal ones, the later row is the newer rating.

        Args:
            cells: [n] position of each pair, in the order of the file.
            times: [n] numbers that ascend with time.
        """
        places = np.empty(len(cells), dtype=np.int64)
        places[np.argsort(times, kind="stable")] = np.arange(len(cells))
        by_cell = np.argsort(cells)
        return cls(cells[by_cell], places[by_cell])

    def of(self, pairs: Pairs) -> Indices:
        """[m] place of each of the pairs, which are among those ordered."""
        found: Indices = self.places[np.searchsorted(self.cells, cells_of(pairs))]
        return found

    @property
    def checksum(self) -> str:
        """SHA-256 over the pairs and their places."""
        return _sha256("order", self.cells, self.places)


class Division(ABC):
    """A way of choosing some of the ratings."""

    @property
    def asked_for(self) -> bool:
        """Whether the user chose it in place of the data set's own split."""
        return True

    @property
    def draws(self) -> bool:
        """Whether the seed decides which ratings are held out."""
        return True

    @abstractmethod
    def choose(self, pairs: Pairs, share: float, seed: int) -> Mask:
        """[n] The ratings that are held out of these.

        Args:
            pairs: the ratings to choose from.
            share: how many are held out, if the division does not say it itself.
            seed: seed of the draw, if there is any.

        Raises:
            GlocalkError: none or all of them would be held out.
        """

    @property
    def checksum(self) -> str:
        """What identifies it beside the test ratings; empty if validation ratings are drawn."""
        return ""


@dataclass(frozen=True)
class AtRandom(Division):
    """A random share of the ratings, of which the test ratings may be chosen in another way.

    Attributes:
        instead: whether options of the data set chose the test ratings: folds, or another draw.
    """

    instead: bool = False

    @property
    def asked_for(self) -> bool:
        return self.instead

    def choose(self, pairs: Pairs, share: float, seed: int) -> Mask:
        return drawn(len(pairs.users), share, seed)


@dataclass(frozen=True)
class OfWhole(Division):
    """All ratings of a random share of the users or items, as in a cold start.

    Attributes:
        whole: `users` or `items`.
    """

    whole: Side

    @property
    def asked_for(self) -> bool:
        return False

    def choose(self, pairs: Pairs, share: float, seed: int) -> Mask:
        names, positions = np.unique(self.of(pairs), return_inverse=True)
        if len(names) < 2:
            raise GlocalkError(
                f"No {self.whole} can be held out whole: only one of them has ratings that are not "
                "held out."
            )
        chosen: Mask = drawn(len(names), share, seed)[positions]
        return chosen

    def of(self, pairs: Pairs) -> NDArray[np.integer[Any]]:
        """[n] The user, or item, of each pair."""
        return pairs.users if self.whole == "users" else pairs.items


@dataclass(frozen=True, eq=False)
class AfterRevealed(OfWhole):
    """The ratings of a random share of the users or items, without the first few of each.

    The first ones, in a random order, stay among the training ratings, as they do of those that
    test. These are not drawn, and all that is revealed of them stays, too.

    Attributes:
        count: how many of each stay, at least one.
        tested: those that test.
    """

    count: int
    tested: Indices

    def choose(self, pairs: Pairs, share: float, seed: int) -> Mask:
        own = self.of(pairs)
        ranks = random_ranks(own, seed)
        names, counts = np.unique(own, return_counts=True)
        eligible = names[(counts > self.count) & ~np.isin(names, self.tested)]
        if len(eligible) < 2:
            raise GlocalkError(
                f"No {self.whole} can be held out for validation: fewer than two of those that do "
                f"not test have more than {self.count} ratings."
            )
        chosen: Mask = np.isin(own, eligible[drawn(len(eligible), share, seed)])
        return chosen & (ranks >= self.count)


@dataclass(frozen=True, eq=False)
class Newest(Division):
    """The newest share of the ratings: the past predicts the future.

    Attributes:
        order: the order of all ratings.
    """

    order: RatingOrder

    @property
    def draws(self) -> bool:
        return False

    def choose(self, pairs: Pairs, share: float, seed: int) -> Mask:  # noqa: ARG002 (no draw)
        places = self.order.of(pairs)
        chosen = np.zeros(len(places), dtype=bool)
        chosen[np.argsort(places)[len(places) - _size(len(places), share) :]] = True
        return chosen

    @property
    def checksum(self) -> str:
        return _sha256(f"newest {self.order.checksum}")


@dataclass(frozen=True, eq=False)
class LastOfUsers(Division):
    """The last ratings of each user; users with too few keep all of theirs.

    Attributes:
        count: how many of each user.
        order: the order of all ratings; None draws at random.
    """

    count: int
    order: RatingOrder | None

    @property
    def draws(self) -> bool:
        return self.order is None

    def choose(self, pairs: Pairs, share: float, seed: int) -> Mask:  # noqa: ARG002 (`count` says)
        users = pairs.users
        places = (
            np.random.default_rng(seed).permutation(len(users))
            if self.order is None
            else self.order.of(pairs)
        )
        by_user = np.lexsort((places, users))
        counts = np.bincount(users)
        after = np.cumsum(counts)[users[by_user]] - 1 - np.arange(len(users))  # of the same user
        chosen = np.zeros(len(users), dtype=bool)
        chosen[by_user] = (after < self.count) & (counts[users[by_user]] > self.count)
        if not chosen.any():
            raise GlocalkError(
                f"No user has more ratings than the {self.count} that would be held out: choose a "
                "smaller data.n."
            )
        return chosen

    def short_users(self, pairs: Pairs) -> tuple[int, int]:
        """Number of users who have too few ratings, and of all users with ratings."""
        counts = np.unique(pairs.users, return_counts=True)[1]
        return int(np.count_nonzero(counts <= self.count)), len(counts)

    @property
    def checksum(self) -> str:
        order = "at random" if self.order is None else self.order.checksum
        return _sha256(f"last {self.count} {order}")


@dataclass(frozen=True, eq=False)
class Given(Division):
    """Validation ratings that the user gives.

    Attributes:
        cells: [m] position of each of them in the matrix.
    """

    cells: Indices

    @property
    def draws(self) -> bool:
        return False

    def choose(self, pairs: Pairs, share: float, seed: int) -> Mask:  # noqa: ARG002 (all are given)
        chosen = np.isin(cells_of(pairs), self.cells)
        if not chosen.any():
            raise GlocalkError(
                "None of the given validation ratings is among the training ratings that "
                "train_share keeps: raise train_share, or give more of them."
            )
        return chosen

    @property
    def checksum(self) -> str:
        return _sha256("given", np.sort(self.cells))


def drawn(count: int, share: float, seed: int) -> Mask:
    """[count] A random `share` of them, at least one and not all.

    Raises:
        GlocalkError: the share is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise GlocalkError(f"A share of the training ratings must be between 0 and 1, not {share}.")
    chosen = np.zeros(count, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(count)[: _size(count, share)]] = True
    return chosen


def random_ranks(own: NDArray[np.integer[Any]], seed: int) -> Indices:
    """[n] Place of each rating in a random order of those of the same user (item), 0 for the first.

    Args:
        own: [n] user, or item, of each rating.
        seed: seed of the order.
    """
    keys = np.random.default_rng(seed).random(len(own))
    order = np.lexsort((keys, own))
    counts = np.bincount(own)
    starts = np.cumsum(counts) - counts
    ranks = np.empty(len(own), np.int64)
    ranks[order] = np.arange(len(own)) - starts[own[order]]
    return ranks


def in_fold(count: int, folds: int, fold: int, seed: int) -> Mask:
    """[count] Those in one part of a random permutation, whose parts differ in size by at most one.

    Args:
        count: number of ratings.
        folds: number of parts.
        fold: 1 for the first part.
        seed: seed of the permutation.

    Raises:
        GlocalkError: there are fewer ratings than parts.
    """
    if count < folds:
        raise GlocalkError(
            f"{count:,} ratings cannot be divided into {folds:,} folds: choose a smaller "
            "data.folds."
        )
    chosen = np.zeros(count, dtype=bool)
    order = np.random.default_rng(seed).permutation(count)
    chosen[np.array_split(order, folds)[fold - 1]] = True
    return chosen


def _size(count: int, share: float) -> int:
    """Number of ratings in a share of them."""
    return min(max(round(share * count), 1), count - 1)


def _sha256(name: str, *arrays: Indices) -> str:
    digest = hashlib.sha256(name.encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    return digest.hexdigest()
