"""An optuna study in a journal file, which a killed search continues as if never interrupted.

optuna's tree-structured Parzen estimator proposes, and its median pruner ends a training that is
worse than the median of the earlier ones at the same epoch. The journal holds every proposal,
every error reported and every result. A trial's sampler is seeded by its position in the search,
so that proposals do not depend on how often the process was started. A trial that was running
when the process was killed is marked as failed, and its position is tried again. So is that of a
trial that ran out of time, once there is more time. Neither sampler nor pruner uses failed trials.

Options that were tried before are not tried again: their proposal fails, and another is made. The
estimator proposes the same values often where an option has few, and the training would give the
same error.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from glocalk.errors import GlocalkError
from glocalk.records.search import Trial, ended, point_of, with_start
from glocalk.run.space import Space

# The first trial is the present config; this many after it are drawn at random.
_RANDOM_TRIALS = 5
_ESTIMATED = 10  # proposals for one trial by the estimator; those after are drawn at random
MADE = "made"  # user attribute of an optuna trial: our record of it
_STATES = {
    "done": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "out_of_time": TrialState.FAIL,
}


class Study:
    """The trials of one search.

    Args:
        journal: the journal file; made if there is none. No other process may write to it.
        name: identifies the search within the file.
        space: the search space.
        start: the options of the first trial.
        seed: seed of all proposals.
        warmup_epochs: epochs before which no training is pruned.

    Raises:
        GlocalkError: the journal is damaged, or another program's.
    """

    def __init__(
        self,
        journal: Path,
        name: str,
        space: Space,
        start: Mapping[str, Any],
        seed: int,
        warmup_epochs: int,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        _drop_partial_line(journal)
        self.start, self.seed = dict(start), seed
        # The present value is tried first, and so must be among the choices.
        self.space = with_start(space, self.start)
        backend = JournalFileBackend(str(journal), lock_obj=_NoLock())  # type: ignore[arg-type]
        try:
            self._study = optuna.create_study(
                storage=JournalStorage(backend),
                study_name=name,
                load_if_exists=True,
                pruner=make_pruner(warmup_epochs),
            )
            made = self.trials
            for running in self._study.get_trials(states=(TrialState.RUNNING,)):
                self._finish(running)
        except OSError:
            raise
        except Exception as error:  # what a journal holds raises errors of many kinds
            raise GlocalkError(
                f"The journal '{journal}' is damaged: remove it, or search again with force=true."
            ) from error
        if any(trial.options.keys() != self.space.keys() for trial in made):
            raise GlocalkError(
                f"The journal '{journal}' holds trials of other options: remove it, or search "
                "again with force=true."
            )

    @property
    def trials(self) -> list[Trial]:
        """The finished trials, in order of time; the last one may have run out of it."""
        made = [
            Trial.model_validate(trial.user_attrs[MADE])
            for trial in self._study.get_trials(deepcopy=False)
            if MADE in trial.user_attrs
        ]
        return [*ended(made[:-1]), *made[-1:]]

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        """The next trial, and the options to try, which no other trial has tried.

        The space must not be exhausted.
        """
        trials = ended(self.trials)
        tried = {trial.point for trial in trials}
        if not trials and not self._study.get_trials(states=(TrialState.WAITING,)):
            self._study.enqueue_trial(self.start)
        for attempt in itertools.count():
            self._study.sampler = make_sampler(self.seed, len(trials), attempt)
            asked = self._study.ask()
            options = {name: suggest(asked, name, choice) for name, choice in self.space.items()}
            if point_of(options) not in tried:
                return asked, options
            self._study.tell(asked.number, state=TrialState.FAIL)
        raise AssertionError

    def tell(self, asked: optuna.Trial, made: Trial) -> None:
        """Store the result of a trial."""
        asked.set_user_attr(MADE, made.model_dump())
        self._tell(asked.number, made)

    def _finish(self, running: FrozenTrial) -> None:
        """End a trial that a killed process left: with its result, if it had one."""
        if MADE in running.user_attrs:
            self._tell(running.number, Trial.model_validate(running.user_attrs[MADE]))
        else:
            self._study.tell(running.number, state=TrialState.FAIL)

    def _tell(self, number: int, made: Trial) -> None:
        tell(self._study, number, made)


def make_pruner(warmup_epochs: int) -> optuna.pruners.BasePruner:
    """The pruner of all searches."""
    return optuna.pruners.MedianPruner(
        n_startup_trials=_RANDOM_TRIALS - 1, n_warmup_steps=warmup_epochs
    )


def make_sampler(
    seed: int, position: int, attempt: int, **options: Any
) -> optuna.samplers.BaseSampler:
    """The sampler of one proposal.

    Args:
        seed: that of the search.
        position: what distinguishes the trial from the others of the search.
        attempt: how many proposals for the trial had been tried before.
        options: of optuna's `TPESampler`.
    """
    entropy = [seed, position, attempt] if attempt else [seed, position]
    drawn = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    if attempt >= _ESTIMATED:
        return optuna.samplers.RandomSampler(seed=drawn)
    return optuna.samplers.TPESampler(seed=drawn, n_startup_trials=_RANDOM_TRIALS + 1, **options)


def tell(study: optuna.Study, number: int, made: Trial) -> None:
    """End a trial of optuna's with the result of ours, unless another process has done so."""
    value = made.valid_rmse if made.state == "done" else None
    study.tell(number, value, state=_STATES[made.state], skip_if_finished=True)


class _NoLock:
    """Locks nothing: the search's own lock already excludes other processes.

    optuna's locks are files that a killed process leaves behind.
    """

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return None


def _drop_partial_line(journal: Path) -> None:
    """Remove the incomplete last line that a process killed while writing leaves."""
    if journal.exists():
        content = journal.read_bytes()
        complete = content.rfind(b"\n") + 1
        if complete < len(content):
            with journal.open("r+b") as file:
                file.truncate(complete)


def suggest(asked: optuna.Trial, name: str, choice: Any) -> Any:
    """What the sampler of the study proposes for an option."""
    if isinstance(choice, list):
        return asked.suggest_categorical(name, choice)
    low, high, log = choice["low"], choice["high"], choice.get("log", False)
    if isinstance(low, int) and isinstance(high, int):
        return asked.suggest_int(name, low, high, log=log)
    return asked.suggest_float(name, low, high, log=log)
