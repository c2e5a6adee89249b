"""Ensembles and stacks: what they predict, and the forms in which members are given."""

import numpy as np
import pandas as pd
import pytest
import torch

import glocalk
from glocalk.completers.combined.weights import convex_weights
from glocalk.data.divisions import AtRandom
from glocalk.errors import GlocalkError
from glocalk.inference.model_file import ModelFile
from planted import planted

TRAIN, HELD = planted(num_users=30, num_items=24)
PAIRS = HELD.users, HELD.items
FACTORS = {"rank": 2, "epochs": 3}


def clipped(model):
    return np.clip(model.predict_pairs(*PAIRS), 1, 5)


def test_an_ensemble_predicts_the_mean_of_its_members():
    members = [glocalk.Bias(), glocalk.BiasMF(**FACTORS)]
    model = glocalk.Ensemble(members=members).fit(TRAIN, seed=3)
    own = [clipped(member.fit(TRAIN, seed=3)) for member in members]
    np.testing.assert_allclose(model.predict_pairs(*PAIRS), np.mean(own, axis=0), atol=1e-12)
    assert model.num_parameters == sum(member.num_parameters for member in members)


def test_ensembles_of_several_seeds_share_no_training():
    model = glocalk.Ensemble(members=[glocalk.BiasMF(**FACTORS)], seeds=3)
    assert model.trainings(2) == (("bias_mf", 6), ("bias_mf", 7), ("bias_mf", 8))
    own = [clipped(glocalk.BiasMF(**FACTORS).fit(TRAIN, seed=seed)) for seed in (6, 7, 8)]
    fitted = model.fit(TRAIN, seed=2)
    np.testing.assert_allclose(fitted.predict_pairs(*PAIRS), np.mean(own, axis=0), atol=1e-12)


def test_a_stack_takes_its_weights_from_what_it_holds_out():
    members = [glocalk.GlobalMean(), glocalk.Bias(), glocalk.ItemKNN(neighbors=5)]
    model = glocalk.Stack(members=members, held_out=0.3).fit(TRAIN, seed=1)
    held_out = AtRandom().choose(TRAIN, 0.3, 1)
    known, asked = TRAIN.select(~held_out), TRAIN.select(held_out)
    predicted = [
        np.clip(member.fit(known).predict_pairs(asked.users, asked.items), 1, 5)
        for member in members
    ]
    weights = convex_weights(np.column_stack(predicted), asked.ratings).members
    own = np.column_stack([clipped(member.fit(TRAIN)) for member in members])
    np.testing.assert_allclose(model.predict_pairs(*PAIRS), own @ weights, atol=1e-9)
    assert model.num_parameters == sum(member.num_parameters for member in members) + 3


def test_a_stack_of_several_seeds_predicts_the_mean_of_the_stacks_of_each():
    members = [glocalk.GlobalMean(), glocalk.Bias(), glocalk.BiasMF(**FACTORS)]
    own = [
        glocalk.Stack(members=members, held_out=0.3).fit(TRAIN, seed=seed).predict_pairs(*PAIRS)
        for seed in (2, 3)
    ]
    model = glocalk.Stack(members=members, held_out=0.3, seeds=2).fit(TRAIN, seed=1)
    np.testing.assert_allclose(model.predict_pairs(*PAIRS), np.mean(own, axis=0), atol=1e-12)
    assert len(model.state()["weights"]) == 6


def test_a_ridge_stack_of_several_seeds_has_the_mean_of_their_intercepts():
    options = {"members": [glocalk.Bias(), glocalk.ItemKNN()], "method": "ridge", "held_out": 0.3}
    own = [glocalk.Stack(**options).fit(TRAIN, seed=seed).predict_pairs(*PAIRS) for seed in (0, 1)]
    model = glocalk.Stack(**options, seeds=2).fit(TRAIN, seed=0)
    np.testing.assert_allclose(model.predict_pairs(*PAIRS), np.mean(own, axis=0), atol=1e-12)


def test_members_of_one_class_are_numbered():
    model = glocalk.Stack(members=[glocalk.Bias(), glocalk.Bias(user_damping=1)])
    assert list(model.members) == ["bias", "bias_2"]


