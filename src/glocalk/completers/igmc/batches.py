"""The batches of IGMC: rated pairs, drawn anew for each epoch, with their enclosing subgraphs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from glocalk.completers.igmc.subgraphs import Subgraphs
from glocalk.data.rating_matrix import Indices, RatingMatrix, Values

_SEEDS = 2**63 - 1


class Draw(NamedTuple):
    """What the sampler chooses for a batch.

    Attributes:
        positions: [pairs] positions among the training ratings.
        seed: seed of the subgraphs; the same for all batches of an epoch.
    """

    positions: Indices
    seed: int


class RatedPairs(NamedTuple):
    """The training ratings at the positions of a `Draw`.

    Attributes:
        users: [pairs] user indices.
        items: [pairs] item indices.
        ratings: [pairs] their ratings.
        seed: seed of the subgraphs.
    """

    users: Indices
    items: Indices
    ratings: Values
    seed: int


class Batch(NamedTuple):
    """The subgraphs of some rated pairs, and the ratings [pairs], float64, to be predicted."""

    subgraphs: Subgraphs
    ratings: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        return Batch(self.subgraphs.to(device), self.ratings.to(device))


class RatingDataset(Dataset[RatedPairs]):
    """The training ratings.

    Args:
        train: the ratings.
    """

    def __init__(self, train: RatingMatrix) -> None:
        self.train = train

    def __len__(self) -> int:
        return len(self.train)

    def __getitem__(self, draw: Draw) -> RatedPairs:
        train, chosen = self.train, draw.positions
        return RatedPairs(
            train.users[chosen], train.items[chosen], train.ratings[chosen], draw.seed
        )


class ShuffledBatches(Sampler[Draw]):
    """All positions once per epoch, in a random order, a batch at a time.

    The order and the seed of the subgraphs are drawn from torch's generator when the first batch
    of an epoch is taken.

    Args:
        count: number of training ratings.
        batch_size: positions per batch; the last batch may have fewer.
    """

    def __init__(self, count: int, batch_size: int) -> None:
        self.count, self.batch_size = count, batch_size

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    def __iter__(self) -> Iterator[Draw]:
        order = torch.randperm(self.count).numpy()
        seed = int(torch.randint(_SEEDS, ()))
        for first in range(0, self.count, self.batch_size):
            yield Draw(order[first : first + self.batch_size], seed)
