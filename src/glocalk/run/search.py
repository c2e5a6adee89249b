"""Search for a model's hyperparameters on held-out training ratings.

The test ratings are not handed over: a trial's "test" set is the held-out part.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from glocalk import stopping
from glocalk.errors import GlocalkError
from glocalk.names import refuse_links
from glocalk.records.search import Budget, Search, Trial, ended
from glocalk.run.config import RunConfig
from glocalk.run.folder import acquired
from glocalk.run.search_task import RECORD, Task, folder_of, identity_of, space_of
from glocalk.run.threads import set_threads
from glocalk.run.trial import make_trial

_log = logging.getLogger(__name__)

_WAIT = 1.0  # seconds


@dataclass(frozen=True)
class Storage:
    """A database in which several processes share a search.

    Attributes:
        url: as SQLAlchemy and optuna have it: `sqlite:///study.db`, `postgresql://…`.
        name: of the study; None for one that identifies data, model, space, seed and budget.
    """

    url: str
    name: str | None = None


def search(
    config: RunConfig,
    space: Mapping[str, Any],
    budget: Budget,
    valid_seed: int | None = None,
    storage: Storage | None = None,
) -> Search:
    """Make the trials that are missing, and write the record after each.

    A search that was killed continues: it proposes and prunes as it would have uninterrupted. With
    more hours, a trial that ran out of time is made again. No options are tried twice: a search
    over lists and ranges of integers ends when all their combinations have been tried.

    Args:
        config: config of the run that the trials vary.
        space: choices for options under `model`, nested as the options are; see `Space`.
        budget: number of trials in all, and the hours that they may take together.
        valid_seed: seed of the choice of held-out ratings; None takes that of the run. It has no
            effect where the split itself chooses them, which a warning says.
        storage: where several processes share the search: they make its trials together, and each
            returns when all are made. None keeps it in the runs folder, for one process.

    Raises:
        GlocalkError: optuna is missing, the space names an unknown option or is not a space, the
            disk is full, this machine cannot make the Trainer, or the storage cannot be used or
            holds another search of that name.
    """
    _require_optuna()
    choices = space_of(config, space)  # a wrong one is refused before the data is read
    set_threads(config.trainer.threads, folder_of(config) / "threads")
    task = Task.of(config, choices, budget, valid_seed, config.split())
    if task.warning:
        _log.warning("%s", task.warning)
    try:
        return _search(task) if storage is None else _search_together(task, storage)
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
    """The record of a search with nothing left to try: in the runs folder, or the committed one.

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
    identity = identity_of(config, space_of(config, space), checksum, valid_seed)
    for path in (folder_of(config) / RECORD, committed):
        held = Search.read(path) if path.exists() else None
        if held is not None and held.identity == identity and held.has_spent(budget):
            return held
    return None


def _search(task: Task) -> Search:
    task.folder.mkdir(parents=True, exist_ok=True)
    refuse_links(task.folder, task.path.name)
    budget = task.blank.budget
    assert budget is not None
    with acquired(task.folder / ".lock", task.title):
        held = task.held_record()
        if held is not None:
            return held
        study = task.study()
        while not task.record(study).has_spent(budget):
            asked, options = study.ask()
            left = budget.seconds_left(ended(study.trials))
            made = make_trial(
                task.config,
                task.split,
                options,
                task.folder / "training",
                asked,
                partial(float, left),
            )
            study.tell(asked, made)
            task.record(study).write(task.path)
            _log.info("Trial %d of %d: %s", len(study.trials), budget.trials, describe(made))
        record = task.record(study)
        record.write(task.path)
        return record


def _search_together(task: Task, storage: Storage) -> Search:
    """The search in a storage; the record is written once, of the trials of all processes."""
    from glocalk.run.shared_study import shared_study

    if task.config.force:
        raise GlocalkError(
            "force=true would take a search away from other processes: give the new one a "
            "study_name=…"
        )
    task.folder.mkdir(parents=True, exist_ok=True)
    refuse_links(task.folder, task.path.name)
    budget, config = task.blank.budget, task.config
    assert budget is not None
    with acquired(task.folder / ".lock", task.title):
        held = task.held_record()
    if held is not None:
        return held
    with shared_study(storage.url, storage.name or task.study_name, task.blank) as study:
        study.start(**task.of_study)
        while not study.is_complete:
            stopping.safe_point()
            claimed = study.ask()
            if claimed is None:
                time.sleep(_WAIT)  # until the last trials of others have ended
                continue
            asked, options = claimed
            with study.making(asked), TemporaryDirectory(dir=task.folder, prefix=".trial-") as own:
                left = partial(study.seconds_left, asked.number)
                made = make_trial(config, task.split, options, Path(own) / "training", asked, left)
                study.tell(asked, made)
                _log.info("Trial %d of %d: %s", len(study.trials), budget.trials, describe(made))
        record = task.blank.model_copy(update={"trials": study.trials})
    with acquired(task.folder / ".lock", task.title):
        held = task.held_record()
        if held is None:
            record.write(task.path)
        return held or record


def describe(trial: Trial) -> str:
    """A trial on one line."""
    rmse = "–" if trial.valid_rmse is None else f"{trial.valid_rmse:.4f}"
    at = f" at epoch {trial.epoch}" if trial.epoch else ""
    state = trial.state.replace("_", " ")
    return f"{trial.tried}: validation RMSE {rmse}{at} ({state}, {trial.seconds:.0f} s)"


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise GlocalkError(
            "A search needs optuna: pip install 'glocalk[tune]', then start it again."
        ) from error
