import itertools
import json
import logging
import random
import resource
import time

import numpy as np
import pytest
from filelock import FileLock
from small_run import BIAS, MODEL, STAGE, forked
from small_run import config as run_config

from glocalk.completers.baselines import Bias
from glocalk.data.sources import build_source
from glocalk.errors import GlocalkError
from glocalk.records.search import Budget, Search
from glocalk.run.search import describe, search
from glocalk.run.search_task import folder_of
from glocalk.run.study import Study

BIAS_SPACE = {
    "item_damping": {"low": 1.0, "high": 100.0, "log": True},
    "user_damping": {"low": 1.0, "high": 100.0, "log": True},
}
BIAS_RUN = {"model": BIAS, "model_name": "bias"}
# The last value is hopeless, and pruned as soon as it may be.
EPOCHS_SPACE = {"lambda_2": [20.0, 1e6], "lambda_s": {"low": 0.001, "high": 0.1}}
EPOCHS_RUN = {
    "model": {**MODEL, "pretrain": {**STAGE, "epochs": 8}, "finetune": {**STAGE, "epochs": 0}},
}


def config(runs_dir, **changes):
    """The config of a search that belongs to no experiment."""
    return run_config(runs_dir, **{"experiment": "tuning", **changes})


def path_of(runs):
    (path,) = runs.glob("searches/*/search.json")
    return path


def outcomes(record):
    """Everything of the trials but their time."""
    return [trial.model_dump(exclude={"seconds"}) for trial in record.trials]


def test_the_best_trial_has_the_lowest_validation_error(tmp_path):
    record = search(config(tmp_path, **BIAS_RUN), BIAS_SPACE, Budget(trials=4))
    assert Search.read(path_of(tmp_path)) == record
    assert [trial.state for trial in record.trials] == ["done"] * 4
    # The present config comes first.
    assert record.trials[0].options == {"item_damping": 25.0, "user_damping": 10.0}
    errors = [trial.valid_rmse for trial in record.trials]
    assert record.best.valid_rmse == min(errors)
    assert len(set(errors)) == 4
    assert not (path_of(tmp_path).parent / "training").exists()
    for trial in record.trials:
        assert all(1 <= value <= 100 for value in trial.options.values())


def test_trials_are_judged_by_held_out_ratings_and_never_by_test(tmp_path):
    """The first trial's error, from the equations of `bias` and the synthetic data."""
    made = config(tmp_path, **BIAS_RUN)
    record = search(made, BIAS_SPACE, Budget(trials=1))
    part = build_source(made.data).split(tmp_path).hold_out(0.05, 0)
    train, valid = part.train, part.valid
    mean = train.ratings.mean()
    item, user = np.zeros(train.num_items), np.zeros(train.num_users)
    for i in range(train.num_items):
        of = train.items == i
        item[i] = (train.ratings[of] - mean).sum() / (25 + of.sum())
    for u in range(train.num_users):
        of = train.users == u
        user[u] = (train.ratings[of] - mean - item[train.items[of]]).sum() / (10 + of.sum())
    predicted = np.clip(mean + item[valid.items] + user[valid.users], *train.scale)
    expected = np.sqrt(np.mean((predicted - valid.ratings) ** 2))
    assert record.trials[0].valid_rmse == pytest.approx(expected, abs=1e-9)


def test_a_seed_of_its_own_chooses_the_ratings_that_judge(tmp_path):
    """The first trial's error is that of a training without what this seed holds out."""
    made = config(tmp_path, **BIAS_RUN)
    own = search(made, BIAS_SPACE, Budget(trials=1), valid_seed=7)
    part = build_source(made.data).split(tmp_path).hold_out(0.05, 7)
    fitted = Bias(item_damping=25.0, user_damping=10.0).fit(part.train)
    predicted = np.clip(fitted.predict_pairs(part.valid.users, part.valid.items), 1, 5)
    expected = np.sqrt(np.mean((predicted - part.valid.ratings) ** 2))
    assert own.trials[0].valid_rmse == pytest.approx(expected, abs=1e-9)
    plain = search(config(tmp_path / "plain", **BIAS_RUN), BIAS_SPACE, Budget(trials=1))
    assert plain.trials[0].valid_rmse != own.trials[0].valid_rmse
    assert plain.identity != own.identity
    assert (own.valid_seed, plain.valid_seed) == (7, None)


