"""Commands find files whatever their names are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from command import call, command, only_record
from glocalk.reproduce.config import reproduce_config
from glocalk.reproduce.runs import compose_runs
from glocalk.run.compose import compose
from glocalk.run.composed import compose_run
from glocalk.run.overrides import override

INPUTS = Path(__file__).parents[1] / "inputs"
STRANGE = "ratings, (1) of 评分's [x] {y} #2 \\ ö=ä "


@pytest.mark.parametrize(
    "name", ["évaluations.csv", "ratings (1).csv", "it's.csv", "a=b.csv", STRANGE]
)
def test_statistics_of_a_file(name, tmp_path):
    shutil.copy(INPUTS / "small.csv", tmp_path / name)
    process = call("stats", "data=csv", f"data.path={name}", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert re.search(r"^ratings +3$", process.stdout, re.MULTILINE)


def test_a_file_in_the_home_folder(tmp_path):
    shutil.copy(INPUTS / "small.csv", tmp_path / "x.csv")
    (tmp_path / "elsewhere").mkdir()
    process = call(
        "stats", "data=csv", "data.path=~/x.csv", cwd=tmp_path / "elsewhere", HOME=str(tmp_path)
    )
    assert process.returncode == 0, process.stderr


def test_every_other_file_of_a_run_and_of_its_predictions(tmp_path):
    shutil.copy(INPUTS / "small.csv", tmp_path / f"train {STRANGE}")
    (tmp_path / f"test {STRANGE}").write_text("user,item,rating\n1,30,5\n3,20,1\n")
    given = ["model=global_mean", "data=csv", f"data.path=train {STRANGE}"]
    given += [f"data.test_path=test {STRANGE}", f"runs_dir=runs {STRANGE}"]
    process = call("train", *given, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    runs = tmp_path / f"runs {STRANGE}"
    assert only_record(runs).protocols["last"].rmse > 0
    (model,) = runs.glob("*/model.pt")
    for number, run in enumerate((model, model.parent)):
        out = f"out{number} {STRANGE}.csv"
        arguments = [f"run={run.relative_to(tmp_path)}", f"pairs=train {STRANGE}", f"out={out}"]
        process = call("predict", *arguments, cwd=tmp_path)
        assert process.returncode == 0, process.stderr
        assert len((tmp_path / out).read_text(encoding="utf-8").splitlines()) == 4


def test_the_quoting_that_an_error_shows_works_in_a_shell(tmp_path):
    shutil.copy(INPUTS / "small.csv", tmp_path / "${x}.csv")
    process = call("stats", "data=csv", "data.path=${x}.csv", cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    quoted = re.search(r"write ('.*')\.$", line)[1]
    shell = " ".join([*command("stats"), "data=csv", quoted])
    subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, check=True)


@pytest.mark.parametrize("name", ["it's", "with a blank", "${x}", 'a"b', "a,b", "ö=ä", "~/x"])
def test_the_runs_of_a_plan_find_the_data_folder(name, tmp_path):
    (tmp_path / name / "model").mkdir(parents=True)
    composed = compose(
        "reproduce",
        [
            *("models=[bias]", "data_sets=[synthetic]"),
            override("data_dir", tmp_path / name),
            override("runs_dir", Path(name)),
        ],
        [tmp_path / name],
    )
    (run,) = compose_runs(reproduce_config(composed, composed.hydra))
    found = compose_run([line for line in run.arguments if "searchpath" not in line])
    assert (found.data_dir, found.runs_dir) == (tmp_path / name, Path(name))
    (path,) = [line for line in run.arguments if "searchpath" in line]
    assert compose_run([path, "model=bias", "data=synthetic"]).model_name == "bias"


@pytest.mark.slow
def test_reproduce_with_an_apostrophe_and_a_blank_in_the_data_folder(tmp_path):
    folder = tmp_path / "it's my data"
    folder.mkdir()
    given = ["data_sets=[synthetic]", "models=[global_mean]", "reports_dir=none"]
    process = call("reproduce", *given, cwd=tmp_path, GLOCALK_DATA_DIR=str(folder))
    assert process.returncode == 0, process.stderr
    assert only_record(tmp_path / "runs").status == "done"


def test_a_sweep_and_a_single_run_of_a_file_are_the_same_run(tmp_path):
    for name in ("évaluations.csv", "it's.csv"):
        shutil.copy(INPUTS / "small.csv", tmp_path / name)
    given = ["model=global_mean", "data=csv"]
    process = call("train", "-m", *given, "data.path=évaluations.csv,it's.csv", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    for name in ("évaluations.csv", "it's.csv"):
        process = call("train", *given, f"data.path={name}", cwd=tmp_path)
        assert "is already in" in process.stdout
    assert len(list((tmp_path / "runs").glob("csv-*"))) == 2


def test_a_file_whose_name_is_not_text_is_refused_before_a_training(tmp_path):
    name = b"lat\xe9.csv".decode("utf-8", "surrogateescape")
    shutil.copy(INPUTS / "small.csv", tmp_path / name)
    process = call("stats", "data=csv", f"data.path={name}", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    process = call("train", "model=global_mean", "data=csv", f"data.path={name}", cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert "'data.path'" in line
    assert "rename the file" in line
    assert not (tmp_path / "runs").exists()
