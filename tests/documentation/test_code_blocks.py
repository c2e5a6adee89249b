"""Every code block of the documentation: Python runs, command lines are composed or checked."""

import re
import shlex
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import yaml

import glocalk
import glocalk.api
from command import call
from glocalk.cli.main import COMMANDS, ON_HYDRA
from glocalk.completers.registry import completer_class
from glocalk.run.compose import compose

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MADE = {"users": 40, "items": 30, "ratings": 300}

# (page, a part of the block): why it cannot run here.
NOT_RUN = {
    ("README.md", "import glocalk\n\nratings"): "runs in tests/test_api.py, on small data",
    ("completers.md", "# my_models.py"): "runs in tests/test_readme.py",
    ("outside.md", "import surprise"): "runs in tests/scoring/test_surprise.py, on small data",
    ("service.md", "requests.post"): "needs a server; tests/service asks one the same",
}
# Words that begin a command of a shell, and why nothing is run.
PROGRAMS = {
    "curl": "asks a server; tests/service asks one the same",
    "source": "a shell's own",
    "pip": "the extras are checked",
    "make": "the targets are checked",
    ".ci/run": "runs all of this",
    ".venv/bin/python": "the files are checked",
    ".venv/bin/playwright": "downloads a browser",
}
# What a placeholder stands for.
STANDS_FOR = {
    "model=…": "model=mg_gat",
    "runs/…": "runs/a",
    "ml_100k-bias-…": "a",
    "runs/<run>": "runs/a",
}


def found(language):
    """Name, page and text of each block of a language."""
    for page in PAGES:
        for number, (given, text) in enumerate(BLOCK.findall(page.read_text("utf-8"))):
            if given == language:
                yield f"{page.stem}-{number}", page.name, text


def blocks(language):
    return [pytest.param(page, text, id=name) for name, page, text in found(language)]


def lines():
    """Each command line of the shell blocks, without comments."""
    for name, page, text in found("sh"):
        for number, line in enumerate(text.replace("\\\n", " ").splitlines()):
            words = shlex.split(line, comments=True)
            if words:
                yield pytest.param(page, words, id=f"{name}-{number}")


def test_every_block_says_what_it_is():
    known = {"python", "sh", "yaml", ""}
    for page in PAGES:
        assert {language for language, _ in BLOCK.findall(page.read_text("utf-8"))} <= known
    for page, part in NOT_RUN:
        assert any(page == each.name and part in each.read_text("utf-8") for each in PAGES)


@pytest.fixture
def names(tmp_path, monkeypatch):
    """What the blocks of side_information.md take as given; data sets are small and made up."""
    users = pd.DataFrame({"user": [1, 2, 3], "age": [20, 30, 40]})
    edges = pd.DataFrame({"one": [7], "other": [8]})
    ratings = glocalk.Ratings.from_arrays([1, 1, 2, 3], [7, 8, 7, 9], [5, 3, 4, 1], scale=(1, 5))
    split = glocalk.load_split("synthetic", **MADE)
    pairs = split.train.ids
    ages = pd.DataFrame({"user": pairs.users, "age": range(len(pairs.users))})
    near = pd.DataFrame({"one": pairs.items[:-1], "other": pairs.items[1:]})
    side = glocalk.SideInformation.from_frames(pairs, users=ages, item_edges=near)
    made = glocalk.Split("made up", split.train, split.test, side=side)
    original = glocalk.api.load_split

    def load_split(name, **options):
        return made if name == "ml_100k" else original(name, **options)

    monkeypatch.setattr(glocalk.api, "load_split", load_split)
    monkeypatch.chdir(tmp_path)
    return {
        "glocalk": glocalk,
        "Completer": glocalk.Completer,
        "ratings": ratings,
        "df_users": users,
        "df_edges": edges,
        "model": glocalk.Bias(),
    }


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_blocks_run(page, code, names):
    why = [why for (where, part), why in NOT_RUN.items() if page == where and part in code]
    if why:
        pytest.skip(why[0])
    # Known ids of the data set, in place of those of ML-100K.
    known = names["glocalk"].api.load_split("ml_100k").train.to_frame()
    if "fold_in" in code:
        code = code.replace("[50, 172, 181]", repr(known["item"].unique()[:3].tolist()))
    if "predict([1, 1], [20, 33]" in code or "distribution([1, 1]" in code:
        code = code.replace("[20, 33]", repr(known["item"].unique()[:2].tolist()))
    before = set(names)
    exec(compile(code, page, "exec"), names)
    assert set(names) - before  # it made something


