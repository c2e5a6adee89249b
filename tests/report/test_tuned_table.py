import csv
import io

from factory import baseline, record, search

from glocalk.records.search import Budget, Trial
from glocalk.report.parts import Sources
from glocalk.report.tuned import tuned_files

OWN = {"experiment": "tuned", "valid_seed": 1000, "budget": Budget(trials=12, hours=0.2)}


def runs(experiment, model, errors, **changes):
    return [
        record(experiment=experiment, model=model, validated=error, seed=seed, **changes)
        for seed, error in enumerate(errors)
    ]


def tuned():
    """Biased MF is better by its second trial; SVD++ keeps what it has, and never ends in time."""
    late = [Trial(options={"rank": 8}, state="out_of_time", valid_rmse=1.0, epoch=1, seconds=720.0)]
    searches = [search(**OWN), search(**OWN, model="svd_pp", trials=late), search(model="svd_pp")]
    records = [
        *runs("table1", "bias_mf", [0.93, 0.92]),
        *runs("tuned", "bias_mf", [0.91, 0.89], options={"rank": 16}),
        *runs("tuned", "bias_mf", [0.5, 0.5], options={"rank": 8}),  # of an earlier search
        *runs("table1", "svd_pp", [0.95]),
    ]
    return tuned_files(Sources(records, searches))


def test_the_table_has_the_tuned_runs_or_those_that_stand_for_them():
    table = tuned()["tuned.md"]
    assert "| Biased MF |  | .9000 ± .0141 |" in table
    assert "| SVD++ |  | .9500 † |" in table  # not one trial ended
    assert "12 trials that take 0.2 h together" in table
    assert "seed 1000" in table


def test_the_searches_stand_below_with_what_they_changed():
    lines = tuned()["tuned.md"].partition("## Searches")[2].splitlines()
    (changed,) = (line for line in lines if "Biased MF" in line)
    assert "| 4: 1 pruned, 1 failed |" in changed
    assert "| `rank=16` | .9500 | .9400 | .9000 ± .0141 | .9250 ± .0071 |" in changed
    assert ".0250 | 2 |" in changed  # (.91 − .93 + .89 − .92) / 2
    (kept,) = (line for line in lines if "SVD++" in line)
    assert "| 1: 1 out of time | 12.0 min | none | – | – | .9500 | .9500 | – | 1 |" in kept


def test_what_was_searched_in_vain_has_another_mark_than_what_was_not_searched():
    """Two trials, the second worse; the first alone, with one that ran out of time."""
    good, worse, late = (
        Trial(options={"rank": rank}, state=state, valid_rmse=0.9 + rank, epoch=1, seconds=1.0)
        for rank, state in ((8, "done"), (16, "done"), (32, "out_of_time"))
    )
    searches = [
        search(**OWN, trials=[good, worse]),
        search(**OWN, model="svd_pp", trials=[good, late]),
    ]
    records = [*runs("table1", "bias_mf", [0.93]), *runs("table1", "svd_pp", [0.95])]
    table = tuned_files(Sources(records, searches))["tuned.md"]
    assert "| Biased MF |  | .9300 = |" in table
    assert "| SVD++ |  | .9500 † |" in table


def test_a_change_compares_the_seeds_that_both_have():
    """Of three tuned runs and one present one: .90 − .92, and not the mean of three − .92."""
    records = [
        *runs("table1", "bias_mf", [0.92]),
        *runs("tuned", "bias_mf", [0.90, 0.95, 0.95], options={"rank": 16}),
    ]
    made = tuned_files(Sources(records, [search(**OWN)]))
    (row,) = csv.DictReader(io.StringIO(made["tuned.csv"]))
    assert float(row["validated_change"]) == -0.02
    assert "−.0200 | 3 |" in made["tuned.md"]


