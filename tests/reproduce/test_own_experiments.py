"""Experiments of a user's own: what a plan may hold, and the sentence that ends a wrong one."""

import re
import statistics

import pytest

from command import call
from glocalk.errors import GlocalkError
from glocalk.records.run import Record
from glocalk.report.tables import with_sd
from glocalk.reproduce.runs import compose_runs, find_runs
from glocalk.run.composed import compose_run
from reproduce.plans import config_of

SYNTHETIC = "glocalk.data.datasets.synthetic.Synthetic"
PLAN = "plan:\n  - models: [bias]\n    data: [synthetic]\n"


def own_experiment(folder, text):
    (folder / "experiment").mkdir(exist_ok=True)
    (folder / "experiment" / "mine.yaml").write_text(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("save_model: false\n", "Experiment 'mine' has no plan"),
        ("- save_model: false\n", "Experiment 'mine' has no plan"),
        (PLAN.replace("models", "model"), "'plan.0.model': did you mean 'models'"),
        (f"{PLAN}    sweeps: [model.rank]\n", "Option 'plan.0.sweeps.0' cannot be 'model.rank'"),
        (f"{PLAN}    sweeps: [seed=1]\n", "'seed' is no option of a sweep"),
        (f"{PLAN}    sweeps: [runs_dir=other]\n", "'runs_dir' is not set by a plan"),
        (f"{PLAN}    fixed: variant=mine\n", "'variant' is not set by a plan"),
        (f'{PLAN}    fixed: "model.rank=1,2"\n', "each of its options has one value"),
        (f"{PLAN}    heavy: {{biass: [synthetic]}}\n", "heavy names biass, which the plan lacks"),
        (f"{PLAN}    seeds: [true]\n", "'plan.0.seeds.0' cannot be True"),
        (f'{PLAN}    seeds: ["0"]\n', "'plan.0.seeds.0' cannot be '0'"),
    ],
)
def test_a_wrong_plan_is_refused(text, sentence, tmp_path):
    own_experiment(tmp_path, f"# @package _global_\n{text}")
    with pytest.raises(GlocalkError, match=sentence):
        config_of("mine", config_dirs=[tmp_path])


@pytest.mark.parametrize("option", ["+plan=[]", "+config_dirs=[]"])
def test_a_plan_is_not_written_on_the_command_line(option):
    with pytest.raises(GlocalkError, match=r"is not set on the command line: write a plan into"):
        config_of("table2", option)


