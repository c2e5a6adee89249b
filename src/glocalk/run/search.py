"""Search for a model's settings on held-out training ratings.

The tree of optuna's estimators proposes, and a training is cut short where, at the same epoch, it
is worse than the median of those before. The test ratings are not handed over: a trial's "test"
set is the held-out part.
"""

from __future__ import annotations

import copy
import logging
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock

from glocalk.completers.registry import build_completer
from glocalk.data.sources import build_source
from glocalk.errors import GlocalkError
from glocalk.metrics import Errors
from glocalk.records.identity import search_identity
from glocalk.records.search import Search, Trial
from glocalk.run import provenance
from glocalk.run.config import RunConfig
from glocalk.run.execute import quieten_lightning, train_once

if TYPE_CHECKING:
    import optuna

_log = logging.getLogger(__name__)

# The first trial is the settings as they stand; so many after it are drawn at random.
_RANDOM_TRIALS = 5


def search(settings: RunConfig, space: Mapping[str, Any], trials: int) -> Search:
    """Make the trials that are missing, and keep the record up to date after each.

    Args:
        settings: of the run that the trials vary.
        space: for options under `model`, nested as they are: a list of values to choose from, or
            a range {low, high} or {low, high, log}, whole numbers where both ends are.
        trials: how many in all.

    Raises:
        GlocalkError: optuna is missing, or the space names an unknown option or is no space.
    """
    optuna = _import_optuna()
    quieten_lightning()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    task = _Task.of(settings, dict(_leaves(space)))
    task.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(task.folder / ".lock"):
        record = task.held_record()
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(
                seed=settings.seed, n_startup_trials=_RANDOM_TRIALS + 1
            ),
            pruner=optuna.pruners.MedianPruner(
                n_startup_trials=_RANDOM_TRIALS - 1, n_warmup_steps=task.epochs // 3
            ),
        )
        study.enqueue_trial({name: task.standing(name) for name in task.space})
        for number in range(trials):
            asked = study.ask()
            options = {name: _suggest(asked, name, choice) for name, choice in task.space.items()}
            # What was tried before a stop is proposed again, and told rather than trained.
            known = record.trials[number] if number < len(record.trials) else None
            made = known if known and known.options == options else task.try_(options, asked)
            study.tell(asked, *_told(made, optuna))
            record = record.model_copy(
                update={"trials": [*record.trials[:number], made, *record.trials[number + 1 :]]}
            )
            record.write(task.path)
            _log.info("Trial %d of %d: %s", number + 1, trials, describe(made))
    return record


def describe(trial: Trial) -> str:
    """A trial on one line."""
    rmse = "–" if trial.valid_rmse is None else f"{trial.valid_rmse:.4f}"
    at = f" at epoch {trial.epoch}" if trial.epoch else ""
    return f"{trial.tried}: validation RMSE {rmse}{at} ({trial.state}, {trial.seconds:.0f} s)"


