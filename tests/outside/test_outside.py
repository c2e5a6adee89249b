"""A completer and a data set of a user's own, without a change to glocalk."""

import csv
import importlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from cold_start import planted_cold_start, relative_errors
from command import call, run

BY_CLASS = ["model._target_=mypackage.MyModel", "data._target_=mypackage.MyData"]
BY_NAME = ["model=my_model", "data=my_data", "--config-dir", "conf"]


@pytest.fixture
def folder(tmp_path):
    """A folder with the package and its configs, nothing of which is imported yet."""
    here = Path(__file__).parent
    shutil.copytree(here / "mypackage", tmp_path / "mypackage")
    shutil.copytree(here / "conf", tmp_path / "conf")
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "mypackage"]:
        del sys.modules[name]


def expected_rmse(shrinkage, offset):
    """The test error of `MyModel` on `MyData`, rating by rating."""
    train, test = [], []
    for u in range(40):
        for i in range(25):
            if (u + 2 * i) % 3 == 0:
                (train if (u + i) % 7 else test).append((i, 1 + (7 * u + 3 * i) % 5))
    mean = sum(rating for _, rating in train) / len(train)
    errors = []
    for item, rating in test:
        of_item = [given - mean for i, given in train if i == item]
        prediction = mean + sum(of_item) / (len(of_item) + shrinkage) + offset
        errors.append(rating - min(max(prediction, 1), 5))
    return float(np.sqrt(np.mean(np.square(errors))))


def record_of(folder):
    (path,) = folder.glob("runs/my_data-my_model-*/record.json")
    return json.loads(path.read_text())


def row_of_the_table(folder):
    rows = csv.DictReader((folder / "runs" / "report" / "table1.csv").read_text().splitlines())
    (row,) = (row for row in rows if (row["model"], row["protocol"]) == ("my_model", "validated"))
    return row


def test_a_class_on_the_command_line_has_its_own_options_record_and_row(folder):
    process = call("train", *BY_CLASS, cwd=folder)
    assert process.returncode == 0, process.stderr
    record = record_of(folder)
    assert record["config"]["model"] == {"name": "my_model", "shrinkage": 10.0, "offset": 0.0}
    assert record["config"]["data"] == {"name": "my_data", "users": 40, "items": 25}
    assert (record["variant"], record["settings_from"]) == ("default", "paper")
    expected = expected_rmse(shrinkage=10, offset=0)
    assert record["protocols"]["validated"]["rmse"] == pytest.approx(expected, abs=1e-6)

    shown = call("report", "local", cwd=folder)
    assert shown.returncode == 0, shown.stderr
    assert "| my_model | my_data | `validated` |" in shown.stdout
    assert shown.stdout == (folder / "runs" / "report" / "table1.md").read_text()
    assert float(row_of_the_table(folder)["here"]) == pytest.approx(expected, abs=1e-6)


def test_an_option_of_the_class_is_overridden_and_a_misspelled_one_refused(folder):
    process = call("train", *BY_CLASS, "model.shrinkage=5", cwd=folder)
    assert process.returncode == 0, process.stderr
    record = record_of(folder)
    assert record["variant"] == "model.shrinkage=5"
    expected = expected_rmse(shrinkage=5, offset=0)
    assert record["protocols"]["last"]["rmse"] == pytest.approx(expected, abs=1e-6)
    process = call("train", *BY_CLASS, "model.shrinkag=5", cwd=folder)
    assert process.returncode == 1
    assert process.stderr == "Unknown option 'model.shrinkag': did you mean 'shrinkage'?\n"


def test_a_sweep_over_an_option_of_the_class(folder):
    process = call("train", "-m", *BY_CLASS, "model.shrinkage=1,2", cwd=folder)
    assert process.returncode == 0, process.stderr
    paths = folder.glob("runs/my_data-my_model-*/record.json")
    records = [json.loads(path.read_text()) for path in paths]
    assert {record["config"]["model"]["shrinkage"] for record in records} == {1.0, 2.0}


def test_configs_in_a_folder_of_their_own_are_trained_and_reproduced(folder):
    process = call("train", *BY_NAME, cwd=folder)
    assert process.returncode == 0, process.stderr
    record = record_of(folder)
    # The file says the offset, its settings the shrinkage.
    assert record["config"]["model"] == {"name": "my_model", "shrinkage": 2.0, "offset": 0.25}
    assert record["settings_from"] == "validation"
    expected = expected_rmse(shrinkage=2, offset=0.25)
    assert record["protocols"]["validated"]["rmse"] == pytest.approx(expected, abs=1e-6)

    again = call(
        *("reproduce", "models=[my_model]", "data_sets=[my_data]", "--config-dir", "conf"),
        cwd=folder,
    )
    assert again.returncode == 0, again.stderr
    assert "my_data my_model seed 0: done already" in again.stdout
    assert float(row_of_the_table(folder)["here"]) == pytest.approx(expected, abs=1e-6)


def test_processes_of_their_own_find_the_package_in_the_working_directory(folder):
    # The plan trains in a process, which must know the folder of configs as well.
    process = run(
        *("reproduce", "models=[my_model]", "data_sets=[my_data]", "--config-dir", "conf"),
        cwd=folder,
    )
    assert process.returncode == 0, process.stderr
    assert record_of(folder)["status"] == "done"
    assert "| my_model | my_data |" in process.stdout


def test_the_kept_model_predicts_once_its_module_is_named(folder):
    assert call("train", *BY_CLASS, cwd=folder).returncode == 0
    (made,) = folder.glob("runs/my_data-*")
    # As in a new process.
    for name in [name for name in sys.modules if name.split(".")[0] == "mypackage"]:
        del sys.modules[name]
    arguments = ["predict", f"run={made}", "top=1", "out=out.csv"]
    refused = call(*arguments, cwd=folder)
    assert refused.returncode == 1
    assert "a class outside glocalk" in refused.stderr
    option = refused.stderr.rstrip().removesuffix(".").split()[-1]
    assert option.startswith("module=mypackage")
    process = call(*arguments, option, cwd=folder)
    assert process.returncode == 0, process.stderr
    header, *rows = csv.reader((folder / "out.csv").read_text().splitlines())
    assert header == ["user", "item", "rank", "rating"]
    assert len(rows) == 40


def test_its_predictions_for_users_and_items_without_ratings_are_measured(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    model = importlib.import_module("mypackage").MyModel()
    assert max(relative_errors(model, planted_cold_start()).values()) <= 1 + 1e-6


def test_a_settings_file_without_its_header_is_refused(tmp_path):
    settings = tmp_path / "my_conf" / "settings" / "bias" / "synthetic.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("model:\n  item_damping: 3.0\n")
    arguments = ["--config-dir", "my_conf", "model=bias", "data=synthetic"]
    refused = call("train", *arguments, cwd=tmp_path)
    assert refused.returncode == 1
    assert "'settings/bias/synthetic.yaml' would have no effect" in refused.stderr
    settings.write_text("# @package _global_\nmodel:\n  item_damping: 3.0\n")
    assert call("train", *arguments, cwd=tmp_path).returncode == 0
    (record,) = (tmp_path / "runs").glob("*/record.json")
    assert '"item_damping": 3.0' in record.read_text()