def test_a_plan_is_not_swept_over(tmp_path):
    process = call("reproduce", "-m", "experiment=fig2,fig3", cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert "takes no -m" in line
    assert not list(tmp_path.iterdir())


def test_options_of_all_runs_of_a_block_name_no_variant(tmp_path):
    fixed = "    sweeps: [model.rank=3]\n    fixed: protocol.clip=false\n"
    plan = PLAN.replace("bias", "bias_mf")
    own_experiment(tmp_path, f"# @package _global_\n{plan}{fixed}")
    (run,) = compose_runs(config_of("mine", config_dirs=[tmp_path]))
    assert (run.config.variant, run.config.protocol.clip) == ("model.rank=3", False)
    assert "protocol.clip=false" in run.arguments


def test_a_point_of_two_blocks_is_made_as_the_first_says(tmp_path):
    again = PLAN.removeprefix("plan:\n").replace("bias", "bias, global_mean")
    plan = f"{PLAN}{again}    fixed: protocol.clip=false\n"
    own_experiment(tmp_path, f"# @package _global_\n{plan}")
    runs = compose_runs(config_of("mine", config_dirs=[tmp_path]))
    assert [(run.config.model_name, run.config.protocol.clip) for run in runs] == [
        *(("bias", True), ("global_mean", False)),
    ]


@pytest.mark.parametrize("command", ["train", "reproduce"])
@pytest.mark.parametrize(
    ("content", "why"),
    [(b"plan: [", "mine.yaml"), (b"seed: 1\nseed: 2\n", "duplicate key seed"), (b"\xff", "utf-8")],
    ids=["unfinished", "duplicate", "binary"],
)
def test_a_file_that_is_not_yaml_is_refused_in_one_sentence(content, why, command, tmp_path):
    own_experiment(tmp_path, "")
    (tmp_path / "experiment" / "mine.yaml").write_bytes(content)
    process = call(command, "experiment=mine", "--config-dir", str(tmp_path), cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert line.startswith("A config file is not YAML (")
    assert why in line


@pytest.mark.parametrize("command", ["train", "reproduce"])
def test_an_unknown_experiment_is_an_error_that_says_how_to_add_one(command, tmp_path):
    process = call(command, "experiment=tabel2", cwd=tmp_path)
    assert process.returncode == 1
    assert process.stderr == (
        "Unknown experiment 'tabel2', which is no file experiment/tabel2.yaml in a folder given "
        "with --config-dir either: did you mean 'table2'?\n"
    )


def test_an_experiment_that_would_have_no_effect_is_refused(tmp_path):
    own_experiment(tmp_path, "train_share: 0.5\n")
    process = call("train", "experiment=mine", "--config-dir", str(tmp_path), cwd=tmp_path)
    assert process.returncode == 1
    assert "'experiment/mine.yaml' would have no effect" in process.stderr


def test_a_row_whose_model_needs_what_the_data_lacks_is_left_out(tmp_path, caplog):
    lines = [f"{user},{item},{1 + (user + item) % 5}" for user in range(20) for item in range(8)]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,rating", *lines]))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "own.yaml").write_text(
        "defaults: [csv, _self_]\npath: " + str(tmp_path / "ratings.csv") + "\n"
    )
    plan = PLAN.replace("bias", "bias, graem").replace("synthetic", "own")
    own_experiment(tmp_path, f"# @package _global_\n{plan}")
    with caplog.at_level("INFO"):
        runs, gaps = find_runs(config_of("mine", "seeds=[0,1]", config_dirs=[tmp_path]))
    assert {run.config.model_name for run in runs} == {"bias"}
    assert not gaps
    (line,) = [message for message in caplog.messages if "left out" in message]
    assert line == "graem is left out: own has no item attributes, no user attributes."
    with pytest.raises(GlocalkError, match="model=graem needs user attributes and item attributes"):
        find_runs(config_of("mine", "models=[graem]", config_dirs=[tmp_path]))


def test_a_row_whose_model_needs_an_attribute_that_the_data_lacks_is_left_out(tmp_path, caplog):
    lines = [f"{user},{item},{1 + (user + item) % 5}" for user in range(20) for item in range(8)]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,rating", *lines]))
    years = [f"{item},{1990 + item}" for item in range(8)]
    (tmp_path / "items.csv").write_text("\n".join(["item,year", *years]))
    for folder in ("data", "settings/graphrec_extra"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data" / "own.yaml").write_text(
        f"defaults: [csv, _self_]\npath: {tmp_path}/ratings.csv\n"
        f"item_attributes: {tmp_path}/items.csv\n"
    )
    settings = tmp_path / "settings" / "graphrec_extra" / "own.yaml"
    content = "# @package _global_\nmodel: {user_features: [], item_features: [%s]}\n"
    plan = PLAN.replace("bias", "graphrec_extra").replace("synthetic", "own")
    own_experiment(tmp_path, f"# @package _global_\n{plan}")
    for name, count in (("year", 1), ("release_year", 0)):
        settings.write_text(content % f"{{attribute: {name}, encoding: scaled}}")
        with caplog.at_level("INFO"):
            runs, _ = find_runs(config_of("mine", "seeds=[0]", config_dirs=[tmp_path]))
        assert len(runs) == count
    assert caplog.messages[-1] == (
        "graphrec_extra is left out: own has no item attribute 'release_year'."
    )


def test_a_plan_takes_a_data_set_with_its_options():
    given = ["data=csv", "data.path=my ratings.csv", "models=[bias]"]
    config = config_of("cross_validation", *given)
    runs = compose_runs(config)
    assert [run.config.variant for run in runs] == [
        f"data.fold={fold},data.folds=5,data.path=my ratings.csv" for fold in (1, 2, 3, 4, 5)
    ]
    assert {run.config.data["path"] for run in runs} == {"my ratings.csv"}
    (same,) = compose_runs(config_of("table1", *given))
    assert (same.config.data_name, same.config.variant) == ("csv", "data.path=my ratings.csv")
    as_trained = compose_run(
        ["experiment=cross_validation", "model=bias", *given[:2], "data.folds=5", "data.fold=2"]
    )
    assert as_trained.identity == runs[1].config.identity


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["data=csv", "data_sets=[csv]"], "Options 'data' and 'data_sets' both name the data sets"),
        (["data=csv", f"data._target_={SYNTHETIC}"], "'data._target_' is one of glocalk train"),
        (["+data_options=[]"], "'data_options' is not set on the command line"),
        (["data=csv", "data.path=r.csv", "data.folds=3"], "'data.folds' is set by the plan of exp"),
    ],
    ids=["twice", "class", "own", "of the plan"],
)
def test_options_of_a_data_set_that_do_not_fit_are_refused(options, sentence):
    with pytest.raises(GlocalkError, match=re.escape(sentence)):
        config_of("cross_validation", *options).points()


