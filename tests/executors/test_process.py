"""A run in a process of its own; here the process is a program of a few lines."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from glocalk.executors import process
from glocalk.executors.process import Outcome, make_run, stop_runs


@pytest.fixture
def program(monkeypatch):
    """Sets the program that stands for `glocalk train`."""

    def use(text):
        monkeypatch.setattr(process, "_command", lambda _: [sys.executable, "-c", text])

    return use


def test_the_outcome_of_a_run_that_succeeds_is_the_last_line_of_its_output(program, tmp_path):
    program("import sys; print('epoch 1\\ntest RMSE .9\\n'); print('a warning', file=sys.stderr)")
    assert make_run([], tmp_path) == Outcome(0, "test RMSE .9")


def test_the_outcome_of_a_run_that_fails_is_the_last_line_of_its_errors(program, tmp_path):
    program("import sys; print('epoch 1'); print('Traceback\\nNo data.', file=sys.stderr); exit(1)")
    outcome = make_run([], tmp_path)
    assert outcome == Outcome(1, "No data.")
    assert not outcome.done
    assert not outcome.lost


def test_the_reason_of_an_unexpected_error_is_the_first_line_of_its_message(program, tmp_path):
    program("raise RuntimeError('no such device\\nUse another.\\n')")
    assert make_run([], tmp_path) == Outcome(1, "RuntimeError: no such device")


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "exit(128 + 15)", "exit(128 + 1)"])
def test_a_run_that_is_killed_or_told_to_stop_is_lost(end, program, tmp_path):
    program(f"import os; {end}")
    outcome = make_run([], tmp_path)
    assert outcome.lost
    assert not outcome.done
    assert any(name in outcome.said for name in ("SIGKILL", "SIGTERM", "SIGHUP"))


@pytest.mark.parametrize("code", [1, 2, 128, 255])
def test_other_exit_codes_are_failures(code):
    assert not Outcome(code).lost


def test_a_run_begins_with_its_threads_in_its_folder_with_its_arguments(program, tmp_path):
    program("import os, sys; print(os.environ['OMP_NUM_THREADS'], os.getcwd(), *sys.argv[1:])")
    said = make_run(["seed=3", "model=bias"], tmp_path, threads=7).said
    assert said == f"7 {tmp_path} seed=3 model=bias"


def test_a_run_keeps_the_environment_if_it_decides_on_threads(program, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    program("import os; print(os.environ['OMP_NUM_THREADS'])")
    assert make_run([], tmp_path).said == "5"


def test_a_folder_that_is_missing_on_the_worker_is_a_sentence(tmp_path):
    outcome = make_run([], tmp_path / "missing")
    assert outcome.code == 1
    assert f"No such file or directory '{tmp_path / 'missing'}'" in outcome.said


def test_a_run_whose_output_is_shown_prints_it(program, tmp_path, capfd):
    program("import sys; print('epoch 1'); print('No data.', file=sys.stderr); exit(1)")
    assert make_run([], tmp_path, shown=True) == Outcome(1, "")
    assert capfd.readouterr() == ("epoch 1\n", "No data.\n")


OBEYS = """
import signal, sys, time
def stop(number, _):
    print('told', number, flush=True)
    sys.exit(128 + number)
signal.signal(signal.SIGINT, stop); signal.signal(signal.SIGTERM, stop)
open(sys.argv[1], 'w').close()
time.sleep(60)
"""


def wait_for(path):
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_runs_in_threads_are_told_to_stop_all_at_once(program, tmp_path):
    program(OBEYS)
    with ThreadPoolExecutor(2) as threads:
        ready = [tmp_path / "a", tmp_path / "b"]
        runs = [threads.submit(make_run, [str(path)], tmp_path) for path in ready]
        for path in ready:
            wait_for(path)
        stop_runs(signal.SIGTERM)
        assert [run.result().code for run in runs] == [143, 143]


def test_a_worker_passes_signals_on(program, tmp_path):
    """In the main thread of a worker, which a cluster sends its signals to."""
    program(OBEYS)
    before = signal.getsignal(signal.SIGINT)

    def interrupt():
        wait_for(tmp_path / "ready")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    outcome = make_run([str(tmp_path / "ready")], tmp_path)
    thread.join()
    assert outcome.code == 130
    assert signal.getsignal(signal.SIGINT) == before


WAITS = """
import signal, sys, time
def stop(number, _):
    open('told', 'w').write(str(number))
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
open('ready', 'w').close()
time.sleep(60)
"""


def test_a_run_asks_itself_to_stop_if_its_worker_is_killed(tmp_path):
    (tmp_path / "waits.py").write_text(WAITS)  # in place of the command line
    start = (
        "import os, runpy, sys\n"
        "from glocalk.executors import child\n"
        "child.runpy.run_module = lambda *_, **__: runpy.run_path('waits.py')\n"
        "sys.argv = ['child', str(os.getppid()), 'train']\n"
        "child.main()\n"
    )
    worker = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {start!r}])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", worker], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        run = psutil.Process(int(process.stdout.readline()))
        wait_for(tmp_path / "ready")
        process.kill()
    run.wait(30)
    assert (tmp_path / "told").read_text() == "15"
