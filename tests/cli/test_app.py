"""A user's error ends in one clear sentence, exit code not 0."""

import os
import signal

import pytest
import torch

import glocalk.cli.train
from command import SMALL, call

INPUTS = {
    "unknown model": (["model=glocl_k"], ["Unknown model 'glocl_k'", "did you mean 'glocal_k'?"]),
    "unknown data": (["data=ml100k"], ["Unknown data 'ml100k'", "did you mean 'ml_100k'?"]),
    "misspelled option": (
        ["model.lamda_2=3"],
        ["Unknown option 'model.lamda_2'", "did you mean 'lambda_2'?"],
    ),
    "misspelled option with +": (
        ["+model.lamda_2=3"],
        ["Unknown option 'model.lamda_2'", "did you mean 'lambda_2'?"],
    ),
    "misspelled nested option with +": (
        ["+model.pretrain.epoch=3"],
        ["Unknown option 'model.pretrain.epoch'", "did you mean 'epochs'?"],
    ),
    "Trainer option without +": (
        ["model.pretrain.trainer.precision=64-true"],
        ["'model.pretrain.trainer.precision'", "write +model.pretrain.trainer.precision="],
    ),
    "option of a model that has none": (
        ["model=global_mean", "model.rank=3"],
        ["Unknown option 'model.rank': there are none."],
    ),
    "option of another command": (
        ["executor=local"],
        ["Option 'executor' is not one of this command: see its --help."],
    ),
    "misspelled top-level option": (["sed=3"], ["Unknown option 'sed'", "did you mean 'seed'?"]),
    "misspelled top-level option with +": (["+sed=3"], ["'sed'", "did you mean 'seed'?"]),
    "unknown Trainer option": (
        ["+trainer.max_epoch=3"],
        ["Unknown option 'trainer.max_epoch'", "did you mean 'max_epochs'?"],
    ),
    "unknown Trainer option of a stage": (
        ["+model.pretrain.trainer.max_epoch=3"],
        ["Unknown option 'model.pretrain.trainer.max_epoch'", "'max_epochs'?"],
    ),
    "negative λ₂": (["model.lambda_2=-1"], ["'model.lambda_2' cannot be -1", "0"]),
    "negative λ_s": (["model.lambda_s=-0.5"], ["'model.lambda_s' cannot be -0.5"]),
    "even kernel size": (["model.kernel_size=4"], ["'model.kernel_size' cannot be 4", "odd"]),
    "text for a number": (["model.lambda_2=big"], ["'model.lambda_2' cannot be 'big'"]),
    "negative seed": (["seed=-1"], ["'seed' cannot be -1"]),
    "share of nothing": (["train_share=0"], ["'train_share' cannot be 0"]),
    "no threads": (["trainer.threads=0"], ["'trainer.threads' cannot be 0", "1"]),
    "missing data file": (
        ["data=ml_1m", "data_dir=nowhere"],
        ["nowhere/ml-1m/ratings.dat", "files.grouplens.org", "GLOCALK_DATA_DIR"],
    ),
    "user-supplied ratings without a path": (["data=csv"], ["'data.path'", "give"]),
    "user-supplied ratings that are not there": (
        ["data=csv", "data.path=nowhere.csv"],
        ["'nowhere.csv' does not exist", "fix its path"],
    ),
    "misspelled option of user-supplied ratings": (
        ["data=csv", "data.rating_column=2"],
        ["Unknown option 'data.rating_column'", "did you mean 'rating'?"],
    ),
    "unreadable override": (["model=["], ["Unknown model '['", "choose from"]),
    "unreadable name": (["évaluations=3"], ["'évaluations=3' is not name=value"]),
    "an interpolation of nothing": (
        ["runs_dir=${nope}"],
        ["'runs_dir'", "'nope' not found", r"'runs_dir=\${nope}'"],
    ),
    "an interpolation without end": (["runs_dir=${seed"], ["'runs_dir'", "cannot be resolved"]),
    "an interpolation of itself": (["runs_dir=${runs_dir}"], ["'runs_dir'", "Recursive"]),
    "an interpolation of an unset variable": (
        ["runs_dir=${oc.env:GLOCALK_NOPE}"],
        ["'runs_dir'", "'GLOCALK_NOPE' not found"],
    ),
    "an interpolation of nothing in a sweep": (
        ["-m", "runs_dir=${nope}"],
        ["cannot be resolved", "'nope' not found"],
    ),
    "several devices": (["trainer.devices=2"], ["one device", "trainer.devices=1"]),
    "every device": (["trainer.devices=-1"], ["one device"]),
    "several devices in a stage": (
        ["+model.pretrain.trainer.devices=[0,1]"],
        ["one device"],
    ),
    "several nodes": (["+trainer.num_nodes=2"], ["one device", "trainer.num_nodes=1"]),
    "a strategy of several processes": (["+trainer.strategy=ddp_fork"], ["trainer.strategy"]),
    "mixed precision": (["trainer.precision=16-mixed"], ["trainer.precision=16-mixed", "32-true"]),
    "another precision": (["trainer.precision=bf16-true"], ["trainer.precision=bf16-true"]),
    "more threads than there can be": (
        ["trainer.threads=1e9"],
        ["'trainer.threads' cannot be 1000000000", "1024"],
    ),
    "half a thread": (["trainer.threads=1.5"], ["'trainer.threads' cannot be 1.5"]),
    "unknown flag": (["--foo"], ["Unknown flag '--foo'", "glocalk train --help"]),
    "a flag without its value": (["--cfg"], ["--cfg", "expected one argument"]),
    "a flag with a wrong value": (["--cfg", "jobb"], ["'jobb'", "choose from 'job'"]),
    "a name without a value": (["seed"], ["'seed' is not name=value"]),
    "a file without its option": (
        ["it's.csv"],
        ["""is not name=value: write data=csv 'data.path=it'"'"'s.csv'."""],
    ),
    "a file as data set": (
        ["data=r.csv"],
        ["Unknown data 'r.csv': write data=csv data.path=r.csv."],
    ),
    "a path without data=csv": (
        ["data=synthetic", "data.path=r.csv"],
        ["Option 'data.path' goes with data=csv or data=monti: name one."],
    ),
    "unknown class": (
        ["model._target_=glocalk.Nothing"],
        ["'model._target_' names 'glocalk.Nothing'", "cannot be imported"],
    ),
    "a class that is no completer": (
        ["model._target_=pathlib.Path"],
        ["'model._target_' names 'pathlib.Path'", "not a Completer"],
    ),
    "missing folder of configs": (["--config-dir", "nowhere"], ["nowhere' not found"]),
}


