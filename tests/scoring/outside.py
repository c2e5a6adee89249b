"""A small split, and a table of predictions for its test ratings."""

from pathlib import Path

import numpy as np

import glocalk
from glocalk.cli.evaluate import EvaluateConfig

OPTIONS = {"users": 40, "items": 30, "ratings": 300}
DATA = {"_target_": "glocalk.data.datasets.synthetic.Synthetic", **OPTIONS}
PROTOCOL = {"valid_share": 0.05, "clip": True, "selection": "each_seed", "lowest_seed": 0}
ON_COMMAND_LINE = ["data=synthetic", *(f"data.{name}={value}" for name, value in OPTIONS.items())]


def small_split():
    return glocalk.load_split("synthetic", **OPTIONS)


def predicted_for(split, seed=0):
    """A prediction for each test rating, some of them off the scale, in another order."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 1, len(split.test))
    table = split.test.to_frame()
    table["prediction"] = (table.pop("rating") + noise).round(3)
    return table.iloc[random.permutation(len(table))].reset_index(drop=True)


def config(predictions, **changes):
    """The config of `glocalk evaluate` on the small split."""
    options = {
        **dict.fromkeys(("name", "out", "user", "item", "prediction", "header", "encoding")),
        **{"predictions": Path(predictions), "records": "none", "max_bytes": None, "decimal": "."},
        **{"data": DATA, "data_dir": "data", "protocol": PROTOCOL, **changes},
    }
    return EvaluateConfig.check(options, "")
