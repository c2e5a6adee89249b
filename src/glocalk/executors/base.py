"""What all executors are."""

from __future__ import annotations

import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from glocalk.config import BaseConfig, build, find_class
from glocalk.errors import GlocalkError
from glocalk.executors.process import Outcome, make_run

_EVERY = 0.1  # seconds
_THREADS = "trainer.threads="


class ExecutorConfig(BaseConfig):
    """What all executors are told."""

    jobs: int | None = Field(default=None, ge=1, le=1024, description="runs at once")
    retries: int = Field(
        default=1, ge=0, description="how often a run is repeated whose worker was lost"
    )


class RunExecutor(ThreadPoolExecutor, ABC):
    """A `concurrent.futures.Executor` of runs; each thread waits for one that is made elsewhere.

    As a context manager it stops what it still runs if the body raises.

    Attributes:
        at_once: how many runs it makes at once.
        threads: number of threads of each; None if the run decides.
        retries: how often a run is repeated whose worker was lost.
        grace: seconds that stopping may take beyond what a run needs to stop.
        shows: whether the output of a run is shown while it runs.
        forks: whether runs are forked from a process that has imported the libraries.
    """

    Config: type[ExecutorConfig] = ExecutorConfig
    package: ClassVar[tuple[str, str]] = ("glocalk", "")
    """The package that it needs, and the extra of glocalk that installs it."""
    grace: ClassVar[float] = 4.0
    shows = False
    forks: ClassVar[bool] = False

    def __init__(self, at_once: int, threads: int | None, retries: int) -> None:
        super().__init__(max_workers=at_once)
        self.at_once, self.threads, self.retries = at_once, threads, retries
        self._under_way: set[Future[Any]] = set()

    @abstractmethod
    def call(self, function: Callable[[], Outcome]) -> Outcome:
        """Call a function, which can be pickled, in a worker and wait; called in a thread.

        Returns the outcome `lost` if the worker was lost.
        """

    @abstractmethod
    def stop_running(self, number: int) -> None:
        """Send signal `number` to the runs that have not been told to stop; do not wait for them.

        Called again until no run is left.
        """

    def submit_run(self, arguments: Sequence[str], command: str = "train") -> Future[Outcome]:
        """Submit a run.

        Args:
            arguments: of the command. `trainer.threads` is added unless it is among them.
            command: the command of glocalk: `train`, or `tune` for a search.
        """
        threads = self.threads
        given = [line.split("=")[1] for line in arguments if line.startswith(_THREADS)]
        if given:
            threads = int(given[-1]) if given[-1].isdigit() else None
        elif threads is not None:
            arguments = [*arguments, f"{_THREADS}{threads}"]
        run = partial(
            make_run, list(arguments), Path.cwd(), threads, self.shows, command, self.forks
        )
        return self.submit(self.call, run)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a call in a thread."""
        future = super().submit(fn, *args, **kwargs)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return future

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Cancel what waits, send a signal to what runs, and wait until nothing is left."""
        super().shutdown(wait=False, cancel_futures=True)
        # Again and again: a run may only just be starting.
        while self._under_way:
            self.stop_running(number)
            wait(set(self._under_way), timeout=_EVERY)
        super().shutdown(wait=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As in `concurrent.futures.Executor`; `cancel_futures` stops what runs, too."""
        if cancel_futures and wait:
            self.stop()
        super().shutdown(wait, cancel_futures=cancel_futures)

    def __exit__(self, kind: Any, *_: Any) -> None:
        self.shutdown(cancel_futures=kind is not None)


def check_executor(options: Mapping[str, Any]) -> None:
    """Refuse wrong options of an executor, and one that is not installed.

    Args:
        options: `_target_` and the options of its `Config`.

    Raises:
        GlocalkError: they are wrong.
    """
    rest = dict(options)
    cls: type[RunExecutor] = find_class(rest.pop("_target_", None), "executor", RunExecutor)
    package, extra = cls.package
    if find_spec(package) is None:
        raise GlocalkError(
            f"This executor needs the package '{package}', which is not installed: "
            f"{Path(sys.executable).name} -m pip install 'glocalk[{extra}]'."
        )
    cls.Config.check(rest, "executor")


def build_executor(options: Mapping[str, Any], runs: int | None = None) -> RunExecutor:
    """The executor that the options name, ready to be given runs.

    Args:
        options: as in `check_executor`.
        runs: how many runs the plan has, if it is known; one alone has the whole machine.

    Raises:
        GlocalkError: the options are wrong, or the executor cannot be started.
    """
    check_executor(options)
    if runs == 1 and options.get("jobs") is None:
        options = {**options, "jobs": 1}
    executor: RunExecutor = build(options, "executor", RunExecutor)
    return executor