def test_a_search_ends_when_its_hours_are_spent_and_more_hours_continue_it(tmp_path):
    made = config(tmp_path, **EPOCHS_RUN)
    nothing = Budget(trials=3, hours=1e-9)
    cut = search(made, EPOCHS_SPACE, nothing)
    (trial,) = cut.trials
    assert (trial.state, trial.epoch) == ("out_of_time", 1)  # ended after its first epoch
    assert cut.best is None
    assert "(out of time, " in describe(trial)
    assert search(made, EPOCHS_SPACE, nothing) == cut
    more = search(made, EPOCHS_SPACE, Budget(trials=3, hours=1))
    # The present hyperparameters are tried again: without their error, no other is better.
    whole = search(config(tmp_path / "whole", **EPOCHS_RUN), EPOCHS_SPACE, Budget(trials=3))
    assert [each.state for each in more.trials] == ["done"] * 3
    assert outcomes(more) == outcomes(whole)


def test_the_last_of_all_trials_is_made_again_with_more_hours(tmp_path):
    made = config(tmp_path, **EPOCHS_RUN)
    cut = search(made, EPOCHS_SPACE, Budget(trials=1, hours=1e-9))
    assert [trial.state for trial in cut.trials] == ["out_of_time"]
    more = search(made, EPOCHS_SPACE, Budget(trials=1))
    assert [trial.state for trial in more.trials] == ["done"]
    path_of(tmp_path).unlink()
    assert search(made, EPOCHS_SPACE, Budget(trials=1)) == more  # from the journal


def test_trainings_of_milliseconds_spend_the_hours_too(tmp_path):
    """A limit of a microsecond is reached by one trial, however quick."""
    budget = Budget(trials=5, hours=1e-6 / 3600)
    record = search(config(tmp_path, **BIAS_RUN), BIAS_SPACE, budget)
    assert [trial.state for trial in record.trials] == ["done"]


def test_a_training_in_its_last_epoch_is_not_ended(tmp_path):
    one_epoch = {**MODEL, "pretrain": {**STAGE, "epochs": 1}, "finetune": {**STAGE, "epochs": 0}}
    made = config(tmp_path, model=one_epoch)
    record = search(made, {"lambda_2": [20.0, 30.0]}, Budget(trials=1, hours=1e-9))
    assert [trial.state for trial in record.trials] == ["done"]


def test_more_trials_continue_a_search(tmp_path):
    whole = search(config(tmp_path / "whole", **BIAS_RUN), BIAS_SPACE, Budget(trials=9))
    cut = config(tmp_path / "cut", **BIAS_RUN)
    first = search(cut, BIAS_SPACE, Budget(trials=3))
    resumed = search(cut, BIAS_SPACE, Budget(trials=9))
    assert resumed.trials[:3] == first.trials
    assert outcomes(resumed) == outcomes(whole)
    assert search(cut, BIAS_SPACE, Budget(trials=9)) == resumed
    assert search(cut, BIAS_SPACE, Budget(trials=2)) == resumed  # what is there is not thrown away


FEW_POINTS = {"item_damping": [1.0, 100.0], "user_damping": [1.0]}  # and the present 25 and 10


def test_no_options_are_tried_twice_and_a_search_ends_when_all_are_tried(tmp_path):
    """All six combinations, however many trials are allowed."""
    whole = search(config(tmp_path / "whole", **BIAS_RUN), FEW_POINTS, Budget(trials=50))
    tried = [tuple(trial.options.values()) for trial in whole.trials]
    assert tried[0] == (25.0, 10.0)
    assert sorted(tried) == sorted(itertools.product([1.0, 25.0, 100.0], [1.0, 10.0]))
    assert whole.is_exhausted
    cut = config(tmp_path / "cut", **BIAS_RUN)
    search(cut, FEW_POINTS, Budget(trials=3))
    resumed = search(cut, FEW_POINTS, Budget(trials=50))
    assert outcomes(resumed) == outcomes(whole)
    assert search(cut, FEW_POINTS, Budget(trials=51)) == resumed  # nothing is left to train


def test_the_last_point_is_found_where_the_estimator_prefers_others(tmp_path):
    """Of 40 values, one at a time; a proposal that is tried already costs no trial."""
    space = {"item_damping": [float(value) for value in range(1, 41)]}
    made = search(config(tmp_path, **BIAS_RUN), space, Budget(trials=39))
    assert not made.is_exhausted
    assert len({trial.point for trial in made.trials}) == len(made.trials) == 39
    made = search(config(tmp_path, **BIAS_RUN), space, Budget(trials=100))
    assert sorted(trial.options["item_damping"] for trial in made.trials) == list(range(1, 41))


def test_another_seed_tries_other_options(tmp_path):
    first, second = (
        search(config(tmp_path / str(seed), **BIAS_RUN, seed=seed), BIAS_SPACE, Budget(trials=2))
        for seed in (0, 1)
    )
    assert first.trials[0].options == second.trials[0].options
    assert first.trials[1].options != second.trials[1].options
    assert first.identity != second.identity


