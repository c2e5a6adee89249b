"""What a shell is told when it asks to complete `glocalk …`."""

import shutil
import subprocess

import pytest

from command import call


def completed(line, cwd):
    """The words that bash is offered for a line."""
    process = call("-sc", "query=bash", cwd=cwd, COMP_LINE=line, COMP_POINT=str(len(line)))
    assert process.returncode == 0, process.stderr
    return process.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("glocalk tr", ["train"]),
        ("glocalk re", ["reproduce", "report"]),
        ("glocalk train model.hid", ["model.hidden_layers=", "model.hidden_size="]),
        ("glocalk train model=bias model.", ["_target_", "item_damping", "joint", "user_damping"]),
        ("glocalk train model=bias_m", ["model=bias_mf", "model=bias_mf_als"]),
        ("glocalk train -m see", ["seed="]),
        ("glocalk stats data.f", ["data.fold=", "data.folds="]),
        ("glocalk tune tri", ["trials="]),
        ("glocalk report pro", ["promote"]),
        ("glocalk report promote sea", ["searches="]),
        ("glocalk data fetch ml", ["ml_100k", "ml_1m"]),
        ("glocalk predict to", ["top="]),
        ("glocalk serve max", ["max_pairs=", "max_top=", "max_bytes="]),
        ("glocalk bench re", ["repeats="]),
        ("glocalk nothing x", []),
    ],
)
def test_completes(line, words, tmp_path):
    if line.endswith("model."):
        words = [f"model.{word}=" for word in words]
    assert completed(line, tmp_path) == words


def test_all_commands_are_offered(tmp_path):
    assert {"train", "predict", "bench"} <= set(completed("glocalk ", tmp_path))


def test_a_shell_evaluates_what_installs_the_completion(tmp_path):
    script = call("train", "-sc", "install=bash", cwd=tmp_path).stdout
    assert script == call("-sc", "install=bash", cwd=tmp_path).stdout
    bash = shutil.which("bash")
    process = subprocess.run(
        [bash, "-c", f"{script}\ncomplete -p glocalk; complete -p train"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "-F hydra_bash_completion glocalk" in process.stdout
    assert "train: no completion specification" in process.stderr
