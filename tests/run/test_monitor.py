import gc

import numpy as np
import pytest
import torch

from glocalk.errors import GlocalkError
from glocalk.run.monitor import Monitor
from planted import planted

TRAIN, TEST = planted()


def constant(value):
    return lambda users, items: np.full(len(users), value) + 0 * items


def test_clips_to_the_scale_on_request_alone():
    clipped, plain = Monitor(TEST, clip=True), Monitor(TEST, clip=False)
    for monitor in (clipped, plain):
        monitor.observe("fit", 1, constant(9.0))
    assert clipped.curves.test_mae == pytest.approx([np.mean(5 - TEST.ratings)])
    assert plain.curves.test_mae == pytest.approx([np.mean(9 - TEST.ratings)])


def test_keeps_a_row_and_the_user_errors_of_each_epoch():
    monitor = Monitor(TEST, valid=TRAIN)
    monitor.observe("first", 1, constant(3.0), loss=7.0)
    monitor.observe("second", 1, constant(4.0))
    curves = monitor.curves
    assert (curves.stage, curves.epoch, curves.loss) == (["first", "second"], [1, 1], [7.0, None])
    for row, value in enumerate((3.0, 4.0)):
        squared = (value - TEST.ratings) ** 2
        expected = [squared[TEST.users == user].sum() for user in range(TEST.num_users)]
        np.testing.assert_allclose(monitor.user_errors(row), expected, rtol=1e-13)
        assert curves.test_rmse[row] == pytest.approx(np.sqrt(squared.mean()))
        assert curves.valid_rmse[row] == pytest.approx(
            np.sqrt(np.mean((value - TRAIN.ratings) ** 2))
        )


def test_its_state_survives_a_checkpoint(tmp_path):
    monitor = Monitor(TEST)
    monitor.observe("fit", 1, constant(3.0), loss=7.0)
    monitor.keep_trace("fit", 1, {"live": (0.5, 1 / 3)})
    torch.save(monitor.state_dict(), tmp_path / "state")
    other = Monitor(TEST)
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    for each in (monitor, other):
        each.observe("fit", 2, constant(4.0), loss=6.0)
    assert other.curves == monitor.curves
    assert other.traces == monitor.traces
    np.testing.assert_array_equal(other.user_errors(0), monitor.user_errors(0))


def test_traces_are_kept_to_six_digits():
    monitor = Monitor(TEST)
    monitor.observer().traced("fit", 0, {"taps/1": [123.456789, -2e-7 / 3], "live": (0.25,)})
    (trace,) = monitor.traces
    assert (trace.stage, trace.epoch) == ("fit", 0)
    assert trace.numbers == {"taps/1": [123.457, -6.66667e-8], "live": [0.25]}


@pytest.mark.parametrize("loss", [np.inf, -np.inf, np.nan])
def test_a_loss_that_json_cannot_hold_is_left_out_with_a_warning(loss, caplog):
    monitor = Monitor(TEST)
    monitor.observe("fit", 1, constant(3.0), loss=float(loss))
    monitor.observe("fit", 2, constant(3.0), loss=1.0)
    assert monitor.curves.loss == [None, 1.0]
    sentence = f"The loss of epoch 1 of stage fit is {loss:g}, which is left out of the record."
    assert caplog.messages == [sentence]


def test_a_diverged_training_is_an_error():
    with pytest.raises(GlocalkError, match="diverged"):
        Monitor(TEST).observe("fit", 1, constant(np.nan))


def reachable(root):
    """Every object that can be reached from `root` by attributes, items and references."""
    seen, waiting = {}, [root]
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, type) or hasattr(found, "__globals__"):
            continue
        seen[id(found)] = found
        waiting += gc.get_referents(found)
    return list(seen.values())


def test_the_observer_does_not_lead_to_any_rating():
    monitor = Monitor(TEST, valid=TRAIN)
    assert any(found is TEST for found in reachable(monitor))
    observer = monitor.observer()
    found = reachable(observer)
    assert not any(part in (TEST, TRAIN, monitor) for part in found if part is not observer)
    assert not hasattr(observer, "__dict__")
    with pytest.raises(AttributeError):
        observer.test = None


def test_the_observer_evaluates_and_keeps_its_state_through_the_monitor():
    monitor, other = Monitor(TEST), Monitor(TEST)
    observer = monitor.observer()
    assert observer.epoch_ended("fit", 1, constant(3.0), 7.0) is None
    assert monitor.curves.loss == [7.0]
    other.observer().load_state_dict(observer.state_dict())
    assert other.curves == monitor.curves


def test_the_observer_lives_as_long_as_it_is_held():
    observer = Monitor(TEST).observer()
    gc.collect()
    observer.epoch_ended("fit", 1, constant(3.0), None)
    assert observer.state_dict()["columns"]["epoch"] == [1]


def test_errors_go_to_the_loggers_of_the_stage_under_the_given_step():
    logged = []

    class Logger:
        def log_metrics(self, metrics, step):
            logged.append((step, metrics))

    monitor = Monitor(TEST, loggers={"fit": [Logger()], "other": []})
    monitor.observe("fit", 2, constant(3.0), step=7)
    monitor.observe("other", 1, constant(3.0), step=8)
    monitor.observe("fit", 3, constant(3.0))
    curves = monitor.curves
    expected = {"epoch": 1, "test_rmse": curves.test_rmse[0], "test_mae": curves.test_mae[0]}
    if curves.test_ndcg[0] is not None:
        expected["test_ndcg"] = curves.test_ndcg[0]
    assert logged == [(7, expected)]


def test_listeners_are_told_of_each_epoch():
    told = []

    class Listener:
        def epoch_ended(self, stage, epoch, test, valid):
            told.append((stage, epoch, test.rmse, valid))

    monitor = Monitor(TEST, listeners=[Listener()])
    monitor.observe("fit", 1, constant(3.0))
    assert told == [("fit", 1, monitor.curves.test_rmse[0], None)]


def test_without_test_ratings_nothing_is_evaluated():
    monitor = Monitor()
    monitor.observe("fit", 1, None)
    assert monitor.curves.stage == []


def test_time_is_charged_to_the_stage_or_to_evaluation():
    monitor = Monitor(TEST)
    monitor.observe("first", 1, constant(3.0))
    monitor.observe("second", 1, constant(3.0))
    assert set(monitor.seconds) == {"first", "second", "evaluation"}
    assert all(seconds >= 0 for seconds in monitor.seconds.values())
