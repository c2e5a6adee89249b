"""Which ratings judge the trials of a search, and whether they choose in a later run, too."""

import numpy as np
import pytest

from glocalk.data.splits import Split
from glocalk.records.search import Budget
from glocalk.run.search import search
from glocalk.run.search_task import Task
from run.small_run import BIAS
from run.small_run import config as run_config

SEARCHED = {"model": BIAS, "model_name": "bias"}
EPOCHS = {"model": {"_target_": "glocalk.BiasMF", "rank": 2, "epochs": 2}, "model_name": "bias_mf"}
STACK = {
    "model": {"_target_": "glocalk.Stack", "members": {"bias": BIAS}, "seeds": 2},
    "model_name": "stack",
}
ONE = Budget(trials=1)


def cells(ratings):
    return set(zip(ratings.users.tolist(), ratings.items.tolist(), strict=True))


@pytest.fixture
def table(tmp_path):
    """Options of the data by split; 400 ratings of 20 users, the time ascends with the row."""
    draw = np.random.default_rng(3)
    pairs = [divmod(int(cell), 30) for cell in draw.permutation(600)[:400]]
    rows = [f"{u},{i},{draw.integers(1, 6)},{time}" for time, (u, i) in enumerate(pairs)]
    untimed = [row.rpartition(",")[0] for row in rows]
    for name, header, part in (
        ("dated", "user,item,rating,timestamp", rows),
        ("undated", "user,item,rating", untimed),
        ("train", "user,item,rating", untimed[:300]),
        ("valid", "user,item,rating", untimed[300:350]),
        ("test", "user,item,rating", untimed[350:]),
    ):
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
    dated, undated = (str(tmp_path / f"{name}.csv") for name in ("dated", "undated"))
    parts = {name: str(tmp_path / f"{name}.csv") for name in ("valid", "test")}
    return {
        "time": {"path": dated, "split": "time"},
        "dated leave_n_out": {"path": dated, "split": "leave_n_out", "n": 2},
        "given": {
            "path": str(tmp_path / "train.csv"),
            **{f"{name}_path": path for name, path in parts.items()},
        },
        "at random": {"path": dated},
        "undated leave_n_out": {"path": undated, "split": "leave_n_out", "n": 2},
        "folds": {"path": dated, "folds": 5},
    }


def config(tmp_path, data, **changes):
    made = run_config(tmp_path / "runs", **{"experiment": "tuning", **changes})
    options = {"_target_": "glocalk.data.datasets.table.RatingTable", **data}
    return made.model_copy(update={"data": options, "data_name": "csv"})


FIXED = ["time", "dated leave_n_out", "given"]
DRAWN = ["at random", "undated leave_n_out", "folds"]


@pytest.mark.parametrize("name", [*FIXED, *DRAWN])
def test_a_valid_seed_without_effect_is_said_once(name, table, tmp_path, caplog):
    errors = []
    for valid_seed in (1, 1000):
        made = config(tmp_path / str(valid_seed), table[name], **SEARCHED)
        caplog.clear()
        (trial,) = search(made, {"item_damping": [25.0]}, ONE, valid_seed).trials
        errors.append(trial.valid_rmse)
        warnings = [line for line in caplog.messages if "valid_seed has no effect" in line]
        assert len(warnings) == (name in FIXED)
    assert (errors[0] == errors[1]) == (name in FIXED)


@pytest.mark.parametrize("train_share", [1.0, 0.5])
@pytest.mark.parametrize("selection", ["each_seed", "lowest_seed"])
@pytest.mark.parametrize(("seed", "valid_seed"), [(0, 1000), (1000, 1000), (4, 0), (4, None)])
@pytest.mark.parametrize("name", [*FIXED, *DRAWN])
def test_a_search_warns_where_its_ratings_choose_the_epoch_of_the_run(
    name, seed, valid_seed, selection, train_share, table, tmp_path
):
    """The ratings that the selection run holds out, by what docs/protocols.md says of it."""
    protocol = {"selection": selection}
    made = config(tmp_path, table[name], **EPOCHS, seed=seed, protocol=protocol)
    made = made.model_copy(update={"train_share": train_share})
    split: Split = made.split()
    task = Task.of(made, {}, ONE, valid_seed, split)
    chooses = seed if selection == "each_seed" else 0
    selecting = split.keep(train_share, chooses).hold_out(0.05, chooses).valid
    if name in FIXED:
        assert task.warning == (
            "The split of csv itself chooses which ratings are held out, so that valid_seed has no "
            "effect: the ratings that judge the trials choose the epoch of a later run, too."
        )
        assert train_share != 1 or cells(task.split.test) == cells(selecting)
    elif task.warning is None:
        assert cells(task.split.test) != cells(selecting)
    else:
        assert cells(task.split.test) == cells(selecting)
        assert f"With valid_seed={'null' if valid_seed is None else valid_seed}," in task.warning
        assert f"seed={chooses} holds out in a run, so that they choose the epoch" in task.warning


def test_nothing_is_said_of_epochs_that_no_ratings_choose(table, tmp_path):
    never = config(tmp_path, table["time"], **EPOCHS, protocol={"selection": "never"})
    without = config(tmp_path, table["time"], **SEARCHED)
    for made in (never, without):
        warning = Task.of(made, {}, ONE, 1000, made.split()).warning
        assert warning == (
            "The split of csv itself chooses which ratings are held out, so that valid_seed has no "
            "effect."
        )
    drawn = config(tmp_path, table["at random"], **SEARCHED, seed=7)
    assert Task.of(drawn, {}, ONE, 7, drawn.split()).warning is None


def test_the_seeds_of_a_combination_s_members_are_those_of_its_runs(table, tmp_path):
    """With two trainings of each member, seed 3 has the seeds 6 and 7."""
    made = config(tmp_path, table["at random"], **STACK, seed=3)
    said = {own: Task.of(made, {}, ONE, own, made.split()).warning for own in (3, 5, 6, 7, 8)}
    assert [own for own, warning in said.items() if warning] == [6, 7]
    assert (
        "seed=7 holds out in a run, so that they choose the members' epochs and weights" in said[7]
    )