def test_options_of_a_data_set_need_its_name(tmp_path):
    process = call("reproduce", "data_sets=[csv]", "data.path=r.csv", cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert line.startswith("An option of a data set goes with data=…, as in data=csv")


@pytest.mark.slow
def test_folds_of_user_supplied_ratings_in_one_command(tmp_path):
    lines = [f"{user},{item},{1 + (user * item) % 5}" for user in range(12) for item in range(8)]
    (tmp_path / "r.csv").write_text("\n".join(["user,item,rating", *lines]))
    process = call(
        *("reproduce", "experiment=cross_validation", "data=csv", "data.path=r.csv"),
        *("models=[bias]", "out_dir=tables", "executor.jobs=1"),
        cwd=tmp_path,
    )
    assert process.returncode == 0, process.stderr
    text = (tmp_path / "tables" / "cross_validation.md").read_text()
    (row,) = [line for line in text.splitlines() if line.startswith("| csv")]
    assert "| User + item bias | `data.path=r.csv` | 5 of 5 |" in row
    records = [Record.read(path) for path in tmp_path.glob("runs/*/record.json")]
    errors = [record.protocols["last"].rmse for record in records]
    assert with_sd(statistics.fmean(errors), statistics.stdev(errors)) in row
    assert sum(sum(record.user_counts) for record in records) == len(lines)


def test_folds_of_an_own_experiment_have_a_table_of_their_means(tmp_path):
    sweeps = "    sweeps: ['data.folds=3 data.fold=1,2,3']\n    seeds: [0]\n"
    plan = PLAN.replace("[bias]", "[bias, global_mean]")
    own_experiment(tmp_path, f"# @package _global_\n{plan}{sweeps}")
    flags = ["--config-dir", str(tmp_path), "experiment=mine", "executor.jobs=1"]
    process = call("reproduce", *flags, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    records = [Record.read(path) for path in tmp_path.glob("runs/*/record.json")]
    errors = [run.protocols["last"].rmse for run in records if run.model == "bias"]
    assert len(errors) == 3
    told = with_sd(statistics.fmean(errors), statistics.stdev(errors))
    for name in ("mine.md", "mine_folds.md"):
        text = (tmp_path / "runs" / "report" / name).read_text(encoding="utf-8")
        (line,) = [line for line in text.splitlines() if "3 of 3" in line and "bias" in line]
        assert told in line
