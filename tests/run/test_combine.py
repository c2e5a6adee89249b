"""Runs of combinations: members' runs that are shared, and results from their predictions."""

import shutil
import signal

import numpy as np
import pandas as pd
import pytest

import glocalk
from command import comparable
from glocalk.completers.registry import build_completer
from glocalk.errors import GlocalkError
from glocalk.records.run import Record
from glocalk.run.execute import execute
from glocalk.run.member_runs import member_run, members_of
from run.small_run import BIAS, MODEL, config, forked, wait_for

FACTORS = {"_target_": "glocalk.BiasMF", "rank": 2, "epochs": 4}
MEMBERS = {"bias": BIAS, "bias_mf": FACTORS}


def combination(runs_dir, target="Stack", options=None, **changes):
    model = {"_target_": f"glocalk.{target}", "members": MEMBERS, **(options or {})}
    name = {"Stack": "stack", "Ensemble": "ensemble"}[target]
    return config(runs_dir, model=model, model_name=name, **changes)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(runs folder, config of a stack, its record)."""
    runs = tmp_path_factory.mktemp("runs")
    stack = combination(runs)
    return runs, stack, execute(stack)


def test_the_last_epoch_s_result_is_that_of_the_completer(made):
    _, stack, record = made
    split = stack.split()
    model = build_completer(stack.model).fit(split.train, seed=0)
    assert record.protocols["last"].rmse == pytest.approx(glocalk.evaluate(model, split)["rmse"])
    weights = [member.weights["last"] for member in record.members]
    np.testing.assert_allclose(weights, model.state()["weights"], atol=1e-9)


def test_the_model_of_the_run_predicts_what_the_run_evaluated(made):
    runs, stack, record = made
    errors = glocalk.evaluate(glocalk.load(runs / record.folder), stack.split())
    assert errors["rmse"] == pytest.approx(record.protocols["last"].rmse)


def test_the_record_names_its_members_and_reads_again(made):
    runs, _, record = made
    assert Record.read(runs / record.folder / "record.json") == record
    assert [(member.model, member.seed) for member in record.members] == [
        ("bias", 0),
        ("bias_mf", 0),
    ]
    assert record.seconds["members"] == pytest.approx(
        sum(member.seconds for member in record.members), abs=0.002
    )
    assert record.seconds["total"] >= record.seconds["members"]
    assert set(record.protocols) == {"best_test", "validated", "held_out", "last", "official"}
    assert record.protocols["best_test"] == record.protocols["last"]
    assert len(record.user_errors[record.protocols["validated"].user_errors]) == 40


def test_a_member_of_two_combinations_is_trained_once(made):
    runs, _, _ = made
    records = sorted(runs.glob("*-bias*/record.json"))
    before = [path.stat().st_mtime_ns for path in records]
    ensemble = execute(combination(runs, "Ensemble", force=True, save_predictions=True))
    assert [path.stat().st_mtime_ns for path in records] == before
    assert [member.weights["last"] for member in ensemble.members] == [0.5, 0.5]
    folder = runs / ensemble.folder
    kept = glocalk.score(folder / "predictions.csv", combination(runs).split())
    assert kept.rmse == pytest.approx(ensemble.protocols["last"].rmse)


def test_a_member_without_what_combinations_take_is_made_again(made):
    runs, stack, record = made
    (member,) = runs.glob("*-bias-*/member.pt")
    member.write_bytes(b"damaged")
    again = execute(stack.model_copy(update={"force": True}))
    assert again.protocols["last"].rmse == record.protocols["last"].rmse
    assert member.with_name("member.pt.damaged").exists()


def test_the_validated_result_takes_each_member_at_the_epoch_that_it_chose(tmp_path):
    lone = combination(tmp_path, "Ensemble", {"members": {"bias_mf": FACTORS}})
    record = execute(lone)
    (run,) = members_of(lone)
    member = execute(run)
    for protocol in ("validated", "held_out", "last"):
        assert record.protocols[protocol].rmse == member.protocols[protocol].rmse
        errors = (one.user_errors[one.protocols[protocol].user_errors] for one in (record, member))
        np.testing.assert_allclose(*errors)


def test_another_seed_takes_the_weights_of_the_lowest_where_that_is_the_rule(tmp_path):
    rule = {"selection": "lowest_seed"}
    second = combination(tmp_path, seed=1, protocol=rule)
    with pytest.raises(GlocalkError, match="seed 0, which has no record"):
        execute(second)
    first = execute(combination(tmp_path, protocol=rule))
    record = execute(second)
    assert [one.weights for one in record.members] == [one.weights for one in first.members]
    assert record.validated_epoch_from_seed == 0
    assert "held_out" not in record.protocols


def predictions(record, runs):
    """[test ratings] those of the last epoch, in the order of the file."""
    return pd.read_csv(runs / record.folder / "predictions.csv")["prediction"]


def test_a_stack_of_two_seeds_predicts_the_mean_of_the_stacks_of_each(tmp_path):
    # The ratings that are held out, and so the weights, differ between the seeds.
    apart = [execute(combination(tmp_path, seed=seed, save_predictions=True)) for seed in (0, 1)]
    both = execute(combination(tmp_path, options={"seeds": 2}, save_predictions=True))
    assert len(list(tmp_path.glob("*-bias_mf-*"))) == 2  # no member was trained anew
    own = [predictions(record, tmp_path) for record in apart]
    np.testing.assert_allclose(predictions(both, tmp_path), np.mean(own, axis=0), atol=1e-6)
    seeds = [(member.model, member.seed) for member in both.members]
    assert seeds == [("bias", 0), ("bias", 1), ("bias_mf", 0), ("bias_mf", 1)]
    halves = [member.weights["last"] / 2 for record in apart for member in record.members]
    found = [member.weights["last"] for member in both.members]
    np.testing.assert_allclose(found, np.reshape(halves, (2, 2)).T.ravel())


def test_seeds_without_a_selection_run_take_the_weights_of_the_lowest(tmp_path):
    rule = {"selection": "lowest_seed"}
    first = execute(combination(tmp_path, protocol=rule))
    both = execute(combination(tmp_path, options={"seeds": 2}, protocol=rule))
    halves = [member.weights["last"] / 2 for member in first.members]
    found = [member.weights["last"] for member in both.members]
    np.testing.assert_allclose(found, np.repeat(halves, 2))
    other = execute(combination(tmp_path, options={"seeds": 2}, protocol=rule, seed=1))
    assert [member.seed for member in other.members] == [2, 3, 2, 3]
    np.testing.assert_allclose([member.weights["last"] for member in other.members], found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": {"selection": "never"}}, "protocol.selection cannot be 'never'"),
        ({"options": {"held_out": 0.1}}, "model.held_out=0.1 would have no effect"),
        (
            {
                "options": {"seeds": 2},
                "seed": 1,
                "protocol": {"selection": "lowest_seed", "lowest_seed": 1},
            },
            "seeds 2 to 3, and none of them makes the selection run of protocol.lowest_seed=1",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused_before_a_member_is_trained(tmp_path, changes, message):
    with pytest.raises(GlocalkError, match=message):
        execute(combination(tmp_path, **changes))
    assert not list(tmp_path.glob("*-bias*"))


def test_a_member_whose_model_was_not_saved_is_named(made):
    runs, stack, _ = made
    (model,) = runs.glob("*-bias-*/model.pt")
    model.unlink()
    (record,) = runs.glob("*-stack-*/record.json")
    before = record.read_bytes()
    with pytest.raises(GlocalkError, match="member=bias seed=0 force=true"):
        execute(stack.model_copy(update={"force": True}))
    assert record.read_bytes() == before


def test_all_members_without_a_model_are_named_before_another_is_trained(tmp_path):
    execute(combination(tmp_path, save_model=False))
    members = {"members": {**MEMBERS, "third": {"_target_": "glocalk.GlobalMean"}}}
    three = combination(tmp_path, options=members)
    with pytest.raises(GlocalkError) as refused:
        execute(three)
    assert str(refused.value) == (
        "The runs of members 'bias' and 'bias_mf' were made with save_model=false: repeat them "
        "with -m member=bias,bias_mf seed=0 force=true, or set save_model=false here, too."
    )
    records = [Record.read(path) for path in tmp_path.glob("*/record.json")]
    (failed,) = (record for record in records if record.status == "failed")
    assert failed.failure.message == str(refused.value)
    assert not list(tmp_path.glob("*-third-*"))
    for name in ("bias", "bias_mf"):
        execute(member_run(three, name, 0).model_copy(update={"force": True}))
    folder = tmp_path / execute(three).folder
    assert (folder / "model.pt").is_file()


def test_seeds_without_a_model_are_repeated_and_no_others(tmp_path):
    both = combination(tmp_path, "Ensemble", {"seeds": 2})
    execute(both)
    for name in ("bias-*seed0", "bias_mf-*seed0", "bias_mf-*seed1"):
        (model,) = tmp_path.glob(f"*-{name}/model.pt")
        model.unlink()
    again = both.model_copy(update={"force": True})
    with pytest.raises(GlocalkError, match=r"runs of members 'bias' and 'bias_mf' were") as refused:
        execute(again)
    assert (
        "repeat them with member=bias seed=0 force=true, then with -m member=bias_mf seed=0,1 "
        "force=true, or set"
    ) in str(refused.value)


def test_a_member_s_run_is_named_after_what_was_changed_of_it(tmp_path):
    changed = "data.fold=2,model.members.bias.user_damping=3,model.method=ridge"
    stack = combination(tmp_path, variant=changed)
    assert member_run(stack, "bias", 0).variant == "data.fold=2,model.user_damping=3"
    assert member_run(stack, "bias_mf", 0).variant == "data.fold=2"
    plain = combination(tmp_path, variant="model.members=[bias,item_knn]")
    assert member_run(plain, "bias", 0).variant == "default"
    with pytest.raises(GlocalkError, match="Unknown member 'bais': did you mean 'bias'"):
        member_run(stack, "bais", 0)


def test_the_identity_has_names_and_options_and_no_class_path(tmp_path):
    model = combination(tmp_path).identity["model"]
    assert set(model["members"]) == {"bias", "bias_mf"}
    assert "_target_" not in str(model)
    assert model["members"]["bias"] == {"item_damping": 25.0, "user_damping": 10.0}


def of_parts(record):
    """The record without what depends on time and memory, of members, too."""
    kept = comparable(record)
    for member in kept["members"]:
        del member["seconds"]
    return kept


def test_a_killed_combination_continues_with_the_members_that_it_has(made, tmp_path):
    runs = tmp_path / "runs"
    process = forked(execute, combination(runs), log=tmp_path / "log")
    wait_for(process, runs, "*-bias-*/record.json")
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "it ended before it could be killed"
    assert not list(runs.glob("*-stack-*/record.json"))
    (kept,) = runs.glob("*-bias-*/record.json")
    written = kept.stat().st_mtime_ns
    assert of_parts(execute(combination(runs))) == of_parts(made[2])
    assert kept.stat().st_mtime_ns == written


def test_two_combinations_at_once_make_each_member_once(made, tmp_path):
    runs = tmp_path / "runs"
    both = [combination(runs), combination(runs, "Ensemble")]
    processes = [forked(execute, one, log=tmp_path / "log") for one in both]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    stack, ensemble = (execute(one) for one in both)  # nothing is left to do: they are read
    assert of_parts(stack) == of_parts(made[2])
    times = [member.seconds for member in stack.members]
    assert times == [member.seconds for member in ensemble.members]
    assert len(list(runs.glob("*/record.json"))) == 4


def test_a_finished_run_that_becomes_a_member_keeps_its_files_and_traces(tmp_path, caplog):
    before = execute(config(tmp_path, save_model=True, save_predictions=True, trace=True))
    folder = tmp_path / before.folder
    names = {path.name for path in folder.glob("*.*")}
    assert {"record.json", "model.pt", "predictions.csv"} <= names
    predicted = (folder / "predictions.csv").read_bytes()
    members = {"members": {"glocal_k": MODEL}}
    with caplog.at_level("INFO"):
        execute(combination(tmp_path, "Ensemble", members, save_model=False))
    after = Record.read(folder / "record.json")
    assert {path.name for path in folder.glob("*.*")} == names | {"member.pt"}
    assert (folder / "predictions.csv").read_bytes() == predicted
    assert after.traces == before.traces != []
    assert comparable(after) == comparable(before)
    assert [line for line in caplog.messages if "trained again" in line] == [
        "synthetic glocal_k seed 0 is trained again, because what combinations take was not kept: "
        "a run that a combination makes keeps it."
    ]


def test_a_finished_run_stays_so_if_it_cannot_be_trained_again(tmp_path):
    protocol = {**config(tmp_path).protocol.model_dump(), "selection": "lowest_seed"}
    changes = {"model": FACTORS, "model_name": "bias_mf", "protocol": protocol}
    lowest, second = (execute(config(tmp_path, seed=seed, **changes)) for seed in (0, 1))
    shutil.rmtree(tmp_path / lowest.folder)
    members = {"members": {"bias_mf": FACTORS}}
    with pytest.raises(GlocalkError, match="takes its validated epoch from seed 0"):
        execute(combination(tmp_path, "Ensemble", members, seed=1, protocol=protocol))
    assert Record.read(tmp_path / second.folder / "record.json") == second
