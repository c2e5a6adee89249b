"""Ratings by a formula: user u rates item i where u + 2 i is a multiple of 3."""

import numpy as np

from glocalk.config import BaseConfig
from glocalk.data.sources import Source, divide


class MyDataConfig(BaseConfig):
    users: int = 40
    items: int = 25


class MyData(Source):
    Config = MyDataConfig

    def __init__(self, config):
        self.config = config

    def split(self, data_dir):
        del data_dir  # no files
        shape = self.config.users, self.config.items
        users, items = np.indices(shape).reshape(2, -1)
        rated = (users + 2 * items) % 3 == 0
        users, items = users[rated], items[rated]
        ratings = 1.0 + (7 * users + 3 * items) % 5
        return divide("mine", (users, items, ratings), (users + items) % 7 == 0, shape, (1, 5))
