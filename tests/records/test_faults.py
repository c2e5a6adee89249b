"""Records whose fields contradict one another, or are of a wrong type or range."""

import json

import pytest

from glocalk.errors import GlocalkError
from glocalk.records.run import Record
from glocalk.records.search import Search
from report.factory import curves, record, search


def changed(made, where, value):
    content = json.loads(json.dumps(made.model_dump()))
    *parents, last = where.split("/")
    inner = content
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return content


def refused(kind, content, path):
    path.write_text(json.dumps(content))
    with pytest.raises(GlocalkError) as error:
        kind.read(path)
    sentence = str(error.value)
    assert sentence.startswith(f"'{path}' is not a complete record")
    assert sentence.isprintable()
    return sentence


RECORD = record(curves={"final": curves([0.95, 0.93, 0.92, 0.9, 0.91])})
SCORES = {
    "nll": 1.2, "crps": 0.5, "density_nll": None, "density_crps": None, "mean_std": 0.9,
    "coverage": {"80": 0.8}, "width": {"80": 2.0},
}  # fmt: skip
RECORD_FAULTS = {
    "experiment": ["../../x", "/etc", "a\nb", "<b>", "", "x" * 300, 3, None],
    "data": ["..", "=1+1", ".git"],
    "model": ["a/b", "-x", "a|b"],
    "variant": ["a\nb", "\x1b[2J", "a\u202eb", ""],
    "split": ["\x00", 5],
    "seed": [-1, 2**32, 2**64, 0.5, "0", True, None],
    "train_share": [0, 1.5, -1, "1"],
    "config_hash": ["0" * 64, "xyz", "../x"],
    "data_checksum": ["../..", "G"],
    "commit": ["<b>", "--upload-pack=x"],
    "status": ["ok", None],
    "failure": [{"message": "No.", "traceback": ""}],
    "seconds/total": [-1, float("nan"), "1", None],
    "peak_rss_mb": [float("inf"), -5],
    "threads": [-1, 1.5],
    "protocols/last/rmse": [float("nan"), float("inf"), -0.9, 0.2, 1e200, "0.9", True],
    "protocols/last/ndcg": [1.162, -2.7e15, float("nan")],
    "protocols/last/rmse_epoch": [-1, 99, 10**9, 0.5],
    "protocols/last/training": ["third"],
    "protocols/last/user_errors": ["nobody"],
    "protocols/secret": [RECORD.model_dump()["protocols"]["last"]],
    "user_counts": [[], [3], [3, 1, 2], [3, -1], [0, 0], [1.5, 2]],
    "curves/final": [{}],
    "traces": [
        [{"stage": "other", "epoch": 0, "numbers": {}}],
        [{"stage": "finetune", "epoch": -1, "numbers": {}}],
        [{"stage": "finetune", "epoch": 0, "numbers": {"taps/1": [float("nan")]}}],
    ],
    "uncertainty": [
        {**SCORES, "nll": -0.1},
        {**SCORES, "crps": 1e200},
        {**SCORES, "coverage": {"80": 1.5}},
        {**SCORES, "density_nll": float("nan")},
        {**SCORES, "density_nll": -1e200},
        {**SCORES, "density_crps": -0.5},
        {**SCORES, "width": {"a|b": 1.0, "80": -1.0}},
        {"nll": 1.0},
        [],
    ],
    "config/model": [{"name": "other"}, {}, None],
    "config/experiment": ["other"],
    "more": [1],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, v) for field, values in RECORD_FAULTS.items() for v in values]
)
def test_a_record_with_a_wrong_field_is_refused_in_one_sentence(field, value, tmp_path):
    path = tmp_path / "record.json"
    RECORD.write(path)
    assert Record.read(path) == RECORD
    refused(Record, changed(RECORD, field, value), path)


def test_columns_of_curves_are_of_one_length(tmp_path):
    content = json.loads(json.dumps(RECORD.model_dump()))
    content["curves"]["final"]["test_mae"].pop()
    assert "differ in length" in refused(Record, content, tmp_path / "record.json")


def test_an_rmse_is_that_of_the_users_errors(tmp_path):
    sentence = refused(
        Record, changed(RECORD, "protocols/last/rmse", 0.9101), tmp_path / "record.json"
    )
    assert "its RMSE is not that of the errors of its users under the protocol last" in sentence


SEARCH_FAULTS = {
    "data": ["../../outside", "a|b"],
    "model": ["..", "ml_1m"],
    "seed": [-1, 2**32],
    "identity": ["0", "zz"],
    "space": [{}, {"rank": [1]}],
    "data_checksum": ["beef"],
    "trials": [[{"options": {}, "state": "done", "valid_rmse": 0.9, "epoch": 1, "seconds": 1.0}]],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, v) for field, values in SEARCH_FAULTS.items() for v in values]
)
def test_a_search_with_a_wrong_field_is_refused_in_one_sentence(field, value, tmp_path):
    path = tmp_path / "search.json"
    search().write(path)
    assert Search.read(path) == search()
    refused(Search, changed(search(), field, value), path)


@pytest.mark.parametrize("rmse", [float("nan"), float("inf"), -1.0, None])
def test_a_trial_s_error_is_a_finite_number(rmse, tmp_path):
    content = changed(search(), "seed", 0)
    content["trials"][0]["valid_rmse"] = rmse
    refused(Search, content, tmp_path / "search.json")
