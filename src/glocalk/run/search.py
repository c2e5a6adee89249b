"""Search for a model's hyperparameters on held-out training ratings.

The test ratings are not handed over: a trial's "test" set is the held-out part.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock

from glocalk.completers.registry import build_completer, completer_class
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from glocalk.names import inside, refuse_links
from glocalk.records.identity import search_identity
from glocalk.records.search import PLAIN_SEARCH, Budget, Search, Trial, ended
from glocalk.run import provenance
from glocalk.run.config import RunConfig
from glocalk.run.space import Space, flat_space, value_of
from glocalk.run.threads import set_threads
from glocalk.run.trial import make_trial, without_test

if TYPE_CHECKING:
    from glocalk.run.study import Study


_log = logging.getLogger(__name__)

_RECORD = "search.json"


def search(
    config: RunConfig, space: Mapping[str, Any], budget: Budget, valid_seed: int | None = None
) -> Search:
    """Make the trials that are missing, and write the record after each.

    A search that was killed continues: it proposes and prunes as it would have uninterrupted. With
    more hours, a trial that ran out of time is made again.

    Args:
        config: config of the run that the trials vary.
        space: choices for options under `model`, nested as the options are; see `Space`.
        budget: number of trials in all, and the hours that they may take together.
        valid_seed: seed of the choice of held-out ratings; None takes that of the run.

    Raises:
        GlocalkError: optuna is missing, the space names an unknown option or is not a space, or
            the disk is full.
    """
    _require_optuna()
    choices = _space(config, space)  # a wrong one is refused before the data is read
    set_threads(config.trainer.threads, _folder(config) / "threads")
    task = _Task.of(config, choices, budget, valid_seed, config.split())
    try:
        return _search(task)
    except OSError as error:
        raise GlocalkError(
            f"The search in '{task.folder}' stopped, because it cannot write ({error.strerror}): "
            "free disk space or choose another folder with runs_dir=…, then start it again; it "
            "continues after its last trial."
        ) from error


def held_search(
    config: RunConfig,
    space: Mapping[str, Any],
    budget: Budget,
    valid_seed: int | None,
    checksum: str,
    committed: Path,
) -> Search | None:
    """The record of a search that has spent its budget: in the runs folder, or the committed one.

    Args:
        config: as in `search`.
        space: as in `search`.
        budget: as in `search`.
        valid_seed: as in `search`.
        checksum: that of the data.
        committed: path of the committed search over this model on this data, if there is one.

    Raises:
        GlocalkError: the space is wrong, or a record is damaged or of another schema.
    """
    identity = _identity(config, _space(config, space), checksum, valid_seed)
    for path in (_folder(config) / _RECORD, committed):
        held = Search.read(path) if path.exists() else None
        if held is not None and held.identity == identity and budget.is_spent(held.trials):
            return held
    return None


def _search(task: _Task) -> Search:
    task.folder.mkdir(parents=True, exist_ok=True)
    refuse_links(task.folder, task.path.name)
    budget = task.blank.budget
    assert budget is not None
    with FileLock(task.folder / ".lock"):
        held = task.held_record()
        if held is not None:
            return held
        study = task.study()
        while not budget.is_spent(study.trials):
            asked, options = study.ask()
            left = budget.seconds_left(ended(study.trials))
            made = make_trial(
                task.config, task.split, options, task.folder / "training", asked, left
            )
            study.tell(asked, made)
            task.record(study).write(task.path)
            _log.info("Trial %d of %d: %s", len(study.trials), budget.trials, describe(made))
        record = task.record(study)
        record.write(task.path)
        return record


def describe(trial: Trial) -> str:
    """A trial on one line."""
    rmse = "–" if trial.valid_rmse is None else f"{trial.valid_rmse:.4f}"
    at = f" at epoch {trial.epoch}" if trial.epoch else ""
    state = trial.state.replace("_", " ")
    return f"{trial.tried}: validation RMSE {rmse}{at} ({state}, {trial.seconds:.0f} s)"


def _space(config: RunConfig, nested: Mapping[str, Any]) -> Space:
    source = f"conf/search/{config.model_name}.yaml"
    of_data = f"conf/search_on/{config.data_name}/{config.model_name}.yaml"
    return flat_space(nested, config.model_options, source, of_data)


def _identity(config: RunConfig, space: Space, checksum: str, valid_seed: int | None) -> str:
    version = completer_class(config.model).model_version
    return search_identity(config.identity, space, config.seed, checksum, version, valid_seed)


def _folder(config: RunConfig) -> Path:
    of_experiment = () if config.experiment == PLAIN_SEARCH else (config.experiment,)
    name = f"{config.data_name}-{config.model_name}"
    return inside(config.runs_dir, "searches", *of_experiment, name)


@dataclass
class _Task:
    """A search: its config, its data, its folder and its record without trials.

    The test ratings of its `split` are the held-out ones.
    """

    config: RunConfig
    split: Split
    folder: Path
    blank: Search

    @classmethod
    def of(
        cls,
        config: RunConfig,
        space: Space,
        budget: Budget,
        valid_seed: int | None,
        split: Split,
    ) -> _Task:
        """Check the data against the needs of the model."""
        completer = build_completer(config.model)
        split.side.check(completer.needs, split.train.shape, f"model={config.model_name}")
        checksum = split.checksum_with(completer.needs)
        commit, dirty = provenance.commit()
        blank = Search(
            data=config.data_name,
            model=config.model_name,
            seed=config.seed,
            valid_seed=valid_seed,
            budget=budget,
            config=config.identity,
            space=space,
            identity=_identity(config, space, checksum, valid_seed),
            data_checksum=checksum,
            model_version=completer.model_version,
            commit=commit,
            dirty=dirty,
            versions=provenance.versions(),
            threads=torch.get_num_threads(),
            trials=[],
        )
        seed = config.seed if valid_seed is None else valid_seed
        return cls(config, without_test(split, config, seed), _folder(config), blank)

    @property
    def path(self) -> Path:
        return self.folder / _RECORD

    @property
    def journal(self) -> Path:
        return self.folder / "journal.log"

    def held_record(self) -> Search | None:
        """The record of this search in the runs folder, if it has spent this budget already.

        Raises:
            GlocalkError: the existing record is damaged or of another schema.
        """
        if self.config.force or not self.path.exists():
            return None
        held, budget = Search.read(self.path), self.blank.budget
        assert budget is not None
        is_this = held.identity == self.blank.identity
        return held if is_this and budget.is_spent(held.trials) else None

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


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise GlocalkError(
            "A search needs optuna: pip install 'glocalk[tune]', then start it again."
        ) from error