@dataclass
class _Task:
    """A search and where it lies."""

    settings: RunConfig
    space: dict[str, Any]
    folder: Path
    blank: Search

    @classmethod
    def of(cls, settings: RunConfig, space: dict[str, Any]) -> _Task:
        completer = build_completer(settings.model)
        if not space:
            raise GlocalkError(f"conf/search/{settings.model_name}.yaml names no option to try.")
        for name, choice in space.items():
            _get(settings.model, name)
            _check_choice(name, choice)
        checksum = build_source(settings.data).split(settings.data_dir).checksum
        commit, dirty = provenance.commit()
        blank = Search(
            data=settings.data_name,
            model=settings.model_name,
            seed=settings.seed,
            config=settings.identity,
            space=space,
            identity=search_identity(
                settings.identity, space, settings.seed, checksum, completer.model_version
            ),
            data_checksum=checksum,
            model_version=completer.model_version,
            commit=commit,
            dirty=dirty,
            versions=provenance.versions(),
            threads=torch.get_num_threads(),
            trials=[],
        )
        name = f"{settings.data_name}-{settings.model_name}"
        return cls(settings, space, settings.runs_dir / "searches" / name, blank)

    @property
    def path(self) -> Path:
        return self.folder / "search.json"

    @property
    def epochs(self) -> int:
        return sum(build_completer(self.settings.model).schedule.values())

    def held_record(self) -> Search:
        """What an earlier start of this search left, or a blank record."""
        if self.path.exists() and not self.settings.force:
            held = Search.read(self.path)
            if held.identity == self.blank.identity:
                return held
        return self.blank

    def standing(self, name: str) -> Any:
        return _get(self.settings.model, name)

    def try_(self, options: dict[str, Any], asked: optuna.Trial) -> Trial:
        """Train with `options`, on the training ratings less those that judge."""
        settings = self.settings
        model = copy.deepcopy(settings.model)
        for name, value in options.items():
            _set(model, name, value)
        settings = settings.model_copy(update={"model": model})
        split = build_source(settings.data).split(settings.data_dir)
        held_out = split.hold_out(settings.protocol.valid_share, settings.seed)
        assert held_out.valid is not None
        judged = replace(held_out, test=held_out.valid, valid=None)
        watch = _Watch(asked)
        folder = self.folder / "training"
        shutil.rmtree(folder, ignore_errors=True)
        started = time.perf_counter()
        state = "done"
        try:
            train_once(settings, judged, folder, [watch])
        except _PrunedError:
            state = "pruned"
        except GlocalkError as error:
            _log.warning("%s", error)
            state = "failed"
        shutil.rmtree(folder, ignore_errors=True)
        return Trial(
            options=options,
            state=state,  # type: ignore[arg-type]
            valid_rmse=watch.rmse if state != "failed" else None,
            epoch=watch.epoch,
            seconds=round(time.perf_counter() - started, 1),
        )


class _PrunedError(Exception):
    """A training that is not worth its time."""


class _Watch:
    """A listener that keeps the last stage's least error, and ends a training that lags."""

    def __init__(self, asked: optuna.Trial) -> None:
        self.asked = asked
        self.rmse, self.stage = math.inf, ""
        self.epoch: int | None = None
        self.step = 0

    def epoch_ended(
        self, stage: str, epoch: int | None, test: Errors, valid: Errors | None
    ) -> None:
        del valid
        if stage != self.stage:
            self.rmse, self.stage = math.inf, stage
        if test.rmse < self.rmse:
            self.rmse, self.epoch = test.rmse, epoch
        self.step += 1
        self.asked.report(test.rmse, self.step)
        if epoch is not None and self.asked.should_prune():
            raise _PrunedError


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise GlocalkError(
            "A search needs optuna: pip install 'glocalk[tune]', then start it again."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _told(trial: Trial, optuna: Any) -> tuple[float | None, Any]:
    states = optuna.trial.TrialState
    state = {"done": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[trial.state]
    return (trial.valid_rmse if trial.state == "done" else None), state


def _leaves(space: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, choice) of each option in a nested space."""
    for name, choice in space.items():
        if isinstance(choice, Mapping) and "low" not in choice:
            yield from _leaves(choice, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", choice


def _check_choice(name: str, choice: Any) -> None:
    if isinstance(choice, list) and choice:
        return
    if (
        isinstance(choice, Mapping)
        and {"low", "high"} <= choice.keys() <= {"low", "high", "log"}
        and choice["low"] < choice["high"]
    ):
        return
    raise GlocalkError(
        f"The search over '{name}' cannot be {choice!r}: give a list of values, or "
        "{low: …, high: …} with low < high, perhaps with log: true."
    )


def _suggest(asked: optuna.Trial, name: str, choice: Any) -> Any:
    if isinstance(choice, list):
        return asked.suggest_categorical(name, choice)
    low, high, log = choice["low"], choice["high"], choice.get("log", False)
    if isinstance(low, int) and isinstance(high, int):
        return asked.suggest_int(name, low, high, log=log)
    return asked.suggest_float(name, low, high, log=log)


def _get(options: Mapping[str, Any], name: str) -> Any:
    found: Any = options
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise GlocalkError(f"The search names an option that the model lacks: '{name}'.")
        found = found[part]
    return found


def _set(options: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        options = options[part]
    options[last] = value
