"""Members of a combination by config name: their options on a data set, and overrides of these."""

import pytest

from glocalk.errors import GlocalkError
from glocalk.run.compose import compose
from glocalk.run.composed import compose_run


def members(*overrides):
    return compose("train", ["data=ml_100k", *overrides]).model.members


def test_members_have_the_hyperparameters_of_the_data_set_and_what_is_changed_of_them():
    found = members(
        "model=stack", "model.members.item_knn.neighbors=7", "model.members=[bias,item_knn,svd_pp]"
    )
    assert list(found) == ["bias", "item_knn", "svd_pp"]
    assert (found.item_knn.neighbors, found.item_knn.shrinkage) == (7, 100.0)
    assert found.svd_pp.epochs == 46
    assert found.svd_pp._settings_from_ == "validation"


def test_members_are_added_and_removed():
    found = members(
        "model=stack",
        "model.members=[bias,item_knn]",
        "+model.members.llorma={}",
        "+model.members.mine._target_=glocalk.SVDPlusPlus",
        "~model.members.bias",
    )
    assert list(found) == ["item_knn", "llorma", "mine"]
    assert found.llorma.anchors == 100
    assert found.mine.epochs == 116  # the default of the class


def test_the_plan_s_members_are_those_of_settings():
    assert list(members("model=ensemble")) == [
        *("cf_nade", "gc_mc", "glocal_k", "i_autorec", "llorma", "sparse_fc")
    ]
    assert members("model=glocal_k_ensemble").glocal_k.lambda_2 == 20.0


def test_a_member_s_run_can_be_made_alone():
    options = ["data=ml_100k", "model=stack", "model.members=[bias,item_knn]"]
    run = compose_run([*options, "member=item_knn", "seed=3"])
    assert (run.model_name, run.seed, run.variant) == ("item_knn", 3, "default")
    assert run.settings_from == "validation"
    assert run.model["neighbors"] == 25


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.members=[bais]"], "Unknown model 'bais' in 'model.members': did you mean 'bias'"),
        (["model.members=[bias,bias]"], "names 'bias' twice"),
        (["model.members=[3]"], "3 is no name"),
        (["model.members=[]"], "'model.members' is empty: name a model"),
        (["model.members={}"], "'model.members' is empty: name a model"),
    ],
)
def test_what_names_no_member_is_refused_in_one_sentence(overrides, message):
    with pytest.raises(GlocalkError, match=message):
        compose("train", ["model=stack", *overrides])


def test_a_member_of_no_combination_is_refused():
    with pytest.raises(GlocalkError, match="is no combination: leave it out"):
        compose_run(["model=bias", "member=bias"])
