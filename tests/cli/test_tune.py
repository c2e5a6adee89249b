import shlex

import pytest

from command import call
from glocalk.records.run import Record
from glocalk.records.search import Budget, Search
from glocalk.run.compose import as_dict, compose

DATA = ["data=synthetic", "data.users=40", "data.items=30", "data.ratings=300", "model=bias"]


def tune(folder, *options):
    return call("tune", *DATA, *options, "runs_dir=runs", cwd=folder)


def test_a_search_prints_its_trials_and_the_best(tmp_path):
    result = tune(tmp_path, "trials=2")
    assert result.returncode == 0, result.stderr
    (path,) = tmp_path.glob("runs/searches/synthetic-bias/search.json")
    search = Search.read(path)
    assert [trial.state for trial in search.trials] == ["done"] * 2
    assert f"Trial 2 of 2: {search.trials[1].tried}" in result.stdout
    assert f"Best: {search.best.tried}" in result.stdout
    command = shlex.split(result.stdout.strip().splitlines()[-1].partition("glocalk ")[2])
    assert not any("trials" in word or "search" in word for word in command)
    assert call(*command, "save_model=false", cwd=tmp_path).returncode == 0
    (path,) = tmp_path.glob("runs/*/record.json")
    model = {"joint": False, **Record.read(path).config["model"]}  # a default is not written
    for name, value in search.best.options.items():
        assert model[name] == pytest.approx(value, rel=1e-3)


def test_a_search_has_the_budget_of_its_experiment_unless_another_is_given(tmp_path):
    for options, hours in (([], 0.05), (["hours=0.1"], 0.1), (["hours=null"], None)):
        result = tune(tmp_path, "experiment=tuned", "trials=2", *options, "force=true")
        assert result.returncode == 0, result.stderr
        (path,) = tmp_path.glob("runs/searches/tuned/synthetic-bias/search.json")
        assert Search.read(path).budget == Budget(trials=2, hours=hours)


def test_a_list_of_values_takes_the_place_of_a_range(tmp_path):
    result = tune(tmp_path, "trials=9", "search.item_damping=[3,7]", "~search.user_damping")
    assert result.returncode == 0, result.stderr
    (path,) = tmp_path.glob("runs/searches/synthetic-bias/search.json")
    search = Search.read(path)
    assert search.space["item_damping"] == [3, 7]
    present = search.trials[0].options["item_damping"]
    assert {trial.options["item_damping"] for trial in search.trials} == {present, 3, 7}
    result = tune(tmp_path, "search.item_dampnig=[3,7]")
    assert result.returncode == 1
    assert "search.item_dampnig" in result.stderr


def test_a_search_space_of_ones_own_goes_before_that_of_the_package(tmp_path):
    path = tmp_path / "own/search/bias.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("joint: [true, false]\n")
    result = tune(tmp_path, "trials=9", "--config-dir", str(tmp_path / "own"))
    assert result.returncode == 0, result.stderr
    (path,) = tmp_path.glob("runs/searches/synthetic-bias/search.json")
    assert Search.read(path).space == {"joint": [True, False]}


def test_a_list_takes_the_place_of_a_range_on_a_data_set_and_a_range_that_of_a_list(tmp_path):
    path = tmp_path / "own/search_on/synthetic/item_knn.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("neighbors: [5, 10]\nbaseline: {item_damping: [3.0, 4.0]}\nshrinkage: {low: 9}")
    both = tmp_path / "own/search_on/synthetic/bias.yaml"
    both.write_text("joint: {low: 0, high: 1}\n")
    config_dirs = [tmp_path / "own"]
    plain = as_dict(compose("tune", ["model=item_knn", "data=ml_100k"], config_dirs))["search"]
    changed = as_dict(compose("tune", ["model=item_knn", "data=synthetic"], config_dirs))["search"]
    assert plain["baseline"]["item_damping"].keys() == {"low", "high", "log"}
    assert changed == {
        **plain,
        "neighbors": [5, 10],
        "baseline": {**plain["baseline"], "item_damping": [3.0, 4.0]},
        "shrinkage": {**plain["shrinkage"], "low": 9},
    }
    of_bias = as_dict(compose("tune", ["model=bias", "data=synthetic"], config_dirs))["search"]
    assert of_bias["joint"] == {"low": 0, "high": 1}


def test_the_command_to_train_has_no_trace_of_the_search(tmp_path):
    result = tune(tmp_path, "trials=2", "~search", "+search.item_damping=[3,7]")
    command = shlex.split(result.stdout.strip().splitlines()[-1].partition("glocalk ")[2])
    assert not any("search" in word for word in command)
    assert call(*command, "save_model=false", cwd=tmp_path).returncode == 0


def test_a_search_without_a_trial_that_could_be_trained_fails(tmp_path):
    rate = "model.sgd.learning_rate=1e30", "search.sgd.learning_rate={low: 1e29, high: 1e30}"
    result = tune(tmp_path, "model=bias_mf", *rate, "trials=1")
    assert result.returncode == 1
    assert "No trial of 1 could be trained" in result.stderr
    assert "diverged" in result.stderr + result.stdout


def test_impossible_searches_end_in_one_sentence(tmp_path):
    for options, sentence in (
        (["search.item_damping={low: 500}"], "The search over 'item_damping' cannot be"),
        (["+search.damping=[1,2]"], "an option that the model does not have: 'damping'"),
        (["search.item_damping=[5,-1]"], "impossible value: Option 'model.item_damping' cannot be"),
        (["search.joint=[7]"], "The search tries an impossible value: Option 'model.joint'"),
        (["search.item_damping={low: 0, high: 9}"], "log: true if low > 0"),
        (["search={}"], "names no option to try"),
        (["search=null"], "Option 'search' is a name, as in search="),
        (["trials=0"], "Option 'trials' cannot be 0"),
        (["model=global_mean"], "search"),
    ):
        result = tune(tmp_path, *options)
        assert result.returncode == 1
        assert sentence in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
