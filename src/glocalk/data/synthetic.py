"""Planted low-rank ratings of any size, for trials and tests that need no files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from glocalk.data.ratings import RatingMatrix
from glocalk.data.source import Source
from glocalk.data.splits import Split
from glocalk.settings import Settings


class SyntheticSettings(Settings):
    """Size and make of the planted ratings."""

    num_users: int = Field(default=300, ge=2)
    num_items: int = Field(default=200, ge=2)
    num_ratings: int = Field(default=9000, ge=20)
    rank: int = Field(default=3, ge=1)
    noise: float = Field(default=0.5, ge=0, description="standard deviation, in stars")
    test_share: float = Field(default=0.1, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> SyntheticSettings:
        if self.num_ratings > self.num_users * self.num_items / 4:
            raise ValueError("num_ratings must leave three quarters of the matrix empty")
        return self


class Synthetic(Source):
    """Ratings 1 … 5 around a planted low-rank matrix.

        rᵤᵢ = round(3.5 + aᵤ + bᵢ + pᵤ·qᵢ + ε), cut to 1 … 5

    with offsets a, b of standard deviation .4, factors whose product has .7, noise ε. Users and
    items are rated unevenly (log-normal weights). Time and memory grow with the ratings.
    """

    Config = SyntheticSettings

    def __init__(self, config: SyntheticSettings) -> None:
        self.config = config

    def split(self, data_dir: Path) -> Split:
        del data_dir  # needs no files
        config, rng = self.config, np.random.default_rng(self.config.seed)
        shape = config.num_users, config.num_items
        cells = self._cells(rng)
        users, items = cells // config.num_items, cells % config.num_items
        values = 3.5 + config.noise * rng.normal(size=len(cells))
        values += 0.4 * rng.normal(size=shape[0])[users] + 0.4 * rng.normal(size=shape[1])[items]
        scale = 0.7 / np.sqrt(config.rank)
        for _ in range(config.rank):  # one factor at a time: no ratings × rank array
            values += scale * rng.normal(size=shape[0])[users] * rng.normal(size=shape[1])[items]
        ratings = np.clip(np.rint(values), 1, 5)
        test = rng.random(len(cells)) < config.test_share
        test[:2] = True, False  # neither part is empty
        matrix = RatingMatrix(users, items, ratings, shape, (1.0, 5.0))
        return Split("planted", train=matrix.select(~test), test=matrix.select(test))

    def _cells(self, rng: np.random.Generator) -> np.ndarray:
        """Positions user · items + item of the ratings, ascending, none twice."""
        config = self.config
        bounds = [
            np.cumsum(rng.lognormal(sigma=0.7, size=size))
            for size in (config.num_users, config.num_items)
        ]
        cells = np.empty(0, dtype=np.int64)
        while len(cells) < config.num_ratings:
            draws = 2 * (config.num_ratings - len(cells)) + 100
            users, items = (
                np.searchsorted(bound, rng.random(draws) * bound[-1], side="right")
                for bound in bounds
            )
            cells = np.union1d(cells, users * config.num_items + items)
        return np.sort(rng.permutation(cells)[: config.num_ratings])
