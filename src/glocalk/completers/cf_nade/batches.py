"""The batches of CF-NADE: items whose ratings are split at random into input and target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from glocalk.completers.cf_nade.entries import Entries
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values


class Batch(NamedTuple):
    """Some items, each with its ratings split at random.

    Attributes:
        given: the ratings that are the input.
        asked: the ratings that are to be predicted.
        weights: [items] D / (D − d + 1).
    """

    given: Entries
    asked: Entries
    weights: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        return Batch(self.given.to(device), self.asked.to(device), self.weights.to(device))


class LeveledRatings:
    """A rating matrix by levels, and the batches drawn from it.

    Args:
        train: the ratings.

    Attributes:
        levels: [levels] the distinct ratings, ascending.
        users, items, labels: [n] user, item and level of each rating, in ascending order of users
            and of one user's levels.
        counts: [items] number of ratings of each item.
    """

    def __init__(self, train: RatingMatrix) -> None:
        self.shape = train.shape
        self.levels, labels = np.unique(train.ratings, return_inverse=True)
        order = np.lexsort((labels, train.users))
        self.users, self.items, self.labels = train.users[order], train.items[order], labels[order]
        self.counts = np.bincount(self.items, minlength=train.num_items)

    def histogram(self) -> Values:
        """[users, levels] how often each user gives each rating."""
        cells = self.users * len(self.levels) + self.labels
        counts = np.bincount(cells, minlength=self.shape[0] * len(self.levels))
        return counts.reshape(self.shape[0], -1).astype(np.float64)

    def entries(self) -> Entries:
        """All ratings."""
        return Entries.from_arrays(self.users, self.items, self.labels, self.shape[1])

    def epoch(self, batch_size: int, passes: int) -> Iterator[Batch]:
        """The batches of an epoch, as many as passes · ⌈items / batch size⌉.

        Each pass is seeded from torch's generator, which is seeded anew for each epoch.
        """
        for _ in range(passes):
            seed = int(torch.randint(2**62, ()))
            yield from self.split(batch_size, np.random.default_rng(seed))

    def split(self, batch_size: int, rng: np.random.Generator) -> Iterator[Batch]:
        """The batches of a pass: all items once, in a random order, with their ratings split.

        Args:
            batch_size: items in each batch; the last may have fewer.
            rng: source of the order of items and of users, and of d.
        """
        given = rng.integers(0, np.maximum(self.counts, 1))  # d − 1
        # An item's users in a random order: the fractions only sort within an item.
        order = np.argsort(self.items + rng.random(len(self.items)))
        before = np.cumsum(self.counts) - self.counts
        is_given = np.empty(len(order), bool)
        ranked = self.items[order]
        is_given[order] = np.arange(len(order)) - before[ranked] < given[ranked]
        weights = self.counts / np.maximum(self.counts - given, 1)

        shuffled = rng.permutation(len(self.counts))
        batch, place = np.divmod(np.argsort(shuffled), batch_size)
        of_entry = batch[self.items]
        by_batch = np.argsort(of_entry, kind="stable")
        bounds = np.cumsum(np.bincount(of_entry, minlength=batch.max() + 1))
        for number, chosen in enumerate(np.split(by_batch, bounds[:-1])):
            items = shuffled[number * batch_size : (number + 1) * batch_size]

            def entries(positions: Indices, size: int = len(items)) -> Entries:
                return Entries.from_arrays(
                    self.users[positions],
                    place[self.items[positions]],
                    self.labels[positions],
                    size,
                )

            yield Batch(
                entries(chosen[is_given[chosen]]),
                entries(chosen[~is_given[chosen]]),
                torch.tensor(weights[items]),
            )
