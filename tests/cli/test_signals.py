"""What signals do to a command, whatever it is doing."""

import os
import signal
import sys
import time

import pytest

from command import call
from glocalk import stopping
from glocalk.cli import signals
from glocalk.cli.signals import until_stopped
from glocalk.stopping import StoppedError, only_at_safe_points, safe_point
from run.small_run import forked, wait_for

NUMBERS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _handlers():
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    stopping.forget()


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_ends_a_command_that_has_no_safe_points(number, capsys):
    assert until_stopped(lambda: signal.raise_signal(number) or 0) == 128 + number
    assert capsys.readouterr().err == "Stopped.\n"


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_in_a_training_waits_for_a_safe_point(number):
    reached = []

    def work():
        with only_at_safe_points():
            signal.raise_signal(number)
            reached.append("the end of a step")
            safe_point()
            reached.append("another step")
        return 0

    assert until_stopped(work) == 128 + number
    assert reached == ["the end of a step"]


def test_a_training_without_safe_points_stops_at_its_end():
    reached = []

    def work():
        with only_at_safe_points():
            signal.raise_signal(signal.SIGTERM)
            reached.append("the end")
        reached.append("more")
        return 0

    assert until_stopped(work) == 143
    assert reached == ["the end"]


class Destroyed:
    """Its destructor meets a signal; Python ignores exceptions of destructors."""

    def __del__(self):
        signal.raise_signal(signal.SIGTERM)
        time.sleep(0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_in_a_destructor_is_not_lost():
    reached = []

    def work():
        thing = Destroyed()
        del thing
        reached.append("reading")
        with only_at_safe_points():
            reached.append("training")
        return 0

    assert until_stopped(work) == 143
    assert reached == ["reading"]


def test_an_error_that_follows_from_the_signal_is_not_a_failure_of_its_own():
    def work():
        with only_at_safe_points():
            signal.raise_signal(signal.SIGINT)
            try:
                safe_point()
            except Exception:
                pytest.fail("a stop is no Exception")
        return 0

    assert until_stopped(work) == 130


def _busy(folder, seconds):
    """A loop that passes no safe point."""

    def work():
        with only_at_safe_points():
            (folder / "busy").write_text("")
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                pass
        return 0

    signals.GRACE = 1.5
    sys.exit(until_stopped(work))


def begun(folder):
    process = forked(_busy, folder, 20, log=folder / "log")
    wait_for(process, folder, "busy")
    return process, time.monotonic()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_reaches_no_safe_point_ends_after_a_while(number, tmp_path):
    process, sent = begun(tmp_path)
    os.kill(process.pid, number)
    os.kill(process.pid, number)  # `timeout` sends a signal twice: that is one request
    process.join()
    assert process.exitcode == 128 + number
    assert 1.4 < time.monotonic() - sent < 8
    assert (tmp_path / "log").read_text() == "Stopped at once.\n"


def test_a_second_signal_ends_a_command_at_once(tmp_path):
    process, sent = begun(tmp_path)
    os.kill(process.pid, signal.SIGTERM)
    time.sleep(1.1)
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode in (130, 143)  # 143 if the machine is so busy that time was up
    assert time.monotonic() - sent < 8
    assert (tmp_path / "log").read_text() == "Stopped at once.\n"


def test_a_hangup_that_is_ignored_stays_so():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    assert until_stopped(lambda: signal.raise_signal(signal.SIGHUP) or 7) == 7


def test_signals_are_python_s_own_outside_a_command():
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    safe_point()
    assert not stopping.requested()


def test_a_command_leaves_no_request_behind(tmp_path):
    assert until_stopped(lambda: signal.raise_signal(signal.SIGTERM) or 0) == 143
    safe_point()
    assert call("--version", cwd=tmp_path).returncode == 0


def test_a_child_of_a_command_does_not_report_its_signals():
    def work():
        child = os.fork()
        if child == 0:
            time.sleep(20)
            os._exit(0)
        os.kill(child, signal.SIGTERM)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert until_stopped(work) == -signal.SIGTERM
    assert not stopping.requested()


def test_how_it_continues_is_said(capsys):
    def work():
        raise StoppedError(15, "the same command continues with the final run")

    assert until_stopped(work) == 143
    said = "Stopped: the same command continues with the final run.\n"
    assert capsys.readouterr().err == said


def test_ctrl_c_before_the_handlers_are_in_place_needs_no_traceback(capsys):
    def work():
        raise KeyboardInterrupt

    assert until_stopped(work) == 130
    assert capsys.readouterr().err == "Stopped.\n"
