"""A small split, predictions for its test ratings, and records of runs on it."""

from pathlib import Path

import numpy as np

import glocalk
from glocalk.cli.evaluate import EvaluateConfig
from glocalk.records.run import PROTOCOLS, ProtocolResult
from report.factory import record

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


def predictions(seed):
    """[test ratings] Predictions on the scale, in the order of the small split's test ratings."""
    ratings = small_split().test.ratings
    return np.clip(ratings + np.random.default_rng(seed).normal(0, 0.8, len(ratings)), 1, 5)


def run_of(predicted, protocols=PROTOCOLS, **names):
    """The record of a run that has predicted this for the small split."""
    split = small_split()
    test = split.test
    errors = np.bincount(test.users, (predicted - test.ratings) ** 2, test.num_users).round(6)
    result = ProtocolResult(
        training="final",
        rmse=float(np.sqrt(errors.sum() / len(test))),
        mae=float(np.abs(predicted - test.ratings).mean()),
        ndcg=0.9,
        rmse_epoch=None,
        mae_epoch=None,
        ndcg_epoch=None,
        user_errors="key",
    )
    fields = {
        "data": "synthetic",
        "split": "planted",
        "data_checksum": split.checksum,
        "user_counts": np.bincount(test.users, minlength=test.num_users).tolist(),
    }
    made = record(**fields | names)
    update = {
        "protocols": dict.fromkeys(protocols, result),
        "user_errors": {"key": errors.tolist()},
    }
    return made.model_copy(update=update)