@pytest.mark.parametrize("case", INPUTS)
def test_a_wrong_option_ends_in_one_sentence(case, tmp_path):
    overrides, parts = INPUTS[case]
    for name in ("it's.csv", "r.csv"):
        (tmp_path / name).write_text("user,item,rating\n1,7,5\n1,8,4\n")
    given = {override.split("=")[0] for override in overrides}
    small = [] if given & {"data", "model", "model._target_"} else SMALL
    process = call("train", *small, *overrides, cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.strip().splitlines()
    for part in parts:
        assert part in line
    assert process.stdout == ""


def test_a_truncated_data_file_is_named_with_both_checksums(tmp_path):
    (tmp_path / "data" / "ml-100k").mkdir(parents=True)
    (tmp_path / "data" / "ml-100k" / "u.data").write_text("1\t1\t5\t0\n")
    process = call("train", "model=bias", "data_dir=data", cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.strip().splitlines()
    assert "u.data' is damaged" in line
    assert "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490" in line


def test_a_sweep_continues_after_a_failed_run_and_says_so(tmp_path):
    overrides = ["-m", "data=douban,synthetic", "model=bias,global_mean", "data_dir=nowhere"]
    process = call("train", *overrides, cwd=tmp_path)
    assert process.returncode == 1
    assert len(list(tmp_path.glob("runs/synthetic-*/record.json"))) == 2
    assert process.stderr.count("Douban is missing") >= 2


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "runs").write_text("a file where the folder should be")
    process = call("train", *SMALL, cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.strip().splitlines()
    assert "'runs' cannot be written to" in line
    assert "runs_dir=" in line


@pytest.mark.parametrize("option", ["model.shrinkage=5", "+model.shrinkage=5"])
def test_an_option_of_another_class_is_not_one_of_a_replaced_model(option, tmp_path):
    overrides = ["model._target_=glocalk.GlobalMean", "data=synthetic", "model.hidden_size=5"]
    process = call("train", *overrides, option, cwd=tmp_path)
    assert process.returncode == 1
    assert process.stderr.startswith("Unknown option 'model.hidden_size'")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_ends_in_one_sentence(number, tmp_path, monkeypatch):
    monkeypatch.setattr(
        glocalk.cli.train, "execute", lambda _: signal.raise_signal(number) or os.abort()
    )
    process = call("train", *SMALL, cwd=tmp_path)
    assert process.returncode == 128 + number
    assert process.stderr == "Stopped.\n"


@pytest.mark.parametrize(
    "given",
    [
        ["--cfg", "job", "-p", "model", "model=bias", "data=synthetic"],
        ["model=bias", "--cfg", "job", "data=synthetic", "-p", "model"],
        ["-p", "model", "model=bias", "--cfg=job", "data=synthetic"],
    ],
)
def test_overrides_may_follow_flags(given, tmp_path):
    process = call("train", *given, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "\nitem_damping: 25.0\n" in process.stdout


def test_a_gpu_that_is_not_there(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    process = call("train", *SMALL, "trainer=gpu", cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert "No supported gpu backend found" in line
    assert "trainer=cpu where torch finds no GPU" in line


def test_a_run_in_a_linked_folder_is_not_made_again(tmp_path):
    given = ["model=global_mean", "data=synthetic", "data.users=40", "data.items=30"]
    given += ["data.ratings=300"]
    assert call("train", *given, cwd=tmp_path).returncode == 0
    (run,) = (tmp_path / "runs").glob("synthetic-*")
    run.rename(tmp_path / "runs" / "kept")
    run.symlink_to(tmp_path / "runs" / "kept")
    process = call("train", *given, "force=true", cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert "is a link to another folder" in line
    assert (tmp_path / "runs" / "kept" / "record.json").exists()
