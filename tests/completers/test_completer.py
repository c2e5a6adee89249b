"""What `Completer` itself does, on top of the methods of each model."""

import pytest

import glocalk
from glocalk.completers.baselines import Bias
from glocalk.data.side import Attributes, SideInformation
from glocalk.errors import GlocalkError
from glocalk.training.context import FitContext
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


class Needing(Bias):
    """Adds to every prediction the mean of an attribute of the users."""

    @property
    def needs(self):
        return ("user attributes",)

    def fit_matrix(self, train, context):
        super().fit_matrix(train, context)
        self.read = context.side.attributes("user").column("age").mean()


def test_side_information_that_it_needs_is_there_in_its_fit_or_one_sentence_says_what_is_not():
    completer = Needing()
    with pytest.raises(GlocalkError, match=r"Needing needs user attributes beside .* is nothing"):
        completer.fit(TRAIN)
    ages = Attributes("user", {"age": list(range(12))})
    side = SideInformation({"user attributes": ages})
    assert completer.fit(TRAIN, side=side).read == 5.5
    assert completer.fit(TRAIN, context=FitContext(side=side)).read == 5.5
    few = SideInformation({"user attributes": Attributes("user", {"age": [1, 2]})})
    with pytest.raises(GlocalkError, match="are of 2 users, and the training ratings of 12"):
        completer.fit(TRAIN, side=few)
    assert Bias().fit(TRAIN, side=few).predict([0], [0]).shape == (1,)  # needs none
