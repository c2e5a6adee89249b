"""The command `glocalk`: its help texts, its subcommands, and what a terminal shows."""

import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import glocalk.conf
import pytest

from command import SMALL, call, run
from glocalk.cli.main import COMMANDS, ON_HYDRA

HEAVY = ("torch", "lightning", "hydra", "numpy", "pandas", "matplotlib")


def helped(*arguments, cwd):
    process = call(*arguments, cwd=cwd)
    assert process.returncode == 0
    assert process.stderr == ""
    return process.stdout


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_the_help_names_every_command(arguments, tmp_path):
    text = helped(*arguments, cwd=tmp_path)
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*\.$", text, re.MULTILINE)
    assert text.count("\n  glocalk ") >= 4  # usage and two examples
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_says_what_it_does_its_options_and_examples(name, tmp_path):
    text = helped(name, "--help", cwd=tmp_path)
    assert text.startswith(f"glocalk {name}: ")
    usage, examples = text.index("\nUsage\n"), text.index("\nExamples\n")
    assert "\nOptions\n" in text[usage:examples]
    assert len(re.findall(rf"^  glocalk {name} ", text[examples:], re.MULTILINE)) >= 2
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_has_a_line(name, tmp_path):
    text = helped(name, "-h", cwd=tmp_path)
    section = text.split("\nOptions\n")[1].split("\n\n")[0]
    undescribed = [
        line
        for line, below in zip(section.splitlines(), [*section.splitlines()[1:], ""], strict=True)
        if re.fullmatch(r"  \S+", line) and not below.startswith("      ")
    ]
    # A dotted name stands below its group, which has the description.
    assert [line for line in undescribed if "." not in line] == []


def test_the_help_of_a_run_shows_the_options_of_the_chosen_model_and_data(tmp_path):
    text = helped("train", "--help", "model=bias", "data=synthetic", cwd=tmp_path)
    assert "\n  model.item_damping=25.0" in text
    assert "\n  data.users=300" in text
    assert "hidden_size" not in text
    for group in ("model", "data", "trainer", "logger", "protocol"):
        assert re.search(rf"^  {group}=\w+ +\w", text, re.MULTILINE)


def test_the_help_knows_the_configs_of_ones_own_folder(tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("_target_: glocalk.GlobalMean\n")
    text = helped("train", "--help", "--config-dir", "conf", cwd=tmp_path)
    groups = " ".join(text.split("\nOptions\n")[0].split())
    assert "mg_gat, mine, soft_impute" in groups


def test_help_imports_nothing_heavy():
    program = (
        "import sys, contextlib, io\n"
        "from glocalk.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    for line in ['', '--version', *sys.argv[1:]]:\n"
        "        assert main(line.split()) == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    light = [f"{name} --help" for name in COMMANDS if name not in ON_HYDRA]
    process = subprocess.run(
        [sys.executable, "-c", program, *light], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout == "[]\n"
    process = subprocess.run(
        [sys.executable, "-c", program.replace("''", "'stats --help'")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stdout == "['hydra', 'numpy', 'pandas']\n"


def test_the_version(tmp_path):
    found = f"glocalk {version('glocalk')}, Python {platform.python_version()}"
    assert helped("--version", cwd=tmp_path) == f"{found}, torch {version('torch')}\n"
    assert glocalk.__version__ == version("glocalk")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["trian"], 2, "Unknown command 'trian': did you mean 'train'?"),
        (["--verbose"], 2, "Unknown flag '--verbose': flags of a command follow it"),
        (["model=bias"], 2, "'model=bias' comes after a command, as in glocalk train model=bias."),
        (["bench", "prts=1"], 1, "Unknown option 'prts': did you mean 'parts'?"),
        (["bench", "sed=1"], 1, "Unknown option 'sed': did you mean 'seed'?"),
        (
            ["tune", "model=glocal_k_scalar"],
            1,
            "'conf/search/glocal_k_scalar.yaml' names no option to try",
        ),
        (["data", "fech"], 1, "Unknown command 'data fech': did you mean 'fetch'?"),
        (["report", "promte"], 1, "Unknown command 'report promte': did you mean 'promote'?"),
        (["report", "promote", "modle=bias"], 1, "Unknown option 'modle': did you mean 'model'?"),
        (["report", "check", "ml_100k"], 1, "'ml_100k' is not name=value."),
        (["report", "--check"], 1, "Unknown flag '--check': options are written name=value"),
        (["report", "local", "runs=nowhere"], 1, "There is no folder 'nowhere'"),
        (["report", "records=nowhere"], 1, "There is no folder 'nowhere': name one with records="),
        (["report", "check", "records=nowhere"], 1, "There is no folder 'nowhere'"),
        (["report", "migrate", "nowhere"], 1, "There is no folder 'nowhere' to migrate."),
        (["data", "status", "datadir=x"], 1, "Unknown option 'datadir': did you mean 'data_dir'?"),
        (["bench", "parts=[speed]"], 1, "Option 'parts.0' cannot be 'speed'"),
        (["predict", "run=a", "run=b"], 1, "Option 'run' is given twice."),
        (["predict", "run=a", "module=nowhere"], 1, "Option 'out' is missing: give it a value."),
        (["predict", "top="], 1, "'top=' is not name=value."),
        (["stats", "data=nothing"], 1, "Unknown data 'nothing': "),
    ],
)
def test_a_wrong_command_line_ends_in_one_sentence(arguments, code, sentence, tmp_path):
    process = call(*arguments, cwd=tmp_path)
    assert process.returncode == code
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert line.startswith(sentence)


def test_the_composed_config_shows_every_option_and_the_override(tmp_path):
    process = call("train", "--cfg", "job", "-p", "model", *SMALL, cwd=tmp_path)
    assert process.returncode == 0
    assert "\nhidden_size: 8\n" in process.stdout
    assert "\nfinetune:\n  epochs: 3\n  iterations: 5\n" in process.stdout
    assert list(tmp_path.iterdir()) == []


def test_statistics_of_a_data_set(tmp_path):
    process = call("stats", "data=synthetic", "data.users=70", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    figures = dict(line.rsplit(maxsplit=1) for line in process.stdout.splitlines()[2:4])
    assert (figures["users"], figures["items"]) == ("70", "200")


def test_old_records_are_migrated(tmp_path):
    (tmp_path / "runs").mkdir()
    process = call("report", "migrate", "runs", cwd=tmp_path)
    assert process.returncode == 0
    assert process.stdout == "'runs' holds no record of an older schema.\n"
    (tmp_path / "runs" / "search.json").write_text('{"format": 1, "trials": []}')
    process = call("report", "migrate", cwd=tmp_path)
    assert process.stdout.startswith("Left alone: 'runs/search.json' is ")


def test_the_module_is_the_command(tmp_path):
    process = run("data", "status", "synthetic", cwd=tmp_path)
    assert process.returncode == 0
    assert process.stderr == ""
    assert process.stdout.split() == ["data", "file", "checksum", "comes", "from", "license"]


@pytest.mark.parametrize("name", ON_HYDRA)
def test_the_header_of_a_main_config_shows_its_command(name):
    (folder,) = glocalk.conf.__path__
    assert f"glocalk {name} " in Path(folder, f"{name}.yaml").read_text(encoding="utf-8")
