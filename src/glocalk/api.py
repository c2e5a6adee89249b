"""Functions of the Python API: load a split, evaluate and score on it, compare completers on it."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from omegaconf import DictConfig, OmegaConf

from glocalk.completers.base import Completer
from glocalk.completers.registry import build_completer
from glocalk.config import did_you_mean
from glocalk.data.labels import as_array
from glocalk.data.rating_matrix import Values
from glocalk.data.sources import build_source
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError, shown
from glocalk.metrics import evaluate as _errors
from glocalk.run.compose import as_dict, compose
from glocalk.scoring.distributions import distribution_scores
from glocalk.scoring.order import in_test_order
from glocalk.scoring.predictions import Predictions
from glocalk.scoring.score import Score, score_predictions

_log = logging.getLogger(__name__)

Evaluated: TypeAlias = Completer | pd.DataFrame | ArrayLike


def load_split(name: str, *, data_dir: str | Path | None = None, **options: Any) -> Split:
    """A data set, divided into training and test ratings.

    Files that are missing are downloaded, as on the command line.

    Args:
        name: name of the data set, as in `data=`: `ml_100k`, `ml_1m`, `douban`, `synthetic`, …
        data_dir: folder of the data sets; the default is GLOCALK_DATA_DIR, or else `data`.
        **options: options of the data set, as in `data.fold=2`.

    Returns:
        The split; `split.train` and `split.test` are ratings under the ids of the data set, and
        `split.notes` says how a user-supplied file was read. The notes are logged too, as
        warnings where they warn.

    Raises:
        MissingDataError: a file is missing and could not be downloaded.
        GlocalkError: an unknown name or option, or a damaged file.

    Example:
        >>> import glocalk
        >>> split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
        >>> len(split.train), len(split.test)
        (270, 30)
    """
    _check_name("data", name)
    config = compose("stats", [f"data={name}"])
    chosen = _over(config.data, options)
    folder = config.data_dir if data_dir is None else data_dir
    split = build_source(chosen).split(Path(folder))
    for note in split.notes:
        _log.log(logging.WARNING if note.startswith("Warning: ") else logging.INFO, "%s", note)
    return split


def make_completer(model: str, *, data: str | None = None, **options: Any) -> Completer:
    """A completer with the hyperparameters that the command line uses.

    The defaults of a class are those of one data set. This function finds the published or
    searched hyperparameters of another, in `conf/settings/<model>/<data>.yaml`.

    Args:
        model: name of the model, as in `model=`: `glocal_k`, `svd_pp`, `u_autorec`, …
        data: name of the data set, as in `data=`; None takes the defaults of the model.
        **options: options that replace those found.

    Returns:
        A completer that is not fitted.

    Raises:
        GlocalkError: an unknown name or option, or an invalid value.

    Example:
        >>> import glocalk
        >>> glocalk.make_completer("glocal_k", data="douban").config.dot_scale
        2.0
    """
    _check_name("model", model)
    overrides = [f"model={model}"]
    if data is None:
        overrides.append("~settings")
    else:
        _check_name("data", data)
        overrides.append(f"data={data}")
    return build_completer(_over(compose("train", overrides).model, options))


def evaluate(
    model: Evaluated, split: Split, *, clip: bool = True, distribution: bool = False
) -> dict[str, float]:
    """Test errors of a fitted completer, or of predictions made elsewhere.

    Args:
        model: a completer fitted on `split.train`; or a DataFrame with the columns `user`, `item`
            and `prediction`, a row for each test rating in any order; or predictions [test
            ratings], in the order of `split.test`.
        split: the split; its test ratings are compared with the predictions.
        clip: whether predictions are clipped to the rating scale first.
        distribution: also evaluate the predictive distributions of a completer that gives them.

    Returns:
        `rmse` and `mae`, in rating units, and `ndcg`, in 0 … 1; see `glocalk.metrics`. `ndcg` is
        left out where `glocalk.metrics.why_no_ndcg` says why. With `distribution` also `nll`,
        `crps`, `coverage_80` and so on, see `glocalk.metrics.distribution`.

    Raises:
        NotFittedError: the completer is not fitted.
        GlocalkError: a test user or item is unknown to the completer, the predictions are not one
            finite number for each test rating, or there is no distribution.
    """
    predicted = _predictions(model, split)
    if clip:
        predicted = np.clip(predicted, *split.test.scale)
    errors = _errors(predicted, split.test)
    measured = {"rmse": errors.rmse, "mae": errors.mae, "ndcg": errors.ndcg}
    if distribution:
        measured |= distribution_scores(model, split).listed
    return {name: value for name, value in measured.items() if value is not None}


def score(
    predictions: Evaluated | str | Path,
    split: Split,
    *,
    name: str = "predictions",
    records: str | Path | None = None,
    variants: bool = False,
    clip: bool = True,
    groups: int | None = None,
    k: int | None = None,
) -> Score:
    """Score predictions as a run is scored, and compare them with the rows of committed records.

    Args:
        predictions: as `model` in `evaluate`; or a file of predictions, in any form that ratings
            may have.
        split: the split; a row is compared if its runs had the same ratings in the same parts.
        name: what the predictions are called.
        records: folder of the records, such as `reports/records` in a checkout of glocalk, or a
            folder of runs; None compares with nothing.
        variants: whether rows of other hyperparameters, ablations and shares of the training
            ratings are compared too.
        clip: whether predictions are clipped to the rating scale first.
        groups: also errors by activity of users and of items, in at most so many groups each, by
            rating, and on new users and items; None leaves them out.
        k: also rankings of each user's k highest predictions; None leaves them out.

    Returns:
        `rmse`, `mae`, `ndcg`, the 95 % `interval` of `rmse` over users, the number of predictions
        that were `clipped`, `notes`, and `comparisons`, a DataFrame with a line for each row. If
        they were asked for, `groups`, a DataFrame of `glocalk.metrics.errors_by_group`, and `eauc`
        of `eccentricity_area`; and `ranking`, a mapping of `ranking_at`.

    Raises:
        GlocalkError: as `evaluate` does, a file cannot be read, or a record is damaged.

    Example:
        >>> import glocalk
        >>> split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
        >>> table = split.test.to_frame().assign(prediction=3.5)
        >>> score = glocalk.score(table, split)
        >>> round(score.rmse, 4), score.clipped, len(score.comparisons)
        (1.5, 0, 0)
    """
    if isinstance(predictions, str | Path):
        _check_split(split)
        table = Predictions.of_file(Path(predictions))
        predicted = in_test_order(table, split, _title(split))
    else:
        predicted = _predictions(predictions, split)
    return score_predictions(
        predicted,
        split,
        name=name,
        data=_title(split),
        clip=clip,
        records=None if records is None else Path(records),
        variants=variants,
        groups=groups,
        k=k,
    )


def compare(
    completers: Iterable[Completer], split: Split, *, seeds: Iterable[int] = (0,)
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
        from the defaults; `seed`; `rmse`, `mae`, `ndcg`, the last one NaN where it is not defined;
        `parameters`, the number of trained parameters; `seconds` of training.

    Raises:
        GlocalkError: there is no seed, or a training fails.

    Example:
        >>> import glocalk
        >>> split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
        >>> table = glocalk.compare([glocalk.GlobalMean(), glocalk.Bias()], split)
        >>> list(table["completer"])
        ['GlobalMean()', 'Bias()']
    """
    given = _as_list(completers, Completer, "completers, as in [glocalk.Bias()]")
    wanted = _as_list(seeds, (int, np.integer), "seeds, as in [0, 1]")
    if not wanted:
        raise GlocalkError("There is no seed to compare with: give at least one, as in seeds=[0].")
    rows = []
    for completer in given:
        for seed in wanted[:1] if completer.deterministic else wanted:
            fresh = type(completer)(completer.config)
            started = time.perf_counter()
            fresh.fit(split.train, seed=seed, side=split.side)
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


