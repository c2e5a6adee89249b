import pytest
from factory import record, search

from glocalk.records.search import Trial
from glocalk.report.cells import table1_cells
from glocalk.report.origins import dates_note, origin, origins_text
from glocalk.report.published import read_published


def cell(options, settings_from="validation", model="bias_mf", data="ml_100k"):
    made = record(model=model, data=data, options=options, settings_from=settings_from)
    cells = table1_cells([made], read_published())
    return next(cell for cell in cells if cell.runs)


def text(options, searches, **labels):
    return origin(cell(options, **labels), searches).text


def trial(options, valid_rmse, state="done"):
    return Trial(options=options, state=state, valid_rmse=valid_rmse, epoch=1, seconds=1)


def test_published_hyperparameters_are_the_papers_whatever_was_searched():
    assert text({"rank": 16}, [search()], settings_from="paper") == "paper"


def test_a_search_counts_all_its_trials():
    assert text({"rank": 16}, [search()]) == "search, 4 trials"


def test_a_search_of_another_model_or_data_set_is_none():
    assert text({"rank": 16}, [search(data="ml_1m"), search(model="svd_pp")]) == "by hand"
    assert text({"rank": 16}, []) == "by hand"


def test_a_search_without_a_completed_trial_chose_nothing():
    failed = search(trials=[trial({"rank": 8}, None, state="failed")])
    assert text({"rank": 8}, [failed]) == "by hand"


def test_options_other_than_the_best_trials_were_set_by_hand():
    assert text({"rank": 8}, [search()]) == "search, 4 trials, then by hand"


def test_the_first_trial_is_what_the_search_started_from():
    best_first = search(trials=[trial({"rank": 8}, 0.93), trial({"rank": 16}, 0.94)])
    assert text({"rank": 8}, [best_first]) == "search, 2 trials (first trial)"


@pytest.mark.parametrize(
    ("options", "used"),
    [
        ({"sgd": {"rate": 0.01467}, "kind": "sum"}, True),  # as printed: four digits
        ({"sgd": {"rate": 0.0147}, "kind": "sum"}, False),
        ({"sgd": {"rate": 0.01467}, "kind": "mean"}, False),
        ({"sgd": 0.01467, "kind": "sum"}, False),
        ({"rate": 0.01467, "kind": "sum"}, False),
    ],
)
def test_options_are_compared_to_four_digits_under_their_dotted_names(options, used):
    tried = {"sgd.rate": 0.014673, "kind": "sum"}
    space = {"sgd.rate": {"low": 0.01, "high": 0.02}, "kind": ["sum", "mean"]}
    others = {"sgd.rate": 0.02, "kind": "sum"}
    made = search(space=space, trials=[trial(others, 0.95), trial(tried, 0.94)])
    expected = "search, 2 trials" if used else "search, 2 trials, then by hand"
    assert text(options, [made]) == expected


def test_a_model_without_options_has_nothing_to_choose():
    assert text({}, [search()]) == "–"


def test_data_sets_with_the_same_origin_are_joined():
    cells = [cell({"rank": 16}, data=data) for data in ("ml_100k", "ml_1m", "douban")]
    assert origins_text(cells, []) == "by hand"
    assert origins_text(cells, [search()]) == (
        "ML-100K: search, 4 trials; ML-1M and Douban: by hand"
    )
    assert origins_text([], []) == "–"
    (empty, *_) = table1_cells([], read_published())
    assert origins_text([empty], []) == "–"


def test_a_choice_by_hand_says_whether_the_search_of_all_models_found_none_better():
    tried = [trial({"rank": 8}, 0.93), trial({"rank": 16}, 0.94)]
    confirmed = search("tuned", trials=tried)
    assert text({"rank": 8}, [confirmed]) == "by hand (none better in 2 trials)"
    assert text({"rank": 8}, [search("other", trials=tried)]) == "by hand"
    assert text({"rank": 16}, [confirmed]) == "by hand"
    assert text({"rank": 8}, [search("tuned", trials=tried[::-1])]) == "by hand"
    unsearched = search("tuned", trials=[tried[0], trial({"rank": 16}, None, "out_of_time")])
    assert text({"rank": 8}, [unsearched]) == "by hand"


def test_dates_are_noted_where_a_model_knows_them():
    knows = {"model": "bayesian_fm", "options": {"dates": True}}
    (note,) = dates_note([record(), record(**knows)])
    assert "dates of the test ratings" in note
    assert dates_note([record(), record(model="bayesian_fm", options={"dates": False})]) == []
    assert dates_note([record(**knows, data="own")]) == []
