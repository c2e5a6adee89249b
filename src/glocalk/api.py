"""Functions of the Python API: load a split, evaluate on it, compare completers on it."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from omegaconf import OmegaConf

from glocalk.completers.base import Completer
from glocalk.config import did_you_mean
from glocalk.data.labeled import Ratings
from glocalk.data.ratings import RatingMatrix, Values
from glocalk.data.sources import build_source
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.metrics import evaluate as _errors


def load_split(name: str, *, data_dir: str | Path | None = None, **options: Any) -> Split:
    """A data set, divided into training and test ratings.

    Files that are missing are downloaded, as on the command line.

    Args:
        name: name of the data set, as in `data=`: `ml_100k`, `ml_1m`, `douban`, `synthetic`, …
        data_dir: folder of the data sets; the default is GLOCALK_DATA_DIR, or else `data`.
        **options: options of the data set, as in `data.fold=2`.

    Returns:
        The split; `split.train` and `split.test` are ratings under the ids of the data set.

    Raises:
        MissingDataError: a file is missing and could not be downloaded.
        GlocalkError: an unknown name or option, or a damaged file.

    Example:
        >>> import glocalk
        >>> split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
        >>> len(split.train), len(split.test)
        (270, 30)
    """
    folder = resources.files("glocalk.conf") / "data"
    known = [entry.name.removesuffix(".yaml") for entry in folder.iterdir()]
    if name not in known:
        raise GlocalkError(f"Unknown data '{name}': {did_you_mean(name, known)}")
    config = OmegaConf.create((folder / f"{name}.yaml").read_text(encoding="utf-8"))
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    named = {str(option): value for option, value in plain.items()}
    if data_dir is None:
        data_dir = os.environ.get("GLOCALK_DATA_DIR", "data")
    return build_source({**named, **options}).split(Path(data_dir))


def evaluate(model: Completer | ArrayLike, split: Split, *, clip: bool = True) -> dict[str, float]:
    """Test errors of a fitted completer, or of predictions made elsewhere.

    Args:
        model: a completer fitted on `split.train`; or predictions [test ratings], in the order of
            `split.test`.
        split: the split; its test ratings are compared with the predictions.
        clip: whether predictions are clipped to the rating scale first.

    Returns:
        `rmse` and `mae`, in rating units, and `ndcg`, in 0 … 1; see `glocalk.metrics`. `ndcg` is
        left out where it is not defined.

    Raises:
        NotFittedError: the completer is not fitted.
        GlocalkError: a test user or item is unknown to the completer, or the predictions are not
            one finite number for each test rating.
    """
    if isinstance(model, Completer):
        predicted = _predictions(model, split.test)
    else:
        predicted = np.asarray(model, dtype=np.float64)
    if clip:
        predicted = np.clip(predicted, *split.test.scale)
    errors = _errors(predicted, split.test)
    measured = {"rmse": errors.rmse, "mae": errors.mae, "ndcg": errors.ndcg}
    return {name: value for name, value in measured.items() if value is not None}


def compare(
    completers: Iterable[Completer], split: Split, *, seeds: Sequence[int] = (0,)
) -> pd.DataFrame:
    """Fit completers on one split and compare their test errors after the last epoch.

    Each completer is fitted afresh for each seed, a deterministic one for the first seed only;
    those given are left as they are.

    Args:
        completers: what to compare, fitted or not.
        split: the split to fit and to evaluate on.
        seeds: seeds of the trainings.

    Returns:
        One row for each completer and seed: `completer`, its name with the options that differ
        from the defaults; `seed`; `rmse`, `mae`, `ndcg`; `parameters`, the number of trained
        parameters; `seconds` of training.

    Raises:
        GlocalkError: there is no seed, or a training fails.

    Example:
        >>> import glocalk
        >>> split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
        >>> table = glocalk.compare([glocalk.GlobalMean(), glocalk.Bias()], split)
        >>> list(table["completer"])
        ['GlobalMean()', 'Bias()']
    """
    if not seeds:
        raise GlocalkError("There is no seed to compare with: give at least one, as in seeds=[0].")
    rows = []
    for completer in completers:
        for seed in seeds[:1] if completer.deterministic else seeds:
            fresh = type(completer)(completer.config)
            started = time.perf_counter()
            fresh.fit(split.train, seed=seed)
            seconds = time.perf_counter() - started
            rows.append(
                {
                    "completer": repr(fresh),
                    "seed": seed,
                    **evaluate(fresh, split),
                    "parameters": fresh.num_parameters,
                    "seconds": round(seconds, 3),
                }
            )
    columns = ["completer", "seed", "rmse", "mae", "ndcg", "parameters", "seconds"]
    return pd.DataFrame(rows, columns=columns)


def _predictions(model: Completer, test: RatingMatrix) -> Values:
    """Unclipped predictions of the test pairs, under the ids of the data if there are some."""
    unclipped = copy.copy(model)
    unclipped.clip = False
    if isinstance(test, Ratings):
        return unclipped.predict(test.ids.users[test.users], test.ids.items[test.items])
    return unclipped.predict(test.users, test.items)
