"""The same training in several experiments is one row, and rows say what they know."""

import csv
import json
from pathlib import Path

import pytest

import glocalk
from glocalk.records.identity import config_hash
from glocalk.records.run import PROTOCOLS, Record
from glocalk.report.origins import DATES_NOTE
from glocalk.scoring.compared import without_repeated
from glocalk.scoring.written import terminal_text, write_score
from scoring.outside import predicted_for, predictions, run_of, small_split

RECORDS = Path(__file__).parents[2] / "reports" / "records"
SPLIT = small_split()
TABLE = predicted_for(SPLIT)
NEVER = ("best_test", "last", "official")  # what protocol.selection=never leaves


def with_config(run, **parts):
    """The run with other parts of its config, which agrees with its hash again."""
    config = {**run.config, **parts}
    return run.model_copy(update={"config": config, "config_hash": config_hash(config)})


def seeds(count, experiment, protocols=PROTOCOLS):
    """Runs of one cell, whose errors depend on the seed alone."""
    return [
        run_of(predictions(seed), protocols, experiment=experiment, seed=seed)
        for seed in range(count)
    ]


def scored(runs, folder, **options):
    """The score beside these runs."""
    for number, run in enumerate(runs):
        run.write(folder / f"{number}.json")
    return glocalk.score(TABLE, SPLIT, name="mine", records=folder, **options)


def test_repeated_trainings_count_once_and_enlarge_no_family_of_tests(tmp_path):
    options = {"rank": 8}
    distinct = [
        run_of(predictions(1), options=options),
        run_of(predictions(2), experiment="tuned", options={"rank": 9}),
        run_of(predictions(3), model="bias"),
    ]
    repeated = [
        run_of(predictions(1), experiment="combined", options=options),
        run_of(predictions(1), NEVER, experiment="uncertainty", options=options),
        run_of(predictions(3), experiment="folds", model="bias", variant="data.fold=1"),
    ]
    score = scored(distinct + repeated, tmp_path / "all")
    assert {*score.comparisons["title"]} == {"GLocal-K", "GLocal-K (tuned)", "User + item bias"}
    assert sum(note.startswith("3 further rows are of trainings") for note in score.notes) == 1
    # Holm's method by hand, over three tests; a score beside one row has the p-value of one test.
    alone = [scored([run], tmp_path / str(n)).rows[0] for n, run in enumerate(distinct)]
    p_values = dict(sorted(((row.title, row.p_adjusted) for row in alone), key=lambda row: row[1]))
    least, expected = 0.0, {}
    for times, (title, p_value) in zip((3, 2, 1), p_values.items(), strict=True):
        expected[title] = least = max(least, min(1, times * p_value))
    assert {row.title: row.p_adjusted for row in score.rows} == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        ([(1, "table1"), (3, "combined")], "combined"),
        ([(2, "around"), (2, "table1"), (2, "a")], "table1"),
        ([(2, "monti"), (2, "around"), (2, "a")], "around"),
        ([(2, "combined"), (2, "monti")], "monti"),
        ([(2, "b"), (2, "a")], "a"),
    ],
)
def test_the_row_with_the_most_seeds_stands_for_its_training(cells, kept, tmp_path):
    runs = [run for count, experiment in cells for run in seeds(count, experiment)]
    score = scored(runs, tmp_path)
    (row,) = score.rows
    assert (row.cell.experiment, row.seeds) == (kept, max(count for count, _ in cells))
    assert score.notes[-1].startswith(f"{len(cells) - 1} further row")


def test_seeds_of_a_deterministic_model_count_as_one(tmp_path):
    runs = [
        run_of(predictions(1), model="item_knn", deterministic=True, experiment=it, seed=seed)
        for it, seed in (("table1", 0), ("combined", 0), ("combined", 1), ("combined", 2))
    ]
    (row,) = scored(runs, tmp_path).rows
    assert (row.title, row.seeds) == ("Item-kNN", 1)


def test_a_row_with_a_chosen_epoch_goes_before_one_with_more_seeds(tmp_path):
    chosen = seeds(1, "b")
    (row,) = scored([*seeds(3, "a", NEVER), *chosen], tmp_path).rows
    assert (row.cell.experiment, row.protocol, row.seeds) == ("b", "validated", 1)


OPTIONS = {"valid_share": 0.05, "clip": True, "selection": "each_seed", "lowest_seed": 0}


