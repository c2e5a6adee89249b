"""`glocalk evaluate` as a whole."""

import json

import pandas as pd

from command import call, only_record
from scoring.outside import ON_COMMAND_LINE, predicted_for, small_split

SPLIT = small_split()


def test_the_predictions_of_a_run_have_the_score_of_its_record(tmp_path):
    model = ["model=bias", "save_predictions=true", "experiment=table1", "variant=default"]
    process = call("train", *ON_COMMAND_LINE, *model, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    record = only_record(tmp_path / "runs")
    (path,) = tmp_path.glob("runs/*/predictions.csv")
    options = [*ON_COMMAND_LINE, "records=runs", "out=scored", "name=my bias"]
    process = call("evaluate", str(path), *options, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    content = json.loads((tmp_path / "scored" / "evaluation.json").read_text())
    last = record.protocols["last"]
    errors = (last.rmse, last.mae, last.ndcg)
    assert (content["rmse"], content["mae"], content["ndcg"]) == errors
    assert content["clipped"] == 0
    (row,) = content["comparisons"]
    assert (row["model"], row["difference"], row["p_adjusted"]) == ("bias", 0, 1)
    assert f"my bias on synthetic (planted): RMSE {last.rmse:.4f} [" in process.stdout
    assert "Read '" in process.stdout


def test_the_file_may_be_anywhere_on_the_line_and_have_any_name(tmp_path):
    predicted_for(SPLIT).to_csv(tmp_path / "a (1), é.csv", index=False)
    flag = ["--config-dir", "."]
    for line in (
        ["a (1), é.csv", *ON_COMMAND_LINE],
        [*ON_COMMAND_LINE, *flag, "a (1), é.csv"],
        [*flag, "predictions=a (1), é.csv", *ON_COMMAND_LINE],
    ):
        process = call("evaluate", *line, cwd=tmp_path)
        assert process.returncode == 0, process.stderr
        assert "because there is no folder 'reports/records'" in process.stdout
    for line, says in (
        ([], "Name the file of predictions, as in glocalk evaluate predictions.csv data=ml_100k."),
        (["a.csv", "b.csv"], "'b.csv' is a second file of predictions"),
        (["a.csv"], "'a.csv' cannot be read: there is no such file"),
        (["a (1), é.csv", "protocol.clap=false"], "protocol.clap"),
        (["a (1), é.csv", "encoding=utf-99"], "Option 'encoding' cannot be"),
        (["a (1), é.csv", "out=a (1), é.csv"], "Option 'out' is a folder, but 'a (1), é.csv' is"),
        (["a (1), é.csv", "records=repots"], "There is no folder 'repots' of records to compare"),
    ):
        process = call("evaluate", *ON_COMMAND_LINE, *line, cwd=tmp_path)
        assert (process.returncode, process.stderr.count("\n")) == (1, 1), process.stderr
        assert says in process.stderr
        assert process.stdout == ""
    assert not list(tmp_path.glob("evaluation*"))


def test_a_cold_start_is_scored_on_its_own_test_ratings(tmp_path):
    cold = SPLIT.cold_start("users", 0.1, 0)
    table = cold.test.to_frame().rename(columns={"rating": "prediction"})
    table.assign(prediction=7.0).to_parquet(tmp_path / "p.parquet")
    options = [*ON_COMMAND_LINE, "protocol.cold_start=users", "protocol.clip=false"]
    process = call("evaluate", "p.parquet", *options, "out=o", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    content = json.loads((tmp_path / "o" / "evaluation.json").read_text())
    assert content["data_checksum"] == cold.checksum
    assert content["rmse"] == ((7 - cold.test.ratings) ** 2).mean() ** 0.5
    assert content["clipped"] is None
    assert "100% of them are not on the scale" in process.stdout
    assert len(pd.read_csv(tmp_path / "o" / "evaluation.csv")) == 1
