import json

import numpy as np
import pytest

from command import run
from glocalk.records.search import Search, Trial
from glocalk.report.searches import promote_searches, read_searches, searches_csv

DATA = ["data=synthetic", "data.users=40", "data.items=30", "data.ratings=300"]


def searched(tmp_path, *options):
    tmp_path.mkdir(exist_ok=True)
    result = run("tune", *DATA, *options, "runs_dir=runs", cwd=tmp_path)
    (path,) = tmp_path.glob("runs/searches/*/search.json")
    return result, Search.read(path), path


def test_a_search_finds_the_least_validation_error_of_its_trials(tmp_path):
    result, search, path = searched(tmp_path, "model=bias", "trials=4")
    assert result.returncode == 0, result.stderr
    assert [trial.state for trial in search.trials] == ["done"] * 4
    # The settings as they stand come first.
    assert search.trials[0].options == {"item_damping": 25.0, "user_damping": 10.0}
    errors = [trial.valid_rmse for trial in search.trials]
    assert search.best.valid_rmse == min(errors)
    assert f"Best: {search.best.tried}" in result.stdout
    assert len(set(errors)) == 4
    assert not (path.parent / "training").exists()


def test_trials_are_judged_by_held_out_ratings_and_never_by_test(tmp_path):
    """The first trial's error, from the equations of `bias` and the synthetic data."""
    from glocalk.data.datasets.synthetic import Synthetic, SyntheticConfig

    _, search, _ = searched(tmp_path, "model=bias", "trials=1")
    config = dict(search.config["data"])
    config.pop("name"), config.pop("_target_")
    split = Synthetic(SyntheticConfig(**config)).split(tmp_path)
    part = split.hold_out(0.05, 0)
    train, valid = part.train, part.valid
    mean = train.ratings.mean()
    item, user = np.zeros(train.num_items), np.zeros(train.num_users)
    for i in range(train.num_items):
        of = train.items == i
        item[i] = (train.ratings[of] - mean).sum() / (25 + of.sum())
    for u in range(train.num_users):
        of = train.users == u
        user[u] = (train.ratings[of] - mean - item[train.items[of]]).sum() / (10 + of.sum())
    predicted = np.clip(mean + item[valid.items] + user[valid.users], *train.scale)
    expected = np.sqrt(np.mean((predicted - valid.ratings) ** 2))
    assert search.trials[0].valid_rmse == pytest.approx(expected, abs=1e-9)


def test_a_stopped_search_goes_on(tmp_path):
    _, whole, _ = searched(tmp_path / "whole", "model=bias", "trials=5")
    searched(tmp_path / "cut", "model=bias", "trials=3")
    _, resumed, _ = searched(tmp_path / "cut", "model=bias", "trials=5")
    assert [t.options for t in resumed.trials] == [t.options for t in whole.trials]
    assert [t.valid_rmse for t in resumed.trials] == [t.valid_rmse for t in whole.trials]


def test_a_training_that_lags_is_pruned(tmp_path):
    options = ["model=glocal_k", "model.hidden_size=8", "model.finetune.epochs=0"]
    space = "+search={lambda_2: [20.0, 20.5, 21.0, 21.5, 1e6]}"
    _, search, _ = searched(
        tmp_path, *options, "model.pretrain.epochs=12", "~search", space, "trials=6"
    )
    assert search.trials[0].options == {"lambda_2": 20.0}
    assert search.trials[0].state == "done"
    hopeless = [trial for trial in search.trials if trial.options["lambda_2"] == 1e6]
    assert hopeless
    for trial in hopeless:
        assert trial.state == "pruned"
        assert trial.valid_rmse > search.best.valid_rmse


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["model=bias", "search.item_damping={low: 500}"], "The search over 'item_damping' cannot"),
        (["model=bias", "+search.damping=[1,2]"], "names an option that the model lacks: 'damp"),
        (["model=bias", "trials=0"], "Option 'trials' cannot be 0"),
        (["model=global_mean"], "search"),
    ],
    ids=str,
)
def test_impossible_searches_end_in_one_sentence(tmp_path, options, sentence):
    result = run("tune", *DATA, *options, "runs_dir=runs", cwd=tmp_path)
    assert result.returncode == 1
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def made(**changes):
    trials = [
        Trial(options={"rank": 8}, state="done", valid_rmse=0.95, epoch=3, seconds=1.04),
        Trial(options={"rank": 16}, state="done", valid_rmse=0.94, epoch=5, seconds=2.0),
        Trial(options={"rank": 32}, state="pruned", valid_rmse=0.93, epoch=1, seconds=0.5),
        Trial(options={"rank": 64}, state="failed", valid_rmse=None, epoch=None, seconds=0.1),
    ]
    fields = {
        "data": "ml_100k", "model": "bias_mf", "seed": 0, "config": {}, "space": {},
        "identity": "i", "data_checksum": "d", "model_version": 1, "commit": "c", "dirty": False,
        "versions": {}, "threads": 2, "trials": trials,
    }  # fmt: skip
    return Search(**{**fields, **changes})


def test_the_table_has_a_line_for_each_trial():
    lines = searches_csv([made()]).splitlines()
    assert lines[1:] == [
        "ml_100k,bias_mf,1,rank=8,done,0.950000,3,no,1.0",
        "ml_100k,bias_mf,2,rank=16,done,0.940000,5,yes,2.0",
        "ml_100k,bias_mf,3,rank=32,pruned,0.930000,1,no,0.5",
        "ml_100k,bias_mf,4,rank=64,failed,,,no,0.1",
    ]


def test_a_search_of_a_committed_tree_is_promoted(tmp_path):
    place = tmp_path / "runs" / "searches" / "ml_100k-bias_mf" / "search.json"
    made().write(place)
    promote_searches(tmp_path / "runs", tmp_path / "reports")
    (search,) = read_searches(tmp_path / "reports" / "searches")
    assert search == made()
    made(dirty=True).write(place)
    with pytest.raises(Exception, match="uncommitted tree"):
        promote_searches(tmp_path / "runs", tmp_path / "reports")
    place.write_text(json.dumps({"data": "ml_100k"}))
    with pytest.raises(Exception, match="is not a complete record of a search"):
        promote_searches(tmp_path / "runs", tmp_path / "reports")
