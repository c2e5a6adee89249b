"""Synthetic low-rank ratings of any size, for trials and tests that need no files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from glocalk.data.divided import DividedSetConfig
from glocalk.data.labels import Kind
from glocalk.data.rating_matrix import Indices, Values
from glocalk.data.side.attributes import Attributes
from glocalk.data.side.graphs import Graph, as_graph, nearest_neighbors, symmetric
from glocalk.data.side.information import SideInformation
from glocalk.data.sources import Source, divide
from glocalk.data.splits import Split


class SyntheticConfig(DividedSetConfig):
    """Options of synthetic ratings."""

    users: int = Field(default=300, ge=1, description="number of users")
    items: int = Field(default=200, ge=1, description="number of items")
    rank: int = Field(
        default=5, ge=1, validate_default=True, description="rank of the underlying matrix"
    )
    ratings: int = Field(
        default=9000,
        ge=2,
        validate_default=True,
        description="number of ratings, training and test together",
    )
    noise: float = Field(
        default=0.5, ge=0, description="standard deviation of the noise, on the rating scale"
    )
    scale: tuple[int, int] = Field(default=(1, 5), description="lowest and highest rating")
    test_share: float = Field(default=0.1, gt=0, lt=1, description="share of the test ratings")
    seed: int = Field(
        default=0, ge=0, description="seed of all random draws but those of split_seed"
    )

    @property
    def _has_share(self) -> bool:
        return not self.divides or super()._has_share

    @field_validator("rank", "ratings")
    @classmethod
    def _fits_the_shape(cls, value: int, info: ValidationInfo) -> int:
        if not {"users", "items"} <= info.data.keys():
            return value  # their own error is reported
        users, items = info.data["users"], info.data["items"]
        limit = min(users, items) if info.field_name == "rank" else users * items
        if value > limit:
            raise ValueError(f"{users} users × {items} items allow {limit} at most")
        return value

    @field_validator("scale")
    @classmethod
    def _ascends(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not value[0] < value[1]:
            raise ValueError("the lowest rating must be below the highest")
        return value


class Synthetic(Source):
    """Integer ratings around a random low-rank matrix.

        rᵤᵢ = round(c + s zᵤᵢ + ε) clipped to the scale
        zᵤᵢ = (pᵤ·qᵢ − k) / √(3k),   ε ~ N(0, noise²)

    c is the middle of the scale, s a quarter of its width, k the rank. The entries of p and q are
    N(1, 1): a third of the variance of z is due to the user, a third to the item, a third to their
    interaction. Some users rate, and some items are rated, more often than others.

    | users | items | ratings | density | training / test |
    |---|---|---|---|---|
    | 300 | 200 | 9,000 | .1500 | 8,100 / 900 |

    by default. Side information: `number`, `group` and `tags` of each user and of each item, and
    graphs of users and of items, all made from the factors. Time and memory grow with the number of
    ratings, not with the size of the matrix.
    """

    Config = SyntheticConfig

    def __init__(self, config: SyntheticConfig) -> None:
        self.config = config

    def split(self, data_dir: Path) -> Split:  # noqa: ARG002 (needs no files)
        config, rng = self.config, np.random.default_rng(self.config.seed)
        users, items = np.divmod(_draw_cells(config, rng), config.items)
        product = np.zeros(config.ratings)
        factors = []
        for _ in range(config.rank):  # one factor at a time: no ratings × rank array
            p, q = rng.normal(1, 1, config.users), rng.normal(1, 1, config.items)
            product += p[users] * q[items]
            factors.append((p, q))
        lowest, highest = config.scale
        ratings = (product - config.rank) / np.sqrt(3 * config.rank) * (highest - lowest) / 4
        ratings += (lowest + highest) / 2 + rng.normal(0, config.noise, config.ratings)
        ratings = np.clip(np.rint(ratings), lowest, highest)

        size = min(max(round(config.test_share * config.ratings), 1), config.ratings - 1)
        test = np.zeros(config.ratings, dtype=bool)
        test[rng.permutation(config.ratings)[:size]] = True
        shape = config.users, config.items
        side = _side_information(config, [np.stack(of) for of in zip(*factors, strict=True)])
        triples = users, items, ratings
        return config.divided(divide("planted", triples, test, shape, config.scale, side=side))


def _side_information(config: SyntheticConfig, factors: Sequence[Values]) -> SideInformation:
    """Attributes and graphs that tell something of the factors.

    Args:
        config: the options.
        factors: [rank, users] and [rank, items].
    """
    of_users, of_items = factors
    return SideInformation(
        {
            "user attributes": partial(_attributes, "user", of_users, config.seed),
            "item attributes": partial(_attributes, "item", of_items, config.seed + 1),
            "user graph": partial(_graph, of_users, config.seed),
            "item graph": partial(_graph, of_items, config.seed + 1),
        }
    )


def _attributes(kind: Kind, factors: Values, seed: int) -> Attributes:
    """`number`, the first factor with noise; `group`, its quarter; `tags`, the factors above 1."""
    first = factors[0]
    noisy = np.round(first + np.random.default_rng(seed).normal(0, 0.3, len(first)), 2)
    quarters = np.searchsorted(np.quantile(first, [0.25, 0.5, 0.75]), first)
    tags = [tuple(f"t{at}" for at in np.flatnonzero(own > 1)) for own in factors.T]
    columns = {"number": noisy, "group": ["abcd"[quarter] for quarter in quarters], "tags": tags}
    return Attributes(kind, columns)


def _graph(factors: Values, seed: int) -> Graph:
    """An edge between each user, or item, and the (at most) four with the nearest factors."""
    size = factors.shape[1]
    if size == 1:
        return as_graph(np.zeros((1, 1)), "graph")
    nearest = nearest_neighbors(factors.T, min(4, size - 1), np.random.default_rng(seed))
    return symmetric(nearest)


def _draw_cells(config: SyntheticConfig, rng: np.random.Generator) -> Indices:
    """[ratings] positions user · items + item, ascending and distinct.

    Each is drawn with probability activity(user) · popularity(item) among those not yet drawn.
    Both methods below draw from this distribution: only the first can draw a full matrix, only the
    second a large one.
    """
    activity, popularity = (
        weights / weights.sum()
        for weights in (rng.lognormal(0, 0.7, size) for size in (config.users, config.items))
    )
    if 4 * config.ratings >= config.users * config.items:
        # Efraimidis and Spirakis 2006: the cells whose exponential clocks ring first.
        clocks = rng.exponential(size=(config.users, config.items))
        clocks /= activity[:, None] * popularity
        return np.sort(np.argpartition(clocks.ravel(), config.ratings - 1)[: config.ratings])

    def draw(size: int) -> Indices:
        users = rng.choice(config.users, size, p=activity)
        return users * config.items + rng.choice(config.items, size, p=popularity)

    cells = np.empty(0, dtype=np.int64)
    while len(cells) < config.ratings:
        drawn = np.append(cells, draw(config.ratings // 4 + 1 if len(cells) else config.ratings))
        first = np.unique(drawn, return_index=True)[1]
        cells = drawn[np.sort(first)]  # in the order drawn, without repeats
    return np.sort(cells[: config.ratings])