def _check_name(group: str, name: str) -> None:
    """Refuse a name that `conf/<group>/` has no file for."""
    folder = resources.files("glocalk.conf") / group
    known = [entry.name.removesuffix(".yaml") for entry in folder.iterdir()]
    if name not in known:
        raise GlocalkError(f"Unknown {group} '{name}': {did_you_mean(str(name), known)}")


def _over(config: DictConfig, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a composed config, with others in place of some."""
    merged = OmegaConf.merge(OmegaConf.create(as_dict(config)), dict(options))
    assert isinstance(merged, DictConfig)
    return as_dict(merged)


def _as_list(given: Any, kind: Any, what: str) -> list[Any]:
    listed = list(given) if isinstance(given, Iterable) else [None]
    if not all(isinstance(entry, kind) for entry in listed):
        raise GlocalkError(f"compare takes a list of {what}, not {given!r}.")
    return listed


def _as_numbers(predictions: ArrayLike) -> Values:
    if isinstance(predictions, type):
        raise GlocalkError("evaluate takes a fitted completer or predictions, not a class.")
    array = as_array(predictions, "predictions")
    if array.dtype.kind not in "iuf":
        raise GlocalkError(f"The predictions must be numbers, not {array.dtype}.")
    return array.astype(np.float64)


def _check_split(split: Split) -> None:
    if not isinstance(split, Split):
        raise GlocalkError(f"The split must be a Split, not {type(split).__name__}.")


def _title(split: Split) -> str:
    return f"split '{split.name}'"


def _finite(predicted: Values, split: Split) -> Values:
    """Predictions made elsewhere; refused if one is no number."""
    wrong = ~np.isfinite(predicted)
    if wrong.any() and predicted.shape == split.test.ratings.shape:
        at, ids = int(np.argmax(wrong)), split.ids
        assert ids is not None  # a split without ids takes the indices
        user, item = ids.users[split.test.users[at]], ids.items[split.test.items[at]]
        raise GlocalkError(
            f"The prediction for user {shown(user)}, item {shown(item)} is {predicted[at]}: "
            "predictions must be finite numbers."
        )
    return predicted


def _predictions(model: Evaluated, split: Split) -> Values:
    """Unclipped predictions of the test pairs, under the ids of the split."""
    _check_split(split)
    if isinstance(model, pd.DataFrame):
        return in_test_order(Predictions.of_frame(model), split, _title(split))
    if not isinstance(model, Completer):
        return _finite(_as_numbers(model), split)
    unclipped = copy.copy(model)
    unclipped.clip = False
    test, ids = split.test, split.ids
    assert ids is not None  # a split without ids takes the indices
    return unclipped.predict(ids.users[test.users], ids.items[test.items])