@pytest.mark.parametrize(
    ("changes", "parts", "rows"),
    [
        ({}, {"protocol": {**OPTIONS, "selection": "lowest_seed", "lowest_seed": 3}}, 1),
        ({}, {"data": {"name": "synthetic", "fold": 1}}, 1),
        ({"settings_from": "validation"}, {}, 1),
        ({"threads": 1, "cpu": "another"}, {}, 1),
        ({"options": {"rank": 8.0}}, {}, 1),
        ({"options": {"rank": 9}}, {}, 2),
        ({"model": "sparse_fc"}, {}, 2),
        ({"model_version": 2}, {}, 2),
        ({"side_checksum": "51de"}, {}, 2),
        ({"train_share": 0.5}, {}, 2),
        ({}, {"trainer": {"max_epochs": 3}}, 2),
        ({}, {"protocol": {**OPTIONS, "clip": False}}, 2),
        ({}, {"protocol": {**OPTIONS, "valid_share": 0.1}}, 2),
    ],
)
def test_what_can_change_a_training_makes_another_row(changes, parts, rows, tmp_path):
    """The errors differ in all cases, as those of the same training on other processors do."""
    plain = {"protocol": OPTIONS, "trainer": {}}
    names = {"options": {"rank": 8}, "experiment": "other", **changes}
    runs = [
        with_config(run_of(predictions(1), options={"rank": 8}), **plain),
        with_config(run_of(predictions(2), **names), **{**plain, **parts}),
    ]
    assert len(scored(runs, tmp_path, variants=True).rows) == rows


@pytest.mark.skipif(not RECORDS.is_dir(), reason="the committed records are in a checkout only")
def test_no_committed_row_of_a_split_repeats_another():
    texts = [path.read_text() for path in sorted(RECORDS.glob("*/yahoo_music/*/*.json"))]
    runs = [run for run in map(json.loads, texts) if run["status"] == "done"]
    (checksum,) = {run["data_checksum"] for run in runs if run["experiment"] == "monti"}
    texts = [text for text in texts if json.loads(text)["data_checksum"] == checksum]
    runs = [json.loads(text) for text in texts]
    models = {json.dumps(run["config"]["model"], sort_keys=True) for run in runs}
    cells = {(run["experiment"], run["model"], run["variant"]) for run in runs}
    assert len(cells) > len(models)
    kept = without_repeated(Record.model_validate_json(text) for text in texts)
    assert len({(run.experiment, run.model, run.variant) for run in kept}) == len(models)
    assert {json.dumps(run.config["model"], sort_keys=True) for run in kept} == models


def test_rows_say_whether_they_use_side_information(tmp_path):
    runs = [
        run_of(predictions(1)),
        run_of(predictions(2), model="mg_gat", side_information=True, side_checksum="51de"),
    ]
    score = scored(runs, tmp_path)
    table = score.comparisons.set_index("model")["side_information"]
    assert table.to_dict() == {"glocal_k": False, "mg_gat": True}
    lines = terminal_text(score).splitlines()
    at = lines[2].index("Side inf.")
    assert lines[2].split()[-3:] == ["Side", "inf.", "Row"]
    cells = {line[at + 11 :]: line[at : at + 11].strip() for line in lines[3:6]}
    assert cells == {"MG-GAT": "yes", "GLocal-K": "", "mine": ""}
    write_score(score, tmp_path / "out")
    with (tmp_path / "out" / "evaluation.csv").open(newline="") as file:
        written = {row["title"]: row["side_information"] for row in csv.DictReader(file)}
    assert written == {"MG-GAT": "yes", "GLocal-K": "no", "mine": ""}
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert {row["model"]: row["side_information"] for row in content["comparisons"]} == {
        "glocal_k": False,
        "mg_gat": True,
    }
    text = (tmp_path / "out" / "evaluation.md").read_text().splitlines()
    assert "| Row | Side inf. | RMSE |" in text[4]
    assert [line.split(" | ")[:2] for line in text if line.startswith("| MG-GAT")] == [
        ["| MG-GAT", "yes"]
    ]
    assert DATES_NOTE not in score.notes


@pytest.mark.parametrize(
    ("names", "noted"),
    [
        ({"model": "bayesian_fm", "options": {"dates": True}}, True),
        ({"model": "bayesian_fm", "options": {"dates": False}}, False),
        ({"model": "stack_side", "options": {"members": {"bayesian_fm": {"dates": True}}}}, True),
        ({"model": "stack", "options": {"members": {"bias": {}, "item_knn": {}}}}, False),
        ({"model": "bayesian_fm", "options": {"dates": True}, "data": "synthetic"}, False),
    ],
)
def test_a_sentence_says_that_a_row_knows_the_dates_of_test_ratings(names, noted, tmp_path):
    run = run_of(predictions(1), **{"data": "ml_100k", "side_information": True, **names})
    score = scored([run], tmp_path)
    assert score.comparisons["side_information"].tolist() == [True]
    assert (DATES_NOTE in terminal_text(score)) == noted
