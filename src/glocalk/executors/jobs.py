"""Jobs that may wait for others, handed to an executor."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from glocalk import stopping
from glocalk.executors.base import RunExecutor
from glocalk.executors.process import Outcome
from glocalk.stopping import StoppedError

_log = logging.getLogger(__name__)

_EVERY = 0.2  # seconds between two looks at whether to stop


@dataclass(frozen=True)
class Job:
    """A run to be made, or a search.

    Attributes:
        title: what is run; names the job in what is printed.
        arguments: those of the command.
        after: jobs that must have succeeded first. Those that are not among the jobs of
            `run_jobs` count as done. They exist before this one does, so that no two jobs can
            wait for each other.
        rather_after: jobs that must have ended first, but may have failed.
        expected: the time it is expected to take, in words.
        command: the command of glocalk that makes it.
    """

    title: str
    arguments: tuple[str, ...]
    after: tuple[Job, ...] = ()
    rather_after: tuple[Job, ...] = ()
    expected: str = ""
    command: str = "train"


Done = Callable[[Job, Outcome], None]


def run_jobs(
    jobs: Sequence[Job], executor: RunExecutor, at_once: int, done: Done
) -> list[tuple[Job, Outcome]]:
    """Make all jobs, in their order as far as they need not wait for others.

    A job whose worker is lost is handed out again, up to `executor.retries` times; it continues
    from its checkpoints. A job that fails is not repeated, and those that wait for it are not run;
    the others are.

    Args:
        jobs: each once.
        executor: makes the runs. It is stopped if a signal asks for that.
        at_once: how many jobs are handed to it at a time.
        done: called in this thread with every job and its outcome, at its end.

    Returns:
        The jobs without a record, with why.

    Raises:
        StoppedError: a signal asked to stop; everything has stopped.
    """
    with stopping.longer(executor.grace):
        try:
            with stopping.only_at_safe_points():
                return _Jobs(jobs, executor, at_once, done).run()
        except StoppedError as stopped:
            executor.stop(stopped.number)
            if not executor.shows:
                stopped.continues = "the same command continues every run from its last checkpoint"
            raise
        except BaseException:
            executor.stop()
            raise


class _Jobs:
    """The jobs that wait, that run, and that have ended."""

    def __init__(
        self, jobs: Sequence[Job], executor: RunExecutor, at_once: int, done: Done
    ) -> None:
        self.executor, self.at_once, self.done = executor, at_once, done
        self.numbers = {job: number for number, job in enumerate(jobs, start=1)}
        self.waiting = list(self.numbers)
        self.running: dict[Future[Outcome], Job] = {}
        self.ended: dict[Job, Outcome] = {}
        self.losses: Counter[Job] = Counter()

    def run(self) -> list[tuple[Job, Outcome]]:
        while self.waiting or self.running:
            stopping.safe_point()
            self._leave_out()
            self._hand_out()
            self._collect()
        return [(job, outcome) for job, outcome in self.ended.items() if not outcome.done]

    def _leave_out(self) -> None:
        """End the jobs that wait for one that has failed, and those that wait for them."""
        while blocked := self._blocked():
            job, needed = blocked
            self.waiting.remove(job)
            self._end(job, Outcome(None, f"it needs '{needed.title}'"))

    def _blocked(self) -> tuple[Job, Job] | None:
        """A job that waits for one that has failed, and that one."""
        for job in self.waiting:
            for needed in job.after:
                if needed in self.ended and not self.ended[needed].done:
                    return job, needed
        return None

    def _hand_out(self) -> None:
        for job in list(self.waiting):
            if len(self.running) == self.at_once:
                return
            first = (*job.after, *job.rather_after)
            if all(it in self.ended for it in first if it in self.numbers):
                self.waiting.remove(job)
                self._submit(job)

    def _submit(self, job: Job) -> None:
        expected = f" ({job.expected})" if job.expected else ""
        if self.executor.shows:
            _log.info("\n%s %s%s", self._number(job), job.title, expected)
        else:
            _log.info("%s %s%s: started", self._number(job), job.title, expected)
        self.running[self.executor.submit_run(job.arguments, job.command)] = job

    def _collect(self) -> None:
        """Wait a moment for the first run to end."""
        for future in wait(self.running, timeout=_EVERY, return_when=FIRST_COMPLETED).done:
            stopping.safe_point()  # a run that ended because it was told to has not failed
            job = self.running.pop(future)
            outcome = future.result()
            if outcome.lost and self.losses[job] < self.executor.retries:
                self.losses[job] += 1
                told = self._number(job), job.title, outcome.said
                _log.warning("%s %s: %s; it is started again", *told)
                self._submit(job)
            else:
                self._end(job, outcome)

    def _end(self, job: Job, outcome: Outcome) -> None:
        self.ended[job] = outcome
        if outcome.code is None:
            _log.info("%s %s: not run, because %s", self._number(job), job.title, outcome.said)
        elif outcome.done and not self.executor.shows:
            _log.info("%s done: %s", self._number(job), outcome.said or job.title)
        elif outcome.said:
            _log.info("%s failed: %s: %s", self._number(job), job.title, outcome.said)
        self.done(job, outcome)

    def _number(self, job: Job) -> str:
        return f"[{self.numbers[job]}/{len(self.numbers)}]"
