"""Checkpoints of loops, with a loop whose state is a number, an array and a random generator."""

import numpy as np
import pytest

from glocalk import stopping
from glocalk.stopping import StoppedError, only_at_safe_points
from glocalk.training.checkpoints import UnloadableCheckpointError
from glocalk.training.context import FitContext
from glocalk.training.loop import LoopCheckpoints


class Loop:
    """Adds a random vector in each epoch."""

    def __init__(self):
        self.epoch, self.sum = 0, np.zeros(4)
        self.generator = np.random.default_rng(3)

    def state(self):
        return {
            "epoch": self.epoch,
            "sum": self.sum,
            "generator": self.generator.bit_generator.state,
        }

    def restore(self, state):
        self.epoch, self.sum = state["epoch"], state["sum"]
        self.generator.bit_generator.state = state["generator"]

    def run(self, context, epochs, until=None):
        checkpoints = LoopCheckpoints(context, "fit")
        checkpoints.load(self.restore)
        while self.epoch < (until or epochs):
            self.epoch += 1
            self.sum += self.generator.standard_normal(4)
            checkpoints.save(self.state, last=self.epoch == epochs)
        return self


@pytest.fixture(autouse=True)
def _no_request():
    yield
    stopping.forget()


def test_a_loop_continues_with_the_same_bits(tmp_path):
    whole = Loop().run(FitContext(), 9)
    Loop().run(FitContext(folder=tmp_path), 9, until=4)
    continued = Loop().run(FitContext(folder=tmp_path), 9)
    np.testing.assert_array_equal(continued.sum, whole.sum)
    assert continued.generator.random() == whole.generator.random()
    assert [path.name for path in tmp_path.iterdir()] == ["fit.ckpt"]


def test_a_finished_loop_is_not_repeated(tmp_path):
    whole = Loop().run(FitContext(folder=tmp_path, checkpoint_seconds=1000), 5)
    again = Loop()
    again.generator = np.random.default_rng(99)  # what it would draw does not matter
    again.run(FitContext(folder=tmp_path), 5)
    np.testing.assert_array_equal(again.sum, whole.sum)


def test_between_two_checkpoints_lies_the_time_that_is_asked_for(tmp_path):
    Loop().run(FitContext(folder=tmp_path, checkpoint_seconds=1000), 5, until=4)
    assert not list(tmp_path.iterdir())


def test_a_request_to_stop_saves_first(tmp_path):
    context = FitContext(folder=tmp_path, checkpoint_seconds=1000)
    checkpoints = LoopCheckpoints(context, "fit")
    asked = Loop().run(FitContext(), 1)
    with only_at_safe_points():
        stopping.request(15)
        with pytest.raises(StoppedError):
            checkpoints.save(asked.state)
        stopping.forget()
    loop = Loop()
    LoopCheckpoints(context, "fit").load(loop.restore)
    assert loop.epoch == 1


@pytest.mark.parametrize("content", [{"epoch": 3}, {"epoch": 3, "sum": "text"}, {}])
def test_a_state_that_cannot_be_restored_is_set_aside(tmp_path, content):
    context = FitContext(folder=tmp_path)
    LoopCheckpoints(context, "fit").save(lambda: content)
    with pytest.raises(UnloadableCheckpointError, match=r"is damaged: it was renamed to .*ckpt\."):
        Loop().run(context, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["fit.ckpt.damaged"]
    np.testing.assert_array_equal(Loop().run(context, 5).sum, Loop().run(FitContext(), 5).sum)
