"""Jobs that wait for others, fail, and are lost; nothing is trained."""

import signal
import threading
from concurrent.futures import Future

import pytest

from glocalk import stopping
from glocalk.executors.base import RunExecutor
from glocalk.executors.jobs import Job, run_jobs
from glocalk.executors.process import Outcome, lost
from glocalk.stopping import StoppedError

DONE, FAILED, LOST = Outcome(0, "test RMSE 1"), Outcome(1, "No data."), lost("killed")


class Scripted(RunExecutor):
    """Its runs end at once, with the outcomes that it is given by name."""

    def __init__(self, outcomes=None, retries=1):
        super().__init__(at_once=1, threads=None, retries=retries)
        self.outcomes = {name: list(several) for name, several in (outcomes or {}).items()}
        self.started, self.most, self.stopped_by = [], 0, None
        self._open = []

    def submit_run(self, arguments, command="train"):
        assert command == "train"
        future, (name,) = Future(), arguments
        self.started.append(name)
        self._open = [it for it in self._open if not it.done()]
        self._open.append(future)
        self.most = max(self.most, len(self._open))
        outcomes = self.outcomes.get(name)
        # In a thread, after the caller has gone on.
        self.submit(future.set_result, outcomes.pop(0) if outcomes else DONE)
        return future

    def call(self, function):
        return function()

    def stop_running(self, number):
        self.stopped_by = number


def job(name, *after):
    return Job(f"run {name}", (name,), after)


def ended(jobs, executor, at_once=1):
    """The names of the jobs that ended, in order, and those that `run_jobs` returns."""
    seen = []
    failed = run_jobs(jobs, executor, at_once, lambda job, outcome: seen.append((job, outcome)))
    assert [(job, outcome) for job, outcome in seen if not outcome.done] == failed
    return [job.arguments[0] for job, _ in seen], {job.title: outcome for job, outcome in failed}


def test_jobs_are_made_in_their_order():
    executor = Scripted()
    names, failed = ended([job("c"), job("a"), job("b")], executor)
    assert names == executor.started == ["c", "a", "b"]
    assert failed == {}


def test_no_more_are_handed_out_than_may_run_at_once():
    executor = Scripted()
    ended([job(str(number)) for number in range(9)], executor, at_once=3)
    assert len(executor.started) == 9
    assert executor.most <= 3


def test_a_job_waits_for_those_that_it_needs_and_others_go_first():
    first = job("first")
    executor = Scripted()
    ended([job("later", first, job("held already")), first, job("other")], executor)
    assert executor.started == ["first", "later", "other"]


def test_a_job_is_not_run_if_what_it_needs_has_failed(caplog):
    caplog.set_level("INFO")
    first = job("first")
    second = job("second", first)
    third = job("third", second)
    executor = Scripted({"first": [FAILED]})
    names, failed = ended([third, second, first, job("other")], executor)
    assert executor.started == ["first", "other"]
    assert set(names) == {"first", "second", "third", "other"}
    assert failed == {
        "run first": FAILED,
        "run second": Outcome(None, "it needs 'run first'"),
        "run third": Outcome(None, "it needs 'run second'"),
    }
    assert "[3/4] failed: run first: No data." in caplog.messages
    assert "[2/4] run second: not run, because it needs 'run first'" in caplog.messages
    assert "[4/4] done: test RMSE 1" in caplog.messages


def test_a_lost_run_is_repeated_and_a_failed_one_is_not():
    executor = Scripted({"lost": [LOST], "failed": [FAILED]})
    _, failed = ended([job("lost"), job("failed")], executor)
    assert executor.started == ["lost", "lost", "failed"]
    assert failed == {"run failed": FAILED}


@pytest.mark.parametrize("retries", [0, 2])
def test_a_run_that_is_lost_too_often_is_named(retries):
    executor = Scripted({"lost": [LOST] * 3}, retries=retries)
    _, failed = ended([job("lost"), job("other")], executor)
    assert executor.started == ["lost"] * (1 + retries) + ["other"]
    assert failed == {"run lost": LOST}


class Endless(Scripted):
    """A signal arrives while its first run is made; the run ends when it is told to."""

    def __init__(self, number):
        super().__init__()
        self.number = number
        self.told = threading.Event()

    def submit_run(self, arguments, command="train"):
        assert command == "train"
        self.started += arguments
        with stopping.only_at_safe_points():
            stopping.request(self.number)
            return self.submit(self._wait)

    def _wait(self):
        assert self.told.wait(60)
        return Outcome(128 + self.number)

    def stop_running(self, number):
        super().stop_running(number)
        self.told.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_is_passed_on_and_nothing_more_is_started(number):
    executor, seen = Endless(number), []
    try:
        with pytest.raises(StoppedError) as stopped:
            run_jobs([job("a"), job("b")], executor, 1, lambda *it: seen.append(it))
    finally:
        stopping.forget()
    assert stopped.value.number == executor.stopped_by == number
    assert "continues every run" in stopped.value.continues
    assert executor.started == ["a"]
    assert seen == []  # a run that was told to stop is neither lost nor failed


def test_stopping_has_the_time_that_the_executor_needs():
    during = []
    before = stopping.extra_seconds()
    executor = Scripted()
    run_jobs([job("a")], executor, 1, lambda *_: during.append(stopping.extra_seconds()))
    assert during == [before + RunExecutor.grace]
    assert stopping.extra_seconds() == before


def test_an_error_at_the_end_of_a_run_stops_the_others():
    def fail(*_):
        raise OSError("disk full")

    executor = Scripted()
    with pytest.raises(OSError, match="disk full"):
        run_jobs([job("a"), job("b")], executor, 1, fail)
    assert executor.started == ["a"]
    with pytest.raises(RuntimeError):
        executor.submit(print)