def test_another_space_is_another_search_and_force_starts_again(tmp_path):
    made = config(tmp_path, **BIAS_RUN)
    first = search(made, BIAS_SPACE, Budget(trials=2))
    other = search(made, {"item_damping": [25.0, 3.0]}, Budget(trials=1))
    assert len(other.trials) == 1
    assert Search.read(path_of(tmp_path)) == other
    assert outcomes(search(made, BIAS_SPACE, Budget(trials=2))) == outcomes(first)
    again = search(config(tmp_path, **BIAS_RUN, force=True), BIAS_SPACE, Budget(trials=1))
    assert outcomes(again) == outcomes(first)[:1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted search that prunes."""
    return search(
        config(tmp_path_factory.mktemp("whole"), **EPOCHS_RUN), EPOCHS_SPACE, Budget(trials=9)
    )


def test_a_training_worse_than_the_median_is_pruned(whole):
    assert whole.trials[0].options == {"lambda_2": 20.0, "lambda_s": 0.006}
    assert whole.trials[0].state == "done"
    hopeless = [trial for trial in whole.trials if trial.options["lambda_2"] == 1e6]
    assert hopeless
    pruned = [trial for trial in whole.trials if trial.state == "pruned"]
    assert pruned
    for trial in pruned:
        assert trial.valid_rmse > whole.best.valid_rmse
        assert trial.epoch < 8


def _search(runs_dir):
    search(config(runs_dir, **EPOCHS_RUN), EPOCHS_SPACE, Budget(trials=9))


def test_a_killed_search_continues_as_if_uninterrupted(whole, tmp_path):
    """Killed in the first trial, among the random ones, and again among the proposed ones."""
    rng = random.Random(0)
    for trials in (0, 2, 6):
        process = forked(_search, tmp_path, log=tmp_path / "log")
        deadline = time.monotonic() + 120
        while process.is_alive() and len(_trials(tmp_path)) < trials:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        _wait_for_a_report(tmp_path, process, rng.randrange(1, 4))
        process.kill()
        process.join()
        assert len(_trials(tmp_path)) < 9, "it ended before it could be killed"
    _search(tmp_path)
    assert outcomes(Search.read(path_of(tmp_path))) == outcomes(whole)


def _trials(runs):
    paths = list(runs.glob("searches/*/search.json"))
    return Search.read(paths[0]).trials if paths else []


def _wait_for_a_report(runs, process, more):
    """Wait until the journal has grown by some lines: a training is under way."""

    def lines():
        paths = list(runs.glob("searches/*/journal.log"))
        return paths[0].read_bytes().count(b"\n") if paths else 0

    start = lines()
    while process.is_alive() and lines() < start + 6 + more:
        time.sleep(0.0005)


def test_a_line_that_a_kill_left_incomplete_is_dropped(tmp_path):
    made = config(tmp_path, **BIAS_RUN)
    search(made, BIAS_SPACE, Budget(trials=2))
    with (path_of(tmp_path).parent / "journal.log").open("a") as file:
        file.write('{"op_code":5,"worker')
    whole = search(config(tmp_path / "whole", **BIAS_RUN), BIAS_SPACE, Budget(trials=4))
    assert outcomes(search(made, BIAS_SPACE, Budget(trials=4))) == outcomes(whole)


def test_a_trial_told_in_part_is_completed(tmp_path):
    """Killed between the two lines that a result takes: it is not trained again."""
    made = config(tmp_path, **BIAS_RUN)
    first = search(made, BIAS_SPACE, Budget(trials=2))
    journal = path_of(tmp_path).parent / "journal.log"
    lines = journal.read_text().splitlines(keepends=True)
    assert '"state":' in lines[-1]
    journal.write_text("".join(lines[:-1]))
    path_of(tmp_path).unlink()
    assert search(made, BIAS_SPACE, Budget(trials=2)) == first


def test_a_training_that_fails_is_a_failed_trial(tmp_path, caplog):
    space = {"lambda_2": [20.0, 1e308]}  # beyond float64
    run = {"model": {**MODEL, "finetune": {**STAGE, "epochs": 0}}}
    record = search(config(tmp_path, **run), space, Budget(trials=6))
    failed = [trial for trial in record.trials if trial.options["lambda_2"] == 1e308]
    assert failed
    assert {(trial.state, trial.valid_rmse) for trial in failed} == {("failed", None)}
    assert "diverged" in caplog.text
    assert record.best.options == {"lambda_2": 20.0}
    assert ": validation RMSE – " in describe(failed[0])


def test_a_machine_that_cannot_train_ends_the_search_and_leaves_no_trial(tmp_path):
    """Another machine continues it."""
    run = {"model": {**MODEL, "finetune": {**STAGE, "epochs": 0}}}
    here, there = config(tmp_path, **run), config(tmp_path, **run, trainer={"accelerator": "warp"})
    space, budget = {"lambda_2": [20.0, 30.0]}, Budget(trials=2)
    with pytest.raises(GlocalkError, match="The Trainer cannot be made"):
        search(there, space, budget)
    assert not list(tmp_path.glob("searches/*/search.json"))
    assert [trial.state for trial in search(here, space, budget).trials] == ["done", "done"]


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({"item_damping": {"low": 500, "high": 3}}, "The search over 'item_damping' cannot be"),
        ({"item_damping": []}, "The search over 'item_damping' cannot be"),
        ({"item_damping": 3}, "The search over 'item_damping' cannot be"),
        ({"damping": [1, 2]}, "names an option that the model does not have: 'damping'"),
        (
            {"damping": [1, 2]},
            "in 'conf/search/bias.yaml' and, if there is such a file, 'conf",
        ),
        ({}, "'conf/search/bias.yaml' names no option to try"),
    ],
    ids=str,
)
def test_impossible_searches_are_errors(tmp_path, space, sentence):
    with pytest.raises(GlocalkError) as error:
        search(config(tmp_path, **BIAS_RUN), space, Budget(trials=1))
    assert sentence in str(error.value)
    assert not list(tmp_path.glob("searches/*"))


def test_a_damaged_or_older_record_is_an_error(tmp_path):
    made = config(tmp_path, **BIAS_RUN)
    search(made, BIAS_SPACE, Budget(trials=1))
    path = path_of(tmp_path)
    path.write_text(json.dumps({"format": 1}))
    with pytest.raises(GlocalkError, match="migrate it with `glocalk report migrate "):
        search(made, BIAS_SPACE, Budget(trials=1))
    path.write_text("{")
    with pytest.raises(GlocalkError, match="is not a complete record of a search"):
        search(made, BIAS_SPACE, Budget(trials=1))


def test_the_present_value_is_tried_first_even_if_the_list_lacks_it(tmp_path):
    space = {"item_damping": [1.0, 5.0]}
    study = Study(tmp_path / "journal", "s", space, {"item_damping": 25.0}, 0, 0)
    assert study.ask()[1] == {"item_damping": 25.0}
    assert study.ask()[1]["item_damping"] in (1.0, 5.0, 25.0)


@pytest.mark.parametrize(
    "line", [b"hello", bytes(100), b"[1, 2]", b"[" * 100_000, b'{"op_code": 99}', b"\xe9"]
)
def test_a_damaged_journal_is_an_error(tmp_path, line):
    made = config(tmp_path, **BIAS_RUN)
    search(made, BIAS_SPACE, Budget(trials=1))
    journal = path_of(tmp_path).with_name("journal.log")
    journal.write_bytes(journal.read_bytes() + line + b"\n")
    with pytest.raises(GlocalkError, match=r"journal\.log' is damaged: remove it"):
        search(made, BIAS_SPACE, Budget(trials=2))


def test_a_journal_elsewhere_is_not_written_to(tmp_path):
    made = config(tmp_path / "runs", **BIAS_RUN)
    search(made, BIAS_SPACE, Budget(trials=1))
    journal = path_of(tmp_path / "runs").with_name("journal.log")
    journal.unlink()
    (tmp_path / "notes").write_text("precious")
    journal.symlink_to(tmp_path / "notes")
    with pytest.raises(GlocalkError, match="leads out of the folder"):
        search(made, BIAS_SPACE, Budget(trials=2))
    assert (tmp_path / "notes").read_text() == "precious"


@pytest.mark.parametrize("size", [0, 300, 3000])
def test_a_full_disk_ends_in_one_sentence(tmp_path, size):
    made = config(tmp_path / "runs", **BIAS_RUN)
    expected = outcomes(
        search(config(tmp_path / "whole", **BIAS_RUN), BIAS_SPACE, Budget(trials=3))
    )
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        with pytest.raises(GlocalkError, match="stopped, because it cannot write"):
            search(made, BIAS_SPACE, Budget(trials=3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert outcomes(search(made, BIAS_SPACE, Budget(trials=3))) == expected


def test_a_second_search_over_the_same_model_says_that_it_waits(tmp_path, caplog):
    run = run_config(tmp_path, **BIAS_RUN)
    folder = folder_of(run)
    folder.mkdir(parents=True)
    lock = FileLock(folder / ".lock")
    lock.acquire()

    class Release(logging.Handler):
        def emit(self, record):  # noqa: ARG002 (the only one)
            lock.release()

    logger, handler = logging.getLogger("glocalk.run.folder"), Release()
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO):
            assert len(search(run, BIAS_SPACE, Budget(trials=1)).trials) == 1
    finally:
        logger.removeHandler(handler)
    assert (
        f"A search over {run.model_name} on {run.data_name} is already running in another process: "
        "waiting for it."
    ) in caplog.messages