def test_the_csv_says_what_each_search_did():
    rows = list(csv.DictReader(io.StringIO(tuned()["tuned.csv"])))
    first, second = rows
    assert (first["model"], first["changed"], first["best_trial"]) == ("bias_mf", "yes", "2")
    assert (first["done"], first["pruned"], first["failed"]) == ("2", "1", "1")
    assert float(first["validated_mean"]) == 0.9
    assert float(first["present_validated_mean"]) == 0.925
    assert (second["changed"], second["best_trial_rmse"]) == ("no", "")
    assert second["validated_mean"] == second["present_validated_mean"] == "0.950000"


def test_nothing_is_made_without_searches_of_the_experiment():
    assert tuned_files(Sources(runs("table1", "bias_mf", [0.9]), [search()])) == {}


def test_a_search_of_all_combinations_and_one_that_repeats_them_are_said_so():
    repeats = [
        Trial(options={"rank": rank}, state="done", valid_rmse=0.95, epoch=3, seconds=1.0)
        for rank in (8, 16, 8)
    ]
    every, again = search(**OWN), search(**OWN, model="svd_pp", trials=repeats)
    ended, repeated = "A search ends earlier when every", "1 of 2 searches tried a combination more"
    table = tuned_files(Sources([], [every, again]))["tuned.md"]
    assert ended in table
    assert repeated in table
    table = tuned_files(Sources([], [search(**OWN, trials=repeats[:2])]))["tuned.md"]
    assert ended not in table
    assert "more than once" not in table


def test_models_with_side_information_are_marked_also_where_they_have_it_on_one_set_alone():
    known = {"side_information": True}
    searches = [
        search(**OWN, model="mg_gat"),
        search(**OWN, model="bayesian_fm"),
        search(**OWN, model="bayesian_fm", data="douban"),
    ]
    records = [
        *runs("table1", "mg_gat", [0.93], **known),
        *runs("around", "bayesian_fm", [0.95], **known),
        *runs("around", "bayesian_fm", [0.75], data="douban"),
    ]
    # Of every search, the second trial is the best, and its runs are those of `tuned`.
    best = [
        run.model_copy(
            update={
                "experiment": "tuned",
                "config": run.config | {"model": {"name": run.model, "rank": 16}},
            }
        )
        for run in records
    ]
    made = tuned_files(Sources([*records, *best], searches))
    assert "| MG-GAT | yes | .9300 | – |" in made["tuned.md"]
    assert "| Bayesian FM | ML-100K | .9500 | .7500 |" in made["tuned.md"]
    rows = csv.DictReader(io.StringIO(made["tuned.csv"]))
    assert {(row["model"], row["data"]): row["side_information"] for row in rows} == {
        ("mg_gat", "ml_100k"): "yes",
        ("bayesian_fm", "ml_100k"): "yes",
        ("bayesian_fm", "douban"): "no",
    }


def test_a_row_without_runs_has_no_side_information():
    made = tuned_files(Sources([], [search(**OWN)]))
    assert "| Biased MF |  | – |" in made["tuned.md"]
    (row,) = csv.DictReader(io.StringIO(made["tuned.csv"]))
    assert row["side_information"] == ""


def test_earlier_searches_are_counted_that_are_outside_the_budget():
    """Biased MF and Item-kNN, which has no epoch, began with the best trials of earlier searches.

    SVD++ began with what is published.
    """
    options = {"rank": 16}
    without_epochs = [baseline("item_knn", 0.93, settings_from="validation", options=options)]
    started = [
        *runs("table1", "bias_mf", [0.93], settings_from="validation", options=options),
        *without_epochs,
        *runs("table1", "svd_pp", [0.95], options=options),
    ]
    plain = [search(model=run.model) for run in started]
    own = [search(**OWN, model=run.model) for run in started]
    for made, run in zip(own, started, strict=True):
        made.config["model"] = run.config["model"]
    table = tuned_files(Sources(started, [*own, *plain]))["tuned.md"]
    assert (
        "2 of 3 rows began with the hyperparameters of an earlier search, of up to 4 trials, which "
        "are outside this budget. The ratings that also choose the epoch of seed 0 judged 1 of "
        "these."
    ) in table
