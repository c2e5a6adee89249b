"""When a plan writes its files: after each run, but not most of the time."""

import pytest

from glocalk.reproduce.files import FilesAfterRuns


class Writing:
    """Writes that take some seconds of a clock that only this test moves."""

    def __init__(self, seconds):
        self.now, self.seconds, self.starts = 100.0, seconds, []

    def __call__(self):
        self.starts.append(self.now)
        self.now += self.seconds
        return f"table {len(self.starts)}"

    def clock(self):
        return self.now


def made(writing, runs, seconds_of_run):
    with FilesAfterRuns(writing, writing.clock) as files:
        for _ in range(runs):
            writing.now += seconds_of_run
            files.after_run()
    return files


def test_files_are_written_after_every_run_that_takes_longer_than_twenty_times_that():
    writing = Writing(seconds=1)
    assert made(writing, runs=5, seconds_of_run=20).table == "table 5"


def test_between_short_runs_they_take_five_percent_of_the_time():
    writing = Writing(seconds=2)
    made(writing, runs=1000, seconds_of_run=1)
    # 40 s from the end of one writing to the start of the next, and once at the end.
    assert writing.starts[:3] == [101.0, 143.0, 185.0]
    assert writing.starts[-1] > writing.starts[-2]
    assert 2 * len(writing.starts) == pytest.approx(0.05 * (writing.now - 100), rel=0.1)


def test_a_plan_that_stops_writes_what_it_has():
    writing = Writing(seconds=10)
    files = FilesAfterRuns(writing, writing.clock)

    def stops():
        with files:
            files.after_run()
            files.after_run()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stops()
    assert files.table == "table 2"
    assert len(writing.starts) == 2


def test_the_table_is_written_once_where_there_is_nothing_to_run():
    writing = Writing(seconds=3)
    assert made(writing, runs=0, seconds_of_run=0).table == "table 1"
