"""Options of executors: what they mean, and what a wrong one says."""

from pathlib import Path

import glocalk.conf
import pytest
from omegaconf import OmegaConf

from command import call
from glocalk.config import find_class
from glocalk.errors import GlocalkError
from glocalk.executors import base, local
from glocalk.executors.base import RunExecutor, build_executor, check_executor

TARGETS = {
    "local": "glocalk.executors.local.LocalExecutor",
    "ray": "glocalk.executors.ray.RayExecutor",
    "submitit": "glocalk.executors.submitit.SubmititExecutor",
}
LOCAL = {"_target_": TARGETS["local"]}


@pytest.fixture
def cores(monkeypatch):
    """Sets the number of threads that torch begins with."""
    return lambda number: monkeypatch.setattr(local, "ALL_THREADS", number)


@pytest.mark.parametrize(
    ("number", "options", "at_once", "threads"),
    [
        (1, {}, 1, None),
        (2, {}, 2, 1),
        (8, {}, 2, 4),
        (8, {"jobs": 3}, 3, 2),
        (2, {"jobs": 5}, 5, 1),
        (8, {"jobs": 1}, 1, None),
        (8, {"threads": 1}, 2, 1),
        (8, {"jobs": 1, "threads": 3}, 1, 3),
    ],
)
def test_cores_are_divided_among_the_runs_of_this_machine(number, options, at_once, threads, cores):
    cores(number)
    with build_executor({**LOCAL, **options}) as executor:
        assert (executor.at_once, executor.threads) == (at_once, threads)
        assert executor.shows == (at_once == 1)


def test_a_plan_of_one_run_gives_it_the_whole_machine(cores):
    cores(8)
    with build_executor(LOCAL, runs=1) as executor:
        assert (executor.at_once, executor.threads) == (1, None)
    with build_executor({**LOCAL, "jobs": 4}, runs=1) as executor:
        assert (executor.at_once, executor.threads) == (4, 2)


@pytest.mark.parametrize(
    ("given", "passed", "begins_with"),
    [
        (["seed=1"], ["seed=1", "trainer.threads=4"], 4),
        (["trainer.threads=3"], ["trainer.threads=3"], 3),
        (["trainer.threads=null"], ["trainer.threads=null"], None),
    ],
)
def test_the_threads_of_a_run_are_those_that_the_user_gave(
    given, passed, begins_with, cores, monkeypatch
):
    seen = []
    monkeypatch.setattr(base, "make_run", lambda *arguments: seen.append(arguments))
    cores(8)
    with build_executor(LOCAL) as executor:
        executor.submit_run(given).result()
    forked = True  # where it can be
    assert seen == [(passed, Path.cwd(), begins_with, False, "train", forked)]


@pytest.mark.parametrize("name", TARGETS)
def test_a_file_shows_all_options_with_their_defaults(name):
    shown = OmegaConf.load(Path(glocalk.conf.__path__[0]) / "executor" / f"{name}.yaml")
    assert shown.pop("_target_") == TARGETS[name]
    config = find_class(TARGETS[name], "executor", RunExecutor).Config
    if name == "submitit":
        assert OmegaConf.to_container(shown, resolve=False).pop("folder") == "${runs_dir}/submitit"
        shown.folder = "runs/submitit"
    checked = config.check(OmegaConf.to_container(shown), "executor")
    assert checked == config()
    assert set(shown) == set(config.model_fields)


@pytest.mark.parametrize(("name", "extra"), [("ray", "ray"), ("submitit", "slurm")])
def test_an_executor_that_is_not_installed_is_a_sentence(name, extra, monkeypatch):
    monkeypatch.setattr(base, "find_spec", lambda package: None if package == name else True)
    with pytest.raises(GlocalkError) as refused:
        check_executor({"_target_": TARGETS[name]})
    (line,) = str(refused.value).splitlines()
    assert f"needs the package '{name}', which is not installed" in line
    assert f"'glocalk[{extra}]'" in line


def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    options = {"_target_": TARGETS["submitit"], "folder": tmp_path / "logs"}
    with pytest.raises(GlocalkError, match="no SLURM on this machine"):
        build_executor(options)


def test_an_option_that_slurm_does_not_have_is_a_sentence(tmp_path):
    options = {"_target_": TARGETS["submitit"], "folder": tmp_path, "cluster": "local"}
    with pytest.raises(GlocalkError, match=r"executor\.options cannot be used: .*typo") as error:
        build_executor({**options, "options": {"typo": 1}})
    assert "Known executors" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("executor=slurm", "Unknown executor 'slurm'"),
        ("executor.jbs=2", "Unknown option 'executor.jbs': did you mean 'jobs'?"),
        ("executor.jobs=0", "Option 'executor.jobs' cannot be 0"),
        ("executor._target_=glocalk.Bias", "which is not a RunExecutor."),
    ],
)
def test_a_wrong_option_ends_in_one_sentence(override, sentence, tmp_path):
    process = call("reproduce", "data_sets=[synthetic]", override, cwd=tmp_path)
    assert process.returncode == 1
    (line,) = process.stderr.strip().splitlines()
    assert sentence in line
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", TARGETS)
def test_the_help_text_describes_the_options_of_the_chosen_executor(name, tmp_path):
    process = call("reproduce", f"executor={name}", "--help", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    told = process.stdout.split(f"Options of executor={name}")[1].split("Flags")[0]
    config = find_class(TARGETS[name], "executor", RunExecutor).Config
    for option, field in config.model_fields.items():
        assert f"executor.{option}" in told
        assert field.description.split()[0] in told.split(f"executor.{option}")[1]
