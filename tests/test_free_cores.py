"""The number of threads that other programs leave room for."""

import subprocess
import sys
import time

import pytest

from glocalk import threads


@pytest.mark.parametrize(
    ("all_threads", "cores", "percent", "expected"),
    [
        (2, 2, 3.0, 2),  # a quiet machine
        (2, 2, 52.0, 1),  # one busy program on two cores
        (2, 2, 100.0, 1),
        (8, 8, 25.0, 6),
        (8, 64, 50.0, 8),  # eight of 64 cores are ours; 32 are free
        (8, 64, 95.0, 3),
        (1, 64, 0.0, 1),
    ],
)
def test_a_run_takes_the_cores_that_are_free(all_threads, cores, percent, expected, monkeypatch):
    monkeypatch.setattr(threads, "ALL_THREADS", all_threads)
    monkeypatch.setattr(threads.psutil, "cpu_count", lambda: cores)
    monkeypatch.setattr(threads.psutil, "cpu_percent", {0.3: percent}.get)
    assert threads.free_threads() == expected


def test_as_many_busy_programs_as_cores_leave_one_thread(monkeypatch):
    cores = threads.psutil.cpu_count()
    monkeypatch.setattr(threads, "ALL_THREADS", cores)
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        time.sleep(0.2)
        assert threads.free_threads() == 1
    finally:
        for program in programs:
            program.kill()
            program.wait()


def test_a_forked_process_takes_one_thread(monkeypatch):
    monkeypatch.setattr(threads, "ALL_THREADS", 8)
    monkeypatch.setattr(threads, "_forked", True)
    assert threads.free_threads() == 1
