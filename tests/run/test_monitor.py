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
    torch.save(monitor.state_dict(), tmp_path / "state")
    other = Monitor(TEST)
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    for each in (monitor, other):
        each.observe("fit", 2, constant(4.0), loss=6.0)
    assert other.curves == monitor.curves
    np.testing.assert_array_equal(other.user_errors(0), monitor.user_errors(0))


def test_a_diverged_training_is_an_error():
    with pytest.raises(GlocalkError, match="diverged"):
        Monitor(TEST).observe("fit", 1, constant(np.nan))
