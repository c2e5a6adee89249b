"""Search for a model's hyperparameters on held-out training ratings.

The test ratings are not handed over: a trial's "test" set is the held-out part.
"""

from __future__ import annotations

import logging
import math
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from filelock import FileLock

from glocalk.completers.registry import build_completer
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.metrics import Errors
from glocalk.names import inside, refuse_links
from glocalk.records.identity import search_identity
from glocalk.records.search import Search, Trial
from glocalk.run import provenance
from glocalk.run.config import RunConfig
from glocalk.run.execute import train_once
from glocalk.run.space import flat_space, value_of, with_values
from glocalk.run.threads import set_threads

if TYPE_CHECKING:
    import optuna

    from glocalk.run.study import Study

_log = logging.getLogger(__name__)


def search(config: RunConfig, space: Mapping[str, Any], trials: int) -> Search:
    """Make the trials that are missing, and write the record after each.

    A search that was killed continues: it proposes and prunes as it would have uninterrupted.

    Args:
        config: config of the run that the trials vary.
        space: choices for options under `model`, nested as the options are; see `Space`.
        trials: number of trials in all.

    Raises:
        GlocalkError: optuna is missing, the space names an unknown option or is not a space, or
            the disk is full.
    """
    _require_optuna()
    set_threads(config.trainer.threads, _folder(config) / "threads")
    task = _Task.of(config, space)
    try:
        return _search(task, trials)
    except OSError as error:
        raise GlocalkError(
            f"The search in '{task.folder}' stopped, because it cannot write ({error.strerror}): "
            "free disk space or choose another folder with runs_dir=…, then start it again; it "
            "continues after its last trial."
        ) from error


def _search(task: _Task, trials: int) -> Search:
    task.folder.mkdir(parents=True, exist_ok=True)
    refuse_links(task.folder, task.path.name)
    with FileLock(task.folder / ".lock"):
        held = task.held_record(trials)
        if held is not None:
            return held
        study = task.study()
        while len(study.trials) < trials:
            asked, options = study.ask()
            made = task.try_(options, asked)
            study.tell(asked, made)
            task.record(study).write(task.path)
            _log.info("Trial %d of %d: %s", len(study.trials), trials, describe(made))
        record = task.record(study)
        record.write(task.path)
        return record


def held_out_rmse(config: RunConfig) -> float:
    """The RMSE over the held-out training ratings after a training without them.

    It is what a trial of a search gives, and the lowest of the last stage's epochs.

    Raises:
        GlocalkError: the training fails.
    """
    watch = _Watch(None)
    split = _without_test(config.split(), config)
    with tempfile.TemporaryDirectory(prefix=".held_out-", dir=config.runs_dir) as folder:
        train_once(config, split, Path(folder), [watch])
    return watch.rmse


def describe(trial: Trial) -> str:
    """A trial on one line."""
    rmse = "–" if trial.valid_rmse is None else f"{trial.valid_rmse:.4f}"
    at = f" at epoch {trial.epoch}" if trial.epoch else ""
    return f"{trial.tried}: validation RMSE {rmse}{at} ({trial.state}, {trial.seconds:.0f} s)"


def _folder(config: RunConfig) -> Path:
    return inside(config.runs_dir, "searches", f"{config.data_name}-{config.model_name}")


@dataclass
class _Task:
    """A search: its config, its data, its folder and its record without trials."""

    config: RunConfig
    split: Split
    folder: Path
    blank: Search

    @classmethod
    def of(cls, config: RunConfig, nested_space: Mapping[str, Any]) -> _Task:
        completer = build_completer(config.model)
        source = f"conf/search/{config.model_name}.yaml"
        of_data = f"conf/search_on/{config.data_name}/{config.model_name}.yaml"
        space = flat_space(nested_space, config.model_options, source, of_data)
        split = config.split()
        split.side.check(completer.needs, split.train.shape, f"model={config.model_name}")
        checksum = split.checksum_with(completer.needs)
        commit, dirty = provenance.commit()
        blank = Search(
            data=config.data_name,
            model=config.model_name,
            seed=config.seed,
            config=config.identity,
            space=space,
            identity=search_identity(
                config.identity, space, config.seed, checksum, completer.model_version
            ),
            data_checksum=checksum,
            model_version=completer.model_version,
            commit=commit,
            dirty=dirty,
            versions=provenance.versions(),
            threads=torch.get_num_threads(),
            trials=[],
        )
        return cls(config, split, _folder(config), blank)

    @property
    def path(self) -> Path:
        return self.folder / "search.json"

    @property
    def journal(self) -> Path:
        return self.folder / "journal.log"

    def held_record(self, trials: int) -> Search | None:
        """The record of this search, if it has so many trials already.

        Raises:
            GlocalkError: the existing record is damaged or of another schema.
        """
        if self.config.force or not self.path.exists():
            return None
        held = Search.read(self.path)
        is_this = held.identity == self.blank.identity
        return held if is_this and len(held.trials) >= trials else None

    def study(self) -> Study:
        """The study that the search continues; a new one with `force`."""
        from glocalk.run.study import Study

        if self.config.force:
            self.journal.unlink(missing_ok=True)
        options, space = self.config.model_options, self.blank.space
        return Study(
            self.journal,
            self.blank.identity,
            space,
            start={name: value_of(options, name) for name in space},
            seed=self.config.seed,
            warmup_epochs=sum(build_completer(self.config.model).schedule.values()) // 3,
        )

    def record(self, study: Study) -> Search:
        """The record with the trials made so far."""
        return self.blank.model_copy(update={"trials": study.trials})

    def try_(self, options: dict[str, Any], asked: optuna.Trial) -> Trial:
        """Train with `options` on the ratings not held out; evaluate on the held-out ones."""
        model = {
            "_target_": self.config.model["_target_"],
            **with_values(self.config.model_options, options),
        }
        config = self.config.model_copy(update={"model": model})
        evaluated = _without_test(self.split, config)
        watch = _Watch(asked)
        folder = self.folder / "training"
        shutil.rmtree(folder, ignore_errors=True)
        started = time.perf_counter()
        state: Literal["done", "pruned", "failed"] = "done"
        try:
            train_once(config, evaluated, folder, [watch])
        except _PrunedError:
            state = "pruned"
        except GlocalkError as error:
            _log.warning("%s", error)
            state = "failed"
        shutil.rmtree(folder, ignore_errors=True)
        return Trial(
            options=options,
            state=state,
            valid_rmse=watch.rmse if state != "failed" else None,
            epoch=watch.epoch,
            seconds=round(time.perf_counter() - started, 1),
        )


def _without_test(split: Split, config: RunConfig) -> Split:
    """The split in which the held-out part of the training ratings takes the place of the test."""
    kept = split.keep(config.train_share, config.seed)
    held_out = kept.hold_out(config.protocol.valid_share, config.seed)
    assert held_out.valid is not None
    return replace(held_out, test=held_out.valid, valid=None)


class _PrunedError(Exception):
    """Ends a training that the pruner stops."""


class _Watch:
    """A listener that keeps the lowest error of the last stage and ends a pruned training.

    Args:
        asked: the trial that may be pruned, if any.
    """

    def __init__(self, asked: optuna.Trial | None) -> None:
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
        if self.asked is None:
            return
        self.step += 1
        self.asked.report(test.rmse, self.step)
        if epoch is not None and self.asked.should_prune():
            raise _PrunedError


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise GlocalkError(
            "A search needs optuna: pip install 'glocalk[tune]', then start it again."
        ) from error