@pytest.mark.parametrize(("page", "text"), blocks("yaml"))
def test_yaml_blocks_name_options_that_exist(page, text):
    read = yaml.safe_load(text)
    assert isinstance(read, dict)
    if "plan" in read:
        assert all({"models", "data", "seeds"} <= set(each) for each in read["plan"])
        for each in read["plan"]:
            for line in each.get("sweeps", []):
                name = line.partition("=")[0].removeprefix("model.")
                for model in each["models"]:
                    options = yaml.safe_load((ROOT / "conf/model" / f"{model}.yaml").read_text())
                    assert name in completer_class(options).Config.model_fields, (page, model)


@pytest.fixture(scope="module")
def config_dir(tmp_path_factory):
    """The folder `my_conf` and the module `my_models` that the pages show."""
    folder = tmp_path_factory.mktemp("own")
    for page in PAGES:
        for language, text in BLOCK.findall(page.read_text("utf-8")):
            named = re.match(r"# (my_conf/\S+\.yaml|my_models\.py)\n", text)
            if named and language in ("yaml", "python"):
                path = folder / named[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    (folder / "ratings.csv").write_text("user,item,rating\n1,2,3\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("page", "words"), list(lines()))
def test_command_lines_are_accepted(page, words, config_dir, monkeypatch):
    while words[0] == "time" or re.fullmatch(r"[A-Z_]+=\S+", words[0]):  # NAME=value, too
        words = words[1:]
    program, *rest = words
    if program not in ("glocalk", ".venv/bin/glocalk"):
        assert program in PROGRAMS, f"{page}: say how '{program}' is checked"
        check_program(program, rest)
        return
    command, *arguments = [_filled(word) for word in rest]
    if command.startswith("-"):
        assert call(command, cwd=config_dir).returncode == 0
        return
    assert command in COMMANDS, page
    if command in ON_HYDRA:
        monkeypatch.chdir(config_dir)
        monkeypatch.syspath_prepend(config_dir)
        monkeypatch.setenv("SCRATCH", "/scratch")
        check_composed(command, arguments)
        return
    known = call(command, "--help", cwd=config_dir).stdout
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        assert f"{name}=" in known if equals else name in known, (page, argument)


def _filled(word):
    for placeholder, value in STANDS_FOR.items():
        word = word.replace(placeholder, value)
    return word


def check_program(program, rest):
    if program == "pip":
        options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        extras = re.fullmatch(r"glocalk\[([\w,]+)\]", rest[-1])[1].split(",")
        assert set(extras) <= set(options["optional-dependencies"])
    if program == "make":
        targets = re.findall(
            r"^([a-z0-9_ -]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
        )
        known = {word for target in targets for word in target.split()}
        assert {word for word in rest if "=" not in word} <= known
    if program == ".venv/bin/python":
        paths = [word for word in rest if word.startswith("tests/")]
        assert paths
        assert all((ROOT / path).exists() for path in paths)


def check_composed(command, arguments):
    """Compose the config of one run; of a sweep, with the first of its values."""
    folders, overrides, words = [], [], iter(arguments)
    sweeps = "-m" in arguments
    for word in words:
        if word == "--config-dir":
            folders.append(next(words))
        elif word == "--cfg":
            assert next(words) == "job"
        elif word == "-m":
            continue
        elif command == "evaluate" and "=" not in word:
            overrides.append(f"predictions={word}")
        elif word.startswith("hydra/launcher=") or word.startswith("hydra.launcher."):
            assert sweeps  # the plugins are tested in tests/cli/test_launchers.py
        else:
            name, _, value = word.partition("=")
            split = sweeps and value[:1] not in "[{\"'"
            overrides.append(f"{name}={value.split(',')[0]}" if split else word)
    config = compose(command, overrides, folders)
    if "model" in config and command in ("train", "tune"):
        options = {name: value for name, value in config.model.items() if name != "_target_"}
        cls = completer_class(config.model)
        assert set(options) <= set(cls.Config.model_fields)
