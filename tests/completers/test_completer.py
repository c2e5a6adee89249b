"""What `Completer` itself does, on top of the methods of each model."""

import pytest

import glocalk
from glocalk.completers.baselines import Bias
from planted import planted

TRAIN, _ = planted(num_users=12, num_items=9)


def test_it_shows_the_options_that_differ_from_the_defaults():
    assert repr(glocalk.GLocalK()) == "GLocalK()"
    model = glocalk.GLocalK(hidden_size=7, finetune={"epochs": 3}, lambda_2=20.0)
    assert repr(model) == "GLocalK(hidden_size=7, finetune={'epochs': 3})"
    assert eval(repr(model), {"GLocalK": glocalk.GLocalK}).config == model.config


class Failing(Bias):
    fails = False

    def fit_matrix(self, train, context):
        super().fit_matrix(train, context)
        if self.fails:
            raise RuntimeError("half way")


def test_a_fit_that_fails_leaves_it_unfitted(monkeypatch):
    completer = Failing().fit(TRAIN)
    assert completer.predict([0], [0]).shape == (1,)
    monkeypatch.setattr(Failing, "fails", True)
    with pytest.raises(RuntimeError, match="half way"):
        completer.fit(TRAIN)
    with pytest.raises(glocalk.NotFittedError):
        completer.predict([0], [0])
    with pytest.raises(glocalk.NotFittedError):
        completer.state()