def test_a_combination_folds_in_where_all_members_can():
    assert glocalk.Ensemble(members=[glocalk.Bias()]).folds_in == {"users", "items"}
    model = glocalk.Ensemble(members=[glocalk.Bias(), glocalk.AutoRec()])
    assert model.folds_in == {"items"}
    assert not glocalk.Ensemble(members=[glocalk.GCMC()]).folds_in


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_newcomer_gets_the_combination_of_what_each_member_predicts(seeds, tmp_path):
    new = pd.DataFrame({"user": 30, "item": [0, 3, 5, 9], "rating": [5.0, 1.0, 4.0, 2.0]})
    asked = np.full(24, 30), np.arange(24)
    kinds = [lambda: glocalk.Bias(), lambda: glocalk.BiasMF(**FACTORS)]
    model = glocalk.Stack(members=[kind() for kind in kinds], held_out=0.3, seeds=seeds)
    model.fit(TRAIN, seed=0)
    own = [
        np.clip(kind().fit(TRAIN, seed=seed).fold_in(new).predict(*asked), 1, 5)
        for kind in kinds
        for seed in range(seeds)
    ]
    expected = model.state()["weights"].numpy() @ own
    model.save(tmp_path / "stack.pt")
    for fitted in (model, glocalk.load(tmp_path / "stack.pt")):
        found = fitted.fold_in(new).predict(*asked)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_combination_is_of_another_version_if_a_member_is(monkeypatch):
    model = glocalk.Ensemble(members=[glocalk.Bias(), glocalk.GlobalMean()])
    before = model.model_version
    monkeypatch.setattr(glocalk.Bias, "model_version", glocalk.Bias.model_version + 2)
    assert model.unfitted().model_version == before + 2


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "Option 'members' cannot be {}: "),
        (["bias"], "Option 'members' is a list of completers, and 'bias' is none: make one"),
        (glocalk.Bias(), "Option 'members' is a list of completers"),
        ({"bias": 3}, "Option 'members.bias' is a completer or its options, not 3"),
        ({"mine": {}}, "'members.mine' names no class: give it a '_target_'"),
        ({"bias": {"user_dampin": 3}}, "'members.bias.user_dampin': did you mean 'user_damping'"),
        ({"a/b": glocalk.Bias()}, "a name has at most 100 letters"),
        ([glocalk.Ensemble()], "Option 'members.ensemble' names a combination"),
    ],
)
def test_members_that_are_none_are_refused_in_one_sentence(members, message):
    with pytest.raises(GlocalkError) as error:
        glocalk.Stack(members=members)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_imports_no_module_for_a_member(tmp_path):
    model = glocalk.Ensemble(members=[glocalk.Bias()]).fit(TRAIN)
    model.save(tmp_path / "model.pt")
    file = ModelFile.read(tmp_path / "model.pt")
    file.options["members"]["bias"]["_target_"] = "this_module.Imported"
    (tmp_path / "this_module.py").write_text("raise SystemExit(1)")
    file.write(tmp_path / "other.pt")
    with pytest.raises(GlocalkError, match=r"'this_module.Imported', a class outside glocalk"):
        glocalk.load(tmp_path / "other.pt")


def test_a_damaged_member_is_named(tmp_path):
    model = glocalk.Ensemble(members=[glocalk.Bias()]).fit(TRAIN)
    model.save(tmp_path / "model.pt")
    file = ModelFile.read(tmp_path / "model.pt")
    file.state["0/mean"] = torch.tensor(float("nan"), dtype=torch.float64)
    file.write(tmp_path / "other.pt")
    with pytest.raises(GlocalkError, match=r"The saved '0/mean' is not finite"):
        glocalk.load(tmp_path / "other.pt")


def test_a_combination_shows_all_of_its_members():
    members = [glocalk.Bias(), glocalk.ItemKNN(neighbors=5)]
    assert repr(glocalk.Stack(members=members)) == ("Stack(members=[Bias(), ItemKNN(neighbors=5)])")
    assert repr(glocalk.Ensemble(members=members, seeds=2)) == (
        "Ensemble(members=[Bias(), ItemKNN(neighbors=5)], seeds=2)"
    )
    assert repr(glocalk.Stack()) == "Stack()"
    first, second = (glocalk.Ensemble(members=[one, glocalk.GlobalMean()]) for one in members)
    assert repr(first) != repr(second)
