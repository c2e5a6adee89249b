"""Predictions of another library, scikit-surprise, scored from the files that it was given."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import glocalk
import glocalk.api
from command import call

surprise = pytest.importorskip(
    "surprise", reason="scikit-surprise is not installed: pip install 'glocalk[outside]'"
)


def predict(train, test, scale):
    """What Surprise's SVD predicts: its own `Prediction` tuples."""
    reader = surprise.Reader(rating_scale=scale)
    ratings = surprise.Dataset.load_from_df(train[["user", "item", "rating"]], reader)
    model = surprise.SVD(n_factors=10, n_epochs=10, random_state=0)
    model.fit(ratings.build_full_trainset())
    return model.test(list(test.itertuples(index=False, name=None)))


@pytest.mark.data("ml-100k")
def test_svd_of_surprise_has_a_row_an_interval_and_differences(data_dir, tmp_path):
    options = ["data=ml_100k", f"data_dir={data_dir}"]
    process = call("split", *options, "out=u1", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "License of ml_100k: research only, no redistribution" in process.stdout
    train, valid, test = (
        pd.read_csv(tmp_path / "u1" / f"{part}.csv") for part in ("train", "valid", "test")
    )
    predicted = predict(pd.concat([train, valid]), test, (1, 5))
    pd.DataFrame(predicted).to_csv(tmp_path / "svd.csv", index=False)
    split = glocalk.load_split("ml_100k", data_dir=data_dir)
    bias = glocalk.Bias().fit(split.train)
    options += ["model=bias", "runs_dir=runs", "save_model=false"]
    assert call("train", *options, cwd=tmp_path).returncode == 0
    process = call("evaluate", "svd.csv", *options[:2], "records=runs", "out=o", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    expected = surprise.accuracy.rmse(predicted, verbose=False)
    own, row = pd.read_csv(tmp_path / "o" / "evaluation.csv").itertuples()
    assert own.rmse == pytest.approx(expected, abs=1e-6)
    assert own.low < own.rmse < own.high
    ours = glocalk.evaluate(bias, split)["rmse"]
    assert row.difference == pytest.approx(expected - ours, abs=2e-6)
    assert row.difference_low < row.difference < row.difference_high
    assert "ignored: r_ui, details" in process.stdout


def test_its_tuples_are_a_frame_that_is_scored():
    split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
    test = split.test.to_frame()
    made = pd.DataFrame(predict(split.train.to_frame(), test, (1, 5)))
    table = made.rename(columns={"uid": "user", "iid": "item", "est": "prediction"})
    score = glocalk.score(table, split, name="SVD of Surprise")
    expected = np.sqrt(np.mean((made["est"] - made["r_ui"]) ** 2))
    assert score.rmse == pytest.approx(expected, rel=1e-12)
    assert score.interval.low < score.rmse < score.interval.high


def test_the_example_of_the_documentation_runs(tmp_path, monkeypatch, capsys):
    split = glocalk.load_split("synthetic", users=40, items=30, ratings=300)
    page = Path(__file__).parents[2] / "docs" / "outside.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(glocalk.api, "load_split", lambda _: split)
    names = {}
    exec(code, names)
    assert names["score"].ratings == 30
    assert str(names["score"].rmse) in capsys.readouterr().out
