"""One training of a search: on the training ratings without the held-out ones, judged by these."""

from __future__ import annotations

import logging
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from glocalk.completers.registry import build_completer
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError, TrainerError
from glocalk.metrics import Errors
from glocalk.records.search import Trial
from glocalk.run.config import RunConfig
from glocalk.run.revealing import RevealedSplit
from glocalk.run.space import with_values
from glocalk.run.trainings import train_once

if TYPE_CHECKING:
    import optuna

_log = logging.getLogger(__name__)


def make_trial(
    config: RunConfig,
    split: Split,
    options: dict[str, Any],
    folder: Path,
    asked: optuna.Trial,
    seconds_left: Callable[[], float],
) -> Trial:
    """Train once with other options of the model.

    Args:
        config: config of the run that is varied.
        split: what `without_test` returned.
        options: dotted names under `model`, and their values.
        folder: folder of the training; nothing is left in it.
        asked: the trial, which may be pruned.
        seconds_left: the time that the training may take; once it has taken more, it is ended at
            the next end of an epoch.

    Raises:
        TrainerError: no training can be made here with the options of the Trainer.
    """
    model = {"_target_": config.model["_target_"], **with_values(config.model_options, options)}
    varied = config.model_copy(update={"model": model})
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    watch = _Watch(asked, seconds_left)
    state: Literal["done", "pruned", "failed", "out_of_time"] = "done"
    try:
        watch.expect(build_completer(model).schedule)
        train_once(varied, split, folder, [watch])
    except _PrunedError:
        state = "pruned"
    except _OutOfTimeError:
        state = "out_of_time"
    except TrainerError:  # of no trial: the search can go on where there is such a device
        raise
    except GlocalkError as error:
        _log.warning("%s", error)
        state = "failed"
    shutil.rmtree(folder, ignore_errors=True)
    return Trial(
        options=options,
        state=state,
        valid_rmse=watch.rmse if state != "failed" else None,
        epoch=watch.epoch,
        # Rounded up: a training that was ended has spent what was left, and no trial takes nothing.
        seconds=math.ceil(1000 * (time.perf_counter() - started)) / 1000,
    )


def held_out_rmse(config: RunConfig) -> float:
    """The RMSE over the held-out training ratings after a training without them.

    It is what a trial of a search gives, and the lowest of the last stage's epochs.

    Raises:
        GlocalkError: the training fails.
    """
    watch = _Watch()
    split = without_test(config.split(), config, config.seed)
    with tempfile.TemporaryDirectory(prefix=".held_out-", dir=config.runs_dir) as folder:
        train_once(config, split, Path(folder), [watch])
    return watch.rmse


def without_test(split: Split, config: RunConfig, valid_seed: int) -> Split:
    """The split in which the held-out part of the training ratings takes the place of the test.

    Args:
        split: the split of the data.
        config: says which shares of the training ratings are kept and held out.
        valid_seed: seed of the choice of held-out ratings.

    Raises:
        GlocalkError: revealed ratings are to be folded in, which a training alone does not do.
    """
    if isinstance(split, RevealedSplit):
        raise GlocalkError(
            "Held-out training ratings judge a training without a fold-in: leave "
            "protocol.fold_in=true out; the revealed ratings are then trained on."
        )
    kept = split.keep(config.train_share, config.seed)
    held_out = kept.hold_out(config.protocol.valid_share, valid_seed)
    assert held_out.valid is not None
    return replace(held_out, test=held_out.valid, valid=None)


class _PrunedError(Exception):
    """Ends a training that the pruner stops."""


class _OutOfTimeError(Exception):
    """Ends a training that would spend more than the search may."""


class _Watch:
    """A listener that keeps the lowest error of the last stage, and ends a training early.

    Args:
        asked: the trial that may be pruned, if any.
        seconds_left: the time that the training may take, unless its last epoch has ended.
    """

    def __init__(
        self,
        asked: optuna.Trial | None = None,
        seconds_left: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self.asked, self.seconds_left = asked, seconds_left
        self.started = time.perf_counter()
        self.rmse, self.stage = math.inf, ""
        self.epoch: int | None = None
        self.epochs_left = self.step = 0

    def expect(self, schedule: Mapping[str, int]) -> None:
        """Tell it the number of epochs of each stage, of which the last is not ended early."""
        self.epochs_left = sum(schedule.values())

    def epoch_ended(
        self, stage: str, epoch: int | None, test: Errors, valid: Errors | None
    ) -> None:
        del valid
        if stage != self.stage:
            self.rmse, self.stage = math.inf, stage
        if test.rmse < self.rmse:
            self.rmse, self.epoch = test.rmse, epoch
        self.step += 1
        self.epochs_left -= 1
        if self.asked is None:
            return
        self.asked.report(test.rmse, self.step)
        if epoch is None:
            return
        if self.asked.should_prune():
            raise _PrunedError
        if self.epochs_left > 0 and time.perf_counter() - self.started > self.seconds_left():
            raise _OutOfTimeError
