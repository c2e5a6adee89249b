import json

import pytest

from glocalk.records.search import Search, Trial
from glocalk.report.searches import promote_searches, read_searches, searches_csv


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
    with pytest.raises(Exception, match="dirty working tree"):
        promote_searches(tmp_path / "runs", tmp_path / "reports")
    place.write_text(json.dumps({"data": "ml_100k"}))
    with pytest.raises(Exception, match="is not a complete record of a search"):
        promote_searches(tmp_path / "runs", tmp_path / "reports")
