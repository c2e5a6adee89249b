"""Searches that several processes share in a database."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from threading import Barrier

import optuna
import pytest
from optuna.trial import TrialState
from small_run import BIAS, MODEL, STAGE, forked
from small_run import config as run_config

from glocalk.errors import GlocalkError
from glocalk.records.search import Budget, Search
from glocalk.run.search import Storage, search
from glocalk.run.search_task import Task, space_of
from glocalk.run.shared_study import _storage, shared_study
from glocalk.run.trial import make_trial

SPACE = {
    "item_damping": {"low": 1.0, "high": 100.0, "log": True},
    "user_damping": {"low": 1.0, "high": 100.0, "log": True},
}
START = {"item_damping": 25.0, "user_damping": 10.0}
EPOCHS = {**MODEL, "pretrain": {**STAGE, "epochs": 8}, "finetune": {**STAGE, "epochs": 0}}
EPOCHS_SPACE = {"lambda_s": {"low": 0.001, "high": 0.1}}


def config(runs_dir, **changes):
    bias = {"model": BIAS, "model_name": "bias", "experiment": "tuning"}
    return run_config(runs_dir, **{**bias, **changes})


def record_in(runs):
    (path,) = runs.glob("searches/*/search.json")
    return Search.read(path)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


def test_one_process_makes_the_whole_search_and_finds_it_again(tmp_path, url):
    made = search(config(tmp_path), SPACE, Budget(trials=4), storage=Storage(url))
    assert [trial.state for trial in made.trials] == ["done"] * 4
    assert made.trials[0].options == START
    assert len({trial.valid_rmse for trial in made.trials}) == 4
    assert record_in(tmp_path) == made
    # Another machine has the same trials in its own folder, without training.
    other = search(config(tmp_path / "other"), SPACE, Budget(trials=4), storage=Storage(url))
    assert other.trials == made.trials
    assert search(config(tmp_path), SPACE, Budget(trials=4), storage=Storage(url)) == made
    # The first trial is that of a search of one process.
    alone = search(config(tmp_path / "alone"), SPACE, Budget(trials=1))
    assert alone.trials[0].valid_rmse == made.trials[0].valid_rmse


def test_no_options_are_tried_twice_and_a_search_ends_when_all_are_tried(tmp_path, url):
    space = {"item_damping": [1.0, 100.0], "user_damping": [1.0]}  # and the present 25 and 10
    made = search(config(tmp_path), space, Budget(trials=50), storage=Storage(url))
    assert len({trial.point for trial in made.trials}) == len(made.trials) == 6
    other = search(config(tmp_path / "other"), space, Budget(trials=50), storage=Storage(url))
    assert other.trials == made.trials


def _search(runs_dir, url, trials):
    """A search, whose first trial waits until another process has begun one."""
    from glocalk.run import search as module

    make = module.make_trial

    def met(*arguments):
        (runs_dir / "begun").touch()
        deadline = time.monotonic() + 120
        while len(list(runs_dir.parent.glob("*/begun"))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return make(*arguments)

    module.make_trial = met
    search(config(runs_dir), SPACE, Budget(trials=trials), storage=Storage(url))


def test_two_processes_make_the_trials_of_one_budget(tmp_path, url):
    processes = [
        forked(_search, tmp_path / name, url, 8, log=tmp_path / f"log_{name}") for name in "ab"
    ]
    for process in processes:
        process.join()
    logs = [(tmp_path / f"log_{name}").read_text() for name in "ab"]
    assert [process.exitcode for process in processes] == [0, 0], logs
    assert not any("Warning" in log for log in logs), logs
    first, second = (record_in(tmp_path / name) for name in "ab")
    assert first.trials == second.trials
    assert len(first.trials) == 8
    assert first.trials[0].options == START
    assert len({tuple(trial.options.values()) for trial in first.trials}) == 8
    (study,) = optuna.get_all_study_summaries(url)
    trials = optuna.load_study(study_name=study.study_name, storage=url).trials
    owners = {t.user_attrs["owner"]["pid"] for t in trials if "made" in t.user_attrs}
    assert owners == {process.pid for process in processes}


@pytest.mark.filterwarnings("ignore:.*heartbeat_interval")
def test_a_database_that_several_make_at_once_is_one(url):
    """Without another attempt, two or three of four fail."""
    together = Barrier(4)

    def made(_):
        together.wait()
        return _storage(url)

    with ThreadPoolExecutor(4) as pool:
        storages = list(pool.map(made, range(4)))
    optuna.create_study(storage=storages[0], study_name="it")
    assert [[study.study_name for study in s.get_all_studies()] for s in storages] == [["it"]] * 4


def test_a_trial_that_others_gave_up_is_made_again(tmp_path, url, caplog, monkeypatch):
    """As after a machine has slept: the storage got no sign of life of the process."""

    def given_up(config, split, options, folder, asked, seconds):
        if asked.number == 1:
            asked.study._storage.set_trial_state_values(asked._trial_id, TrialState.FAIL)
        return make_trial(config, split, options, folder, asked, seconds)

    monkeypatch.setattr("glocalk.run.search.make_trial", given_up)
    with caplog.at_level("WARNING"):
        made = _epochs(tmp_path, url, 3)
    assert [trial.state for trial in made.trials] == ["done"] * 3
    assert [line for line in caplog.messages if "given up" in line] == [
        "A trial is given up, because no sign of life of it reached the storage."
    ]
    (study,) = optuna.get_all_study_summaries(url)
    assert study.n_trials == 4


def _epochs(runs_dir, url, trials):
    made = config(runs_dir, model=EPOCHS, model_name="glocal_k")
    return search(made, EPOCHS_SPACE, Budget(trials=trials), storage=Storage(url))


def _killed(runs_dir, url):
    from glocalk.run.trial import _Watch

    ends = _Watch.epoch_ended

    def ended(self, stage, epoch, test, valid):
        ends(self, stage, epoch, test, valid)
        if self.asked.number == 1 and epoch == 2:
            os._exit(9)

    _Watch.epoch_ended = ended
    _epochs(runs_dir, url, 3)


def test_a_search_that_was_killed_continues_and_gives_up_no_part_of_its_budget(tmp_path, url):
    process = forked(_killed, tmp_path, url, log=tmp_path / "log")
    process.join()
    assert process.exitcode == 9, (tmp_path / "log").read_text()
    began = time.monotonic()
    made = _epochs(tmp_path, url, 3)
    assert time.monotonic() - began < 100  # the claim of a process that is gone is not waited for
    assert [trial.state for trial in made.trials] == ["done"] * 3
    (study,) = optuna.get_all_study_summaries(url)
    trials = optuna.load_study(study_name=study.study_name, storage=url).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]


def test_hours_are_those_of_all_processes(tmp_path, url):
    spent = Budget(trials=5, hours=1e-6 / 3600)
    made = search(config(tmp_path), SPACE, spent, storage=Storage(url))
    assert len(made.trials) == 1
    again = search(config(tmp_path / "other"), SPACE, spent, storage=Storage(url))
    assert again.trials == made.trials


def test_a_study_of_another_search_is_refused(tmp_path, url):
    own = Storage(url, "mine")
    search(config(tmp_path), SPACE, Budget(trials=1), storage=own)
    for changes, space, trials in [
        ({"seed": 1}, SPACE, 1),
        ({}, {"item_damping": [1.0, 2.0]}, 1),
        ({}, SPACE, 2),
    ]:
        with pytest.raises(GlocalkError, match=r"The study 'mine' in .* other data, options"):
            search(config(tmp_path / "o", **changes), space, Budget(trials=trials), storage=own)
    optuna.create_study(storage=url, study_name="foreign").add_trial(
        optuna.trial.create_trial(value=1.0)
    )
    with pytest.raises(GlocalkError, match="another study_name="):
        search(config(tmp_path / "o"), SPACE, Budget(trials=1), storage=Storage(url, "foreign"))


def test_searches_with_other_options_have_other_studies_by_default(tmp_path, url):
    search(config(tmp_path / "a"), SPACE, Budget(trials=1), storage=Storage(url))
    search(config(tmp_path / "b"), SPACE, Budget(trials=2), storage=Storage(url))
    search(config(tmp_path / "c", seed=1), SPACE, Budget(trials=1), storage=Storage(url))
    names = [study.study_name for study in optuna.get_all_study_summaries(url)]
    assert len(set(names)) == 3
    assert all(name.startswith("synthetic-bias-") for name in names)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+nodriver://me:secret@localhost/db", "postgresql+nodriver://localhost/db"),
        ("sqlite:////no/such/folder/study.db", "sqlite:////no/such/folder/study.db"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_storage_that_cannot_be_used_is_one_sentence(tmp_path, url, shown):
    with pytest.raises(GlocalkError) as raised:
        search(config(tmp_path), SPACE, Budget(trials=1), storage=Storage(url))
    text = str(raised.value)
    assert text.startswith(f"The storage '{shown}' cannot be used (")
    assert "secret" not in text
    assert "\n" not in text


def test_force_does_not_take_a_search_away_from_others(tmp_path, url):
    with pytest.raises(GlocalkError, match="study_name="):
        search(config(tmp_path, force=True), SPACE, Budget(trials=1), storage=Storage(url))


def test_processes_share_the_hours_too(tmp_path, url, monkeypatch):
    """What trials under way have taken is not left to others, whatever the number of processes."""
    budget = Budget(trials=10, hours=1)
    run = config(tmp_path)
    task = Task.of(run, space_of(run, SPACE), budget, None, run.split())
    with ExitStack() as stack:
        studies = [stack.enter_context(shared_study(url, "it", task.blank)) for _ in range(3)]
        for study in studies:
            study.start(**task.of_study)
        asked = [study.ask()[0] for study in studies]
        began = max(trial.datetime_start for trial in asked)

        class Later(datetime):
            @classmethod
            def now(cls):
                return began + timedelta(minutes=25)

        monkeypatch.setattr("glocalk.run.shared_study.datetime", Later)
        # Of 60 minutes, the others have taken 25 each, and this one may take what is left.
        for trial, study in zip(asked, studies, strict=True):
            assert study.seconds_left(trial.number) == pytest.approx(600, abs=60)
        assert studies[0].ask() is None  # all of them have taken 75 minutes
