"""An optuna study in a database, whose trials several processes make together.

A process claims a trial by asking for it. The claim is valid if fewer trials that have not been
given up precede it than the budget allows, so that all processes together make as many as one
would. A claim is given up when its process fails or has been silent for two minutes, and at once
if it is a process of this machine that has ended. Options that are claimed are not proposed again,
unless two processes ask at the same moment. What is proposed depends on which trials have
ended, and so on the speed of the processes.
"""

from __future__ import annotations

import itertools
import logging
import math
import socket
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import optuna
import psutil
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from glocalk.errors import GlocalkError, without_secrets
from glocalk.records.search import Search, Trial, ended, is_exhausted, point_of, with_start
from glocalk.run.space import Space
from glocalk.run.study import MADE, make_pruner, make_sampler, suggest, tell

_log = logging.getLogger(__name__)

_BEAT, _SILENT = 30, 120  # seconds
_UNCLAIMED = timedelta(minutes=10)  # a process was killed between asking and claiming
_SEARCH, _OWNER, _IS_START = "search", "owner", "is_start"  # user attributes


@contextmanager
def shared_study(url: str, name: str, blank: Search) -> Iterator[SharedStudy]:
    """A study that is continued, or made.

    Args:
        url: of the database.
        name: of the study.
        blank: the record of the search without trials.

    Raises:
        GlocalkError: the database cannot be used, now or later, or has a study of this name that
            belongs to another search.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # The signs of life are those of `SharedStudy.making`.
        warnings.filterwarnings("ignore", message="Heartbeat of storage")
        try:
            study = SharedStudy(_storage(url), without_secrets(url), name, blank)
        except GlocalkError:
            raise
        except Exception as error:  # what an address may lack raises errors of many kinds
            raise _unusable(url, error) from None  # a chained error may show a password
        try:
            yield study
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            raise _unusable(url, error) from None


def _unusable(url: str, error: Exception) -> GlocalkError:
    cause = getattr(error, "orig", None) or error.__cause__ or error
    first = (str(cause).splitlines() or [""])[0]
    reason = without_secrets(first).rstrip(".") or type(cause).__name__
    return GlocalkError(
        f"The storage '{without_secrets(url)}' cannot be used ({reason}): check its URL and that "
        "the database is running, then start the search again; it continues after its last trial."
    )


def _storage(url: str) -> RDBStorage:
    options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    for attempt in range(5):
        try:
            return RDBStorage(
                url,
                engine_kwargs={"pool_pre_ping": True, **options},
                heartbeat_interval=_BEAT,
                grace_period=_SILENT,
            )
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            # Two processes made the tables, or wrote their version, at the same time.
            both = isinstance(error, IntegrityError) or "already exists" in str(error)
            if not both or attempt == 4:
                raise
            time.sleep(0.5)
    raise AssertionError


class SharedStudy:
    """The trials of one search of several processes.

    Args:
        storage: the database.
        address: its URL without secrets.
        name: of the study.
        blank: the record of the search without trials.

    Raises:
        GlocalkError: there is a study of this name that belongs to another search.
    """

    def __init__(self, storage: RDBStorage, address: str, name: str, blank: Search) -> None:
        assert blank.budget is not None
        self._storage, self._budget = storage, blank.budget
        self._study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)
        wanted = {"identity": blank.identity, "budget": blank.budget.model_dump()}
        if _SEARCH not in self._study.user_attrs and not self._study.get_trials(deepcopy=False):
            self._study.set_user_attr(_SEARCH, wanted)
        if self._study.user_attrs.get(_SEARCH) != wanted:
            raise GlocalkError(
                f"The study '{name}' in '{address}' is a search with other data, options, space, "
                "seed or budget: give the same, or another study_name=…"
            )
        self._space: Space = {}
        self._start: dict[str, Any] = {}
        self._seed = 0

    def start(self, space: Space, start: Mapping[str, Any], seed: int, warmup_epochs: int) -> None:
        """Say what is searched.

        Args:
            space: the search space.
            start: the options of the first trial.
            seed: seed of all proposals.
            warmup_epochs: epochs before which no training is pruned.
        """
        self._start, self._seed = dict(start), seed
        self._space = with_start(space, self._start)
        self._study.pruner = make_pruner(warmup_epochs)

    @property
    def trials(self) -> list[Trial]:
        """The finished trials of all processes, that of the start first."""
        made = [trial for trial in self._study.get_trials(deepcopy=False) if _is_made(trial)]
        made.sort(key=lambda trial: (not trial.user_attrs.get(_IS_START), trial.number))
        return [Trial.model_validate(trial.user_attrs[MADE]) for trial in made]

    @property
    def is_complete(self) -> bool:
        """Whether the budget is spent or all is tried, and no trial is under way."""
        self._give_up_abandoned()
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return not running and self._is_spent()

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]] | None:
        """The next trial, and the options to try; None if there is none to claim at present."""
        for attempt in itertools.count():
            if self._claims() >= self._budget.trials or self._is_spent():
                return None
            if self.seconds_left() <= 0:  # those under way end at their next epoch
                return None
            asked = self._study.ask()
            self._storage.record_heartbeat(asked._trial_id)
            asked.set_user_attr(_OWNER, _this_process())
            if self._claims(before=asked.number) >= self._budget.trials:
                self._fail(asked.number)
                return None
            earlier = self._claimed(before=asked.number)
            options = self._propose(asked, attempt, earlier)
            if point_of(options) not in {point_of(trial.params) for trial in earlier}:
                return asked, options
            self._fail(asked.number)
        raise AssertionError

    def _propose(
        self, asked: optuna.Trial, attempt: int, earlier: Sequence[FrozenTrial]
    ) -> dict[str, Any]:
        # One that has not said yet may be the start.
        is_start = not any(trial.user_attrs.get(_IS_START, True) for trial in earlier)
        asked.set_user_attr(_IS_START, is_start)
        sampler = make_sampler(
            self._seed, asked.number, attempt, multivariate=False, constant_liar=True
        )
        if is_start:
            sampler = optuna.samplers.PartialFixedSampler(self._start, sampler)
        self._study.sampler = sampler
        return {name: suggest(asked, name, choice) for name, choice in self._space.items()}

    def seconds_left(self, without: int | None = None) -> float:
        """The time left after the finished trials, and after what those under way have taken.

        Args:
            without: number of a trial under way whose time does not count.
        """
        if self._budget.hours is None:
            return math.inf
        now, running = datetime.now(), (TrialState.RUNNING,)
        taken = sum(
            (now - trial.datetime_start).total_seconds()
            for trial in self._study.get_trials(deepcopy=False, states=running)
            if trial.number != without and trial.datetime_start is not None
        )
        return self._budget.seconds_left(self.trials) - taken

    def _is_spent(self) -> bool:
        """Whether there is nothing left to claim, unless a claim is given up."""
        tried = [trial.params for trial in self._claimed()]
        return self._budget.is_spent(self.trials) or is_exhausted(self._space, tried)

    @contextmanager
    def making(self, asked: optuna.Trial) -> Iterator[None]:
        """Keep the claim while its training is made, and give it up if that ends early.

        The training ends if others have given up the claim, because this process was silent for
        too long: its machine slept, for example.
        """
        ended_ = threading.Event()
        beats = threading.Thread(target=self._beat, args=(asked._trial_id, ended_), daemon=True)
        beats.start()
        try:
            yield
        except optuna.exceptions.UpdateFinishedTrialError:
            _log.warning("A trial is given up, because no sign of life of it reached the storage.")
        except BaseException:
            self._fail(asked.number)
            raise
        finally:
            ended_.set()
            beats.join()

    def tell(self, asked: optuna.Trial, made: Trial) -> None:
        """Store the result of a trial."""
        asked.set_user_attr(MADE, made.model_dump())
        tell(self._study, asked.number, made)

    def _beat(self, trial: int, ended_: threading.Event) -> None:
        while not ended_.wait(_BEAT):
            try:
                self._storage.record_heartbeat(trial)
            except Exception as error:  # the training itself will notice, if it lasts
                _log.debug("No sign of life reached the storage: %s", without_secrets(error))

    def _claimed(self, before: int | None = None) -> list[FrozenTrial]:
        """The trials under way and the finished ones, with a smaller number."""
        return [
            trial
            for trial in self._study.get_trials(deepcopy=False)
            if (before is None or trial.number < before)
            and (trial.state == TrialState.RUNNING or _is_made(trial))
        ]

    def _claims(self, before: int | None = None) -> int:
        """The number of claims; a trial that ran out of time is none."""
        claimed = self._claimed(before)
        made = [Trial.model_validate(t.user_attrs[MADE]) for t in claimed if _is_made(t)]
        return len(claimed) - len(made) + len(ended(made))

    def _give_up_abandoned(self) -> None:
        """Give up the claims of processes that have ended or are silent."""
        fail_stale_trials(self._study)
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if MADE in trial.user_attrs and _is_gone(trial):
                tell(self._study, trial.number, Trial.model_validate(trial.user_attrs[MADE]))
            elif _is_gone(trial):
                self._fail(trial.number)

    def _fail(self, number: int) -> None:
        self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)


def _is_made(trial: FrozenTrial) -> bool:
    return trial.state.is_finished() and MADE in trial.user_attrs


def _this_process() -> dict[str, Any]:
    me = psutil.Process()
    return {"host": socket.gethostname(), "pid": me.pid, "began": me.create_time()}


def _is_gone(trial: FrozenTrial) -> bool:
    """Whether the process of a trial under way has ended, as far as this machine can tell."""
    owner = trial.user_attrs.get(_OWNER)
    if owner is None:
        asked = trial.datetime_start
        return asked is not None and datetime.now() - asked > _UNCLAIMED
    if owner["host"] != socket.gethostname():
        return False
    try:
        return bool(abs(psutil.Process(owner["pid"]).create_time() - owner["began"]) > 1)
    except psutil.NoSuchProcess:
        return True
