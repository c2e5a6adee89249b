"""A plan whose runs have the hyperparameters of searches that come before them."""

import re
from collections import Counter
from itertools import product

import pytest

import glocalk.reproduce.job
from command import call
from glocalk.executors.process import Outcome
from glocalk.records.run import Record
from glocalk.records.search import Budget, Search
from inline_executor import InlineExecutor
from reproduce.plans import config_of

SMALL = ["data=synthetic", "data.users=40", "data.items=30", "data.ratings=300"]

# Bias begins with a damping that is far too large; Biased MF by ALS with penalties that are good:
# nearly all others in its ranges are far too large.
CONFIGS = {
    "settings/bias/synthetic.yaml": "# @package _global_\nmodel: { item_damping: 1000.0 }\n",
    "search_on/synthetic/bias.yaml": "item_damping: { low: 0.1, high: 1000.0 }\n",
    "settings/bias_mf_als/synthetic.yaml": "# @package _global_\nmodel: { rank: 2, epochs: 3 }\n",
    "search_on/synthetic/bias_mf_als.yaml": "rank: [2]\n"
    "regularization: { low: 0.1, high: 1e9 }\n"
    "bias_regularization: { low: 0.01, high: 1e9 }\n",
}


@pytest.fixture(autouse=True)
def executor(monkeypatch, tmp_path):
    """Runs and searches are made in this process."""
    monkeypatch.chdir(tmp_path)
    made = InlineExecutor()
    monkeypatch.setattr(glocalk.reproduce.job, "build_executor", lambda *_: made)
    return made


@pytest.fixture
def configs(tmp_path):
    for name, text in CONFIGS.items():
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return ["--config-dir", str(tmp_path / "conf")]


def tuned(folder, configs, *options, models="bias,bias_mf_als,global_mean"):
    return call(
        *("reproduce", "experiment=tuned", f"models=[{models}]", "seeds=[0,1]", *SMALL),
        *(*options, *configs),
        cwd=folder,
    )


def recorded(folder):
    return [Record.read(path) for path in folder.glob("runs/*/record.json")]


def test_runs_have_the_best_of_their_search_and_others_stand_where_none_is_better(
    tmp_path, configs, executor
):
    process = tuned(tmp_path, configs, "trials=6")
    assert process.returncode == 0, process.stderr
    found = {
        path.parent.name: Search.read(path) for path in tmp_path.glob("runs/searches/*/*/*.json")
    }
    assert set(found) == {"synthetic-bias", "synthetic-bias_mf_als"}
    for search in found.values():
        assert search.experiment == "tuned"
        assert search.valid_seed == 1000
        assert (search.budget.trials, search.budget.hours) == (6, 0.05)
    best = found["synthetic-bias"].best.options
    assert best["item_damping"] < 1000
    als = found["synthetic-bias_mf_als"]
    assert als.best is als.trials[0]

    records = recorded(tmp_path)
    made = {(record.model, record.experiment, record.seed) for record in records}
    assert made == {
        ("bias", "tuned", 0),  # deterministic
        ("bias_mf_als", "table1", 0),
        ("bias_mf_als", "table1", 1),
        ("global_mean", "table1", 0),
    }
    (bias,) = (record for record in records if record.model == "bias")
    assert {"joint": False, **bias.config["model"]} == {"name": "bias", **best}
    assert bias.settings_from == "validation"
    table = (tmp_path / "runs" / "report" / "tuned.md").read_text()
    figure = f"{bias.protocols['validated'].rmse:.4f}".removeprefix("0")
    assert f"\n| User + item bias |  | {figure} |" in table
    assert re.search(r"\n\| Biased MF by ALS \|  \| 1?\.\d{4} ± \.\d{4} = \|", table)
    assert "Budget of every search: 6 trials that take 0.05 h together" in table

    before = len(executor.calls)
    again = tuned(tmp_path, configs, "trials=6")
    assert again.returncode == 0, again.stderr
    assert "Searches for hyperparameters: 0 of 2 to make." in again.stdout
    assert len(executor.calls) == before


