"""`executor=local`: processes on this machine."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from glocalk.executors.base import ExecutorConfig, RunExecutor
from glocalk.executors.process import Outcome, stop_runs
from glocalk.threads import ALL_THREADS

_AT_ONCE = 2
"""Runs at once by default. A training uses one core better than two, and its memory and its
caches are shared by as many as run at once, so that more are for the user to ask for."""


class LocalConfig(ExecutorConfig):
    """How many processes, and how many threads in each."""

    jobs: int | None = Field(
        default=None, ge=1, le=1024, description="runs at once; null: 2, or 1 on a single core"
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="threads of each run; null: cores / jobs, with jobs=1 the cores that are free",
    )


class LocalExecutor(RunExecutor):
    """Processes on this machine. A single one at a time shows its output as `glocalk train` does.

    Args:
        config: how many at once.
    """

    Config = LocalConfig
    forks = True

    def __init__(self, config: LocalConfig) -> None:
        jobs = config.jobs or min(_AT_ONCE, ALL_THREADS)
        threads = config.threads
        if threads is None and jobs > 1:
            threads = max(1, ALL_THREADS // jobs)
        super().__init__(jobs, threads, config.retries)
        self.shows = jobs == 1

    def call(self, function: Callable[[], Outcome]) -> Outcome:
        """Call a function in this thread: it starts the process."""
        return function()

    def stop_running(self, number: int) -> None:
        """Pass the signal on."""
        stop_runs(number)
