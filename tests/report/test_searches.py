import json

import pytest
from factory import search

from glocalk.errors import GlocalkError
from glocalk.records.search import Search
from glocalk.report.searches import promote_searches, read_searches, searches_csv


def test_the_table_has_a_line_for_each_trial():
    lines = searches_csv([search()]).splitlines()
    assert lines[1:] == [
        "tuning,ml_100k,bias_mf,1,rank=8,done,0.950000,3,no,1.0",
        "tuning,ml_100k,bias_mf,2,rank=16,done,0.940000,5,yes,2.0",
        "tuning,ml_100k,bias_mf,3,rank=32,pruned,0.930000,1,no,0.5",
        "tuning,ml_100k,bias_mf,4,rank=64,failed,,,no,0.1",
    ]


def test_a_search_of_a_committed_tree_is_promoted(tmp_path):
    place = tmp_path / "runs" / "searches" / "ml_100k-bias_mf" / "search.json"
    search().write(place)
    promote_searches(tmp_path / "runs", tmp_path / "reports")
    (read,) = read_searches(tmp_path / "reports" / "searches")
    assert read == search()
    search(dirty=True).write(place)
    with pytest.raises(Exception, match="dirty working tree"):
        promote_searches(tmp_path / "runs", tmp_path / "reports")
    place.write_text(json.dumps({"data": "ml_100k"}))
    with pytest.raises(Exception, match="is not a complete record of a search"):
        promote_searches(tmp_path / "runs", tmp_path / "reports")


def test_the_search_of_an_experiment_has_a_folder_of_its_own(tmp_path):
    own = search(experiment="tuned")
    for made, name in ((search(), "ml_100k-bias_mf"), (own, "tuned/ml_100k-bias_mf")):
        made.write(tmp_path / "runs" / "searches" / name / "search.json")
    promote_searches(tmp_path / "runs", tmp_path / "reports")
    folder = tmp_path / "reports" / "searches"
    assert Search.read(folder / "ml_100k" / "bias_mf.json") == search()
    assert Search.read(folder / "tuned" / "ml_100k" / "bias_mf.json") == own


def test_two_searches_for_one_place_are_an_error_and_nothing_is_copied(tmp_path):
    for name in ("a", "b"):
        search().write(tmp_path / "runs" / "searches" / name / "search.json")
    with pytest.raises(GlocalkError, match="another search over bias_mf on ml_100k: remove one"):
        promote_searches(tmp_path / "runs", tmp_path / "reports")
    assert not (tmp_path / "reports").exists()