def test_a_seed_of_runs_that_also_judges_the_searches_is_said(tmp_path, configs):
    for seeds, count in (("[0,1]", 0), ("[0,1000]", 1)):
        process = tuned(tmp_path, configs, "trials=1", f"seeds={seeds}", models="bias_mf_als")
        assert process.returncode == 0, process.stderr
        said = "With searches.valid_seed=1000, the trials are judged by the ratings that a"
        assert process.stdout.count(said) == count


def test_rows_without_their_search_are_left_out_and_named(tmp_path, configs, monkeypatch):
    def fail(executor, arguments, command="train"):
        return Outcome(1, "it failed") if command == "tune" else make(executor, arguments, command)

    make = InlineExecutor.make
    monkeypatch.setattr(InlineExecutor, "make", fail)
    process = tuned(tmp_path, configs, models="bias,global_mean")
    assert process.returncode == 1
    assert process.stderr.strip().endswith(
        "Failed: synthetic bias search: see above, then start again."
    )
    assert {record.model for record in recorded(tmp_path)} == {"global_mean"}


def test_searches_may_have_no_limit_of_time(tmp_path):
    path = tmp_path / "conf/experiment/mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(
        "# @package _global_\n"
        "searches: { trials: 2, hours: null }\n"
        "plan: [{ models: [bias], data: [synthetic] }]\n"
    )
    options = ["experiment=mine", "--config-dir", str(tmp_path / "conf"), *SMALL]
    process = call("reproduce", *options, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    (path,) = tmp_path.glob("runs/searches/mine/*/search.json")
    assert Search.read(path).budget == Budget(trials=2, hours=None)


def test_a_budget_is_of_an_experiment_with_searches(tmp_path):
    process = call("reproduce", "models=[bias]", *SMALL, "hours=1", cwd=tmp_path)
    assert process.returncode == 1
    assert process.stderr.strip() == (
        "Option 'hours' is of an experiment with searches, as in experiment=tuned."
    )
    process = call("reproduce", "experiment=tuned", *SMALL, "trials=0", cwd=tmp_path)
    assert process.returncode == 1
    assert process.stderr.startswith("Option 'trials' cannot be 0: ")


def test_the_plan_has_every_model_with_hyperparameters():
    config = config_of("tuned")
    points = Counter((point.data, point.model) for point in config.points())
    counts = Counter(data for data, _ in points)
    assert counts == {"ml_100k": 29, "douban": 26, "ml_1m": 18, "flixster": 26, "yahoo_music": 26}
    once = {place for place, seeds in points.items() if seeds == 1}
    assert once == {
        ("yahoo_music", "cf_nade"),
        *(("ml_1m", model) for model in ("graphrec", "graphrec_extra", "igmc")),
        *product(("ml_100k", "douban", "flixster", "yahoo_music"), ("f_eae", "srgcnn")),
    }
    assert {seeds for place, seeds in points.items() if place not in once} == {3}
    assert config.searches.model_dump() == {"trials": 12, "hours": 0.05, "valid_seed": 1000}


def test_one_model_on_one_data_set_has_one_search(tmp_path):
    path = tmp_path / "conf/experiment/shares.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(
        "# @package _global_\n"
        "searches: { trials: 2, hours: 0.1 }\n"
        "plan: [{ models: [bias], data: [synthetic], sweeps: ['train_share=0.5,0.8'] }]\n"
    )
    options = ["experiment=shares", "--config-dir", str(tmp_path / "conf")]
    process = call("reproduce", *options, cwd=tmp_path)
    assert process.returncode == 1
    assert process.stderr.strip() == (
        "The plan of experiment 'shares' has several searches over bias on synthetic, and there is "
        "one record for them: sweep no options in a plan with searches."
    )
    assert not list(tmp_path.glob("runs/searches/**/*.json"))
