import socket
import time
from dataclasses import replace

import pandas as pd
import pytest

import glocalk.reproduce.job
from command import call
from glocalk.executors.process import Outcome
from glocalk.records.run import read_records
from glocalk.reproduce.config import ReproduceConfig
from glocalk.reproduce.plan import Planned, expected_time, make_plan
from glocalk.reproduce.runs import Found
from glocalk.run.composed import compose_run
from inline_executor import InlineExecutor
from report.factory import record


@pytest.fixture(autouse=True)
def _no_runs_of_the_user(tmp_path, monkeypatch):
    """A plan looks for finished runs in runs/: not in those of the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    """Runs are made in this process: it has imported everything."""
    monkeypatch.setattr(glocalk.reproduce.job, "build_executor", lambda *_: InlineExecutor())


@pytest.fixture
def not_trained(monkeypatch):
    """Nothing is trained."""
    monkeypatch.setattr(InlineExecutor, "make", lambda *_: Outcome(0))


def found(*overrides, test_ratings=10):
    return Found(compose_run(overrides), overrides, "0" * 64, test_ratings)


def table(folder):
    rows = pd.read_csv(folder / "runs" / "report" / "table1.csv", dtype=str)
    return rows.set_index(["model", "data", "protocol"])["here"]


def test_baselines_on_data_that_is_there_and_gaps_for_data_that_is_not(tmp_path):
    overrides = ["data_sets=[synthetic,douban]", "models=[bias,global_mean]", "seeds=[0]"]
    process = call("reproduce", *overrides, "data_dir=nowhere", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "Douban is missing" in process.stdout.split("Plan:")[0]
    assert "synthetic bias seed 0: seconds" in process.stdout
    markdown = (tmp_path / "runs" / "report" / "table1.md").read_text()
    assert "no data" in markdown
    assert "nowhere/douban" in markdown
    rows = table(tmp_path)
    bias, mean = (float(rows[model, "synthetic", "validated"]) for model in ("bias", "global_mean"))
    assert 0.3 < bias < mean < 2
    assert rows["bias", "douban", "validated"] == "no data"
    started = time.monotonic()
    again = call("reproduce", *overrides, "data_dir=nowhere", cwd=tmp_path)
    assert again.returncode == 0
    assert again.stdout.count("done already") == 2
    assert time.monotonic() - started < 60


def test_strict_makes_a_gap_a_failure(tmp_path):
    overrides = ["data_sets=[douban]", "models=[bias]", "strict=true", "data_dir=nowhere"]
    process = call("reproduce", *overrides, cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.strip().splitlines()
    assert "nowhere/douban" in line


def test_a_machine_without_a_network_says_so_and_continues(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
    proxies = {"https_proxy": nowhere, "http_proxy": nowhere, "no_proxy": ""}
    overrides = ["data_sets=[ml_1m,douban]", "models=[bias]", "data_dir=nowhere"]
    started = time.monotonic()
    process = call("reproduce", *overrides, cwd=tmp_path, GLOCALK_OFFLINE="0", **proxies)
    assert process.returncode == 0, process.stderr
    before = process.stdout.split("Plan:")[0].strip().splitlines()
    assert before[0] == "Not in 'nowhere': MovieLens 1M, Douban. Checking download sources."
    for line, title, host in zip(
        before[1:],
        ("MovieLens 1M", "Douban"),
        ("files.grouplens.org", "raw.githubusercontent.com"),
        strict=True,
    ):
        assert line.startswith(f"{title} is missing: ")
        assert f"no connection to {host}: Connection refused" in line
    assert not (tmp_path / "nowhere").exists()
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("models=[glocl_k]", "Unknown model 'glocl_k': did you mean 'glocal_k'?"),
        ("data_sets=[nothing]", "Unknown data 'nothing'"),
        ("seeds=[-1]", "'seeds.0' cannot be -1"),
        ("seeds=[true]", "'seeds.0' cannot be True"),
        ("seed=[0]", "Unknown option 'seed': did you mean 'seeds'?"),
        ("experiment=[table2]", "Option 'experiment' is one name, as in experiment=table2."),
        ("experiment=null", "Option 'experiment' is a name, as in experiment=around."),
        ("executor=null", "Option 'executor' is a name, as in executor=local."),
    ],
)
def test_a_wrong_option_ends_in_one_sentence(override, sentence, tmp_path):
    overrides = [] if override.startswith("data") else ["data_sets=[synthetic]"]
    process = call("reproduce", *overrides, override, cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.strip().splitlines()
    assert sentence in line


def test_expected_times_come_from_committed_records():
    def time_of(test_ratings, *runs, selection="each_seed"):
        committed = [
            record(
                data=data,
                model="glocal_k",
                seed=seed,
                seconds={"total": total},
                user_counts=[60, 40],
            )
            for data, total, seed in runs
        ]
        run = found("data=synthetic", "model=glocal_k", test_ratings=test_ratings)
        protocol = run.config.protocol.model_copy(update={"selection": selection})
        config = run.config.model_copy(update={"protocol": protocol})
        (planned,) = make_plan([replace(run, config=config)], committed)
        return planned.time

    assert time_of(99) == "time unknown"
    others = ("synthetic", 7.0, 1), ("synthetic", 9.0, 2), ("douban", 5.0, 0)
    assert time_of(99, *others) == "about 8 s"
    own = "synthetic", 15.0, 0
    assert time_of(99, *others, own) == "about 9 s"  # whatever held up its own seed then
    assert time_of(99, *others, own, selection="lowest_seed") == "about 15 s"  # two trainings
    assert time_of(99, *others, selection="lowest_seed") == "about 8 s"
    assert time_of(99, ("ml_1m", 30.0, 0), ("douban", 20.0, 0)) == "less than 20 s"
    assert time_of(101, ("ml_1m", 30.0, 0)) == "time unknown"  # of a smaller data set


def planned(**changes):
    fields = {"config": None, "seconds": 0.5, "bound": False, "quick": False, "held": False}
    return Planned(**{**fields, **changes})


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        ([], "nothing to do"),
        ([planned(held=True)], "nothing to do"),
        ([planned(quick=True, seconds=None)], "about 1 s"),
        ([planned(seconds=150.0), planned(seconds=60.0)], "about 3.5 min"),
        ([planned(seconds=150.0), planned(seconds=60.0, held=True)], "about 2.5 min"),
        ([planned(seconds=7200.0), planned(seconds=None)], "about 2.0 h, and 1 of unknown time"),
    ],
)
def test_expected_times_are_added_up(plan, text):
    assert expected_time(plan) == text


@pytest.mark.parametrize(("seconds", "quick"), [(None, True), (59.0, True), (61.0, False)])
def test_a_model_without_epochs_is_quick_unless_it_takes_minutes(seconds, quick):
    told = [{"total": seconds}] if seconds else []
    committed = [record(data="synthetic", model="bias", seconds=each) for each in told]
    (made,) = make_plan([found("data=synthetic", "model=bias")], committed)
    assert made.quick is quick


def test_the_main_cell_comes_before_cheaper_ones_and_those_by_time():
    names = [("synthetic", "svd_pp"), ("synthetic", "glocal_k"), ("ml_100k", "glocal_k")]
    runs = [found(f"data={data}", f"model={model}") for data, model in names]
    runs += [found("data=synthetic", "model=bias")]
    committed = [
        record(data=data, model=model, seconds={"total": seconds})
        for (data, model), seconds in zip(names, (200.0, 100.0, 300.0), strict=True)
    ]
    assert [planned.title for planned in make_plan(runs, committed)] == [
        "synthetic bias seed 0",
        "ml_100k glocal_k seed 0",
        "synthetic glocal_k seed 0",
        "synthetic svd_pp seed 0",
    ]


@pytest.mark.usefixtures("not_trained")
def test_a_deterministic_model_is_run_for_the_first_seed_alone(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(glocalk.reproduce.job, "_show", shown.extend)
    arguments = ["data_sets=[synthetic]", "models=[bias,svd_pp]", "seeds=[3,1]"]
    assert call("reproduce", *arguments, cwd=tmp_path).returncode == 0
    titles = {planned.title for planned in shown}
    assert titles == {
        "synthetic bias seed 3",
        "synthetic svd_pp seed 3",
        "synthetic svd_pp seed 1",
    }


@pytest.mark.usefixtures("not_trained")
@pytest.mark.data("ml-100k", "douban")
def test_the_plan_is_baselines_then_the_main_cell_then_the_rest(tmp_path, data_dir, monkeypatch):
    shown = []
    monkeypatch.setattr(glocalk.reproduce.job, "_show", shown.extend)
    arguments = [f"data_dir='{data_dir.resolve()}'", "models=[glocal_k,bias,global_mean]"]
    arguments.append("data_sets=[douban,ml_100k]")
    assert call("reproduce", *arguments, cwd=tmp_path).returncode == 0
    titles = [planned.title for planned in shown]
    assert len(titles) == 6
    assert all("glocal_k" not in title for title in titles[:4])
    assert titles[4] == "ml_100k glocal_k seed 0"
    assert read_records(tmp_path) == []
    assert (tmp_path / "runs" / "report" / "table1.csv").exists()


@pytest.mark.parametrize(
    ("scope", "models", "on_ml_100k", "on_ml_1m"),
    [
        ("paper", None, ["quick", "slow"], ["quick"]),
        ("all", None, ["quick", "slow", "classic"], ["quick", "classic"]),
        ("full", None, ["quick", "slow", "classic"], ["quick", "slow", "classic"]),
        ("paper", ["slow", "classic"], ["slow", "classic"], ["slow", "classic"]),
    ],
)
def test_the_scope_decides_which_rows_are_trained(scope, models, on_ml_100k, on_ml_1m):
    both = {"data": ["ml_100k", "ml_1m"], "heavy": {"slow": ["ml_1m"]}}
    config = ReproduceConfig(
        experiment="table1",
        plan=[
            {"models": ["quick", "slow"], **both},
            {"models": ["classic"], "scope": "all", **both},
        ],
        data_sets=None,
        scope=scope,
        models=models,
        seeds=None,
        strict=False,
        force=False,
        data_dir="data",
        runs_dir="runs",
        reports_dir="reports",
    )
    points = config.points()
    assert [point.model for point in points if point.data == "ml_100k"] == on_ml_100k
    assert [point.model for point in points if point.data == "ml_1m"] == on_ml_1m
