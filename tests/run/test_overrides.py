"""Overrides mean what a person types."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from glocalk.run.compose import compose
from glocalk.run.composed import compose_run
from glocalk.run.overrides import as_typed, assignment, override, readable

# As in a shell, where the user quotes what the shell itself would read.
NAMES = [
    "évaluations.csv",
    "评分.csv",
    "ratings (1).csv",
    "it's.csv",
    "a=b.csv",
    "a,b.csv",
    "[x].csv",
    "{x}.csv",
    "1.csv",
    "1",
    "1e3",
    "true",
    "NULL",
    "a b.csv",
    "#1.csv",
    r"C:\x.csv",
    r"x\y.csv",
    "x\\",
    r"a\,b.csv",
    "ends with a blank ",
    " begins with one",
    '"begins.csv',
    "x'y\"z.csv",
    "glob(x).csv",
    "choice(a,b)",
    "a: b.csv",
    "50%.csv",
    "@x.csv",
    "-x.csv",
    "x!.csv",
    "a;b.csv",
    "a&b.csv",
    "$x.csv",
    "two\nlines.csv",
    "no_such_user/~/x.csv",
]


def value(line, sweeps=False):
    """What the config holds after this override."""
    read = OverridesParser.create().parse_override(readable(line, sweeps=sweeps))
    return OmegaConf.create({"value": read.value()}).value


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("option", ["data.path", "data.test_path", "data_dir", "++runs_dir"])
def test_the_name_of_a_file_is_taken_as_typed(option, name):
    assert value(f"{option}={name}") == name


@pytest.mark.parametrize("name", NAMES[:10])
def test_it_reaches_the_config_and_the_variant(name):
    run = compose_run(["model=bias", "data=csv", f"data.path={name}", "seed=1"])
    assert run.data["path"] == name
    assert run.variant == f"data.path={name}"


def test_a_tilde_is_the_home_folder():
    assert value("data.path=~/x.csv") == str(Path.home() / "x.csv")
    assert value("data.path=~nobody-of-this-name/x.csv") == "~nobody-of-this-name/x.csv"


@pytest.mark.parametrize(
    ("line", "held"),
    [
        ("data.test_path=null", None),
        ("data.path='it is quoted'", "it is quoted"),
        ('data.path="a,b.csv"', "a,b.csv"),
        ("seed=3", 3),
        ("data.user=user id", "user id"),
        ("data.user=Kundennummer (neu)", "Kundennummer (neu)"),
        ("data.rating=评分", "评分"),
        ("seeds=[0,1]", [0, 1]),
        ("data.scale=[1,5]", [1, 5]),
    ],
)
def test_other_values_are_read_by_hydra_where_it_can(line, held):
    assert value(line) == held


def test_an_interpolation_in_the_name_of_a_file_is_resolved_unless_it_is_escaped():
    assert compose("train", ["seed=7", "runs_dir=${seed}/runs"]).runs_dir == "7/runs"
    assert compose("train", ["seed=7", "runs_dir=${seed} (x)"]).runs_dir == "7 (x)"
    assert compose("train", [r"runs_dir=\${seed}/runs"]).runs_dir == "${seed}/runs"


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("data.path=évaluations.csv,it's.csv", ["évaluations.csv", "it's.csv"]),
        ("data.path=a.csv,b.csv", ["a.csv", "b.csv"]),
        ("data.path='\"a,b.csv\",c.csv'", None),
        ('data.path="a,b.csv",c.csv', ["a,b.csv", "c.csv"]),
        ("data.rating=评分,stars", ["评分", "stars"]),
        ("seed=range(0,3)", [0, 1, 2]),
        ("model=bias,bias_mf", ["bias", "bias_mf"]),
    ],
)
def test_commas_separate_the_values_of_a_sweep(line, values):
    read = OverridesParser.create().parse_override(readable(line, sweeps=True))
    if values is None:
        assert not read.is_sweep_override()  # one quoted value
    else:
        elements = [part.text if hasattr(part, "text") else part for part in read.sweep_iterator()]
        assert [str(part).strip('"') for part in elements] == [str(part) for part in values]


@pytest.mark.parametrize("name", [*NAMES, "${x}.csv", r"\${x}", "null", "~/x", "'quoted'", '"q"'])
def test_an_override_that_a_program_makes_gives_the_text_back(name):
    assert value(override("data_dir", name)) == name


def test_quotes_around_a_whole_value_are_no_part_of_it():
    assert as_typed('data.path="it\'s.csv"') == "data.path=it's.csv"
    assert as_typed("data.path=x.csv") == "data.path=x.csv"
    assert as_typed("seed=0,1") == "seed=0,1"
    assert as_typed("seed") == "seed"
    assert as_typed("model.redraw_kernels=False") == "model.redraw_kernels=false"  # of a sweep
    assert as_typed("data.path='True'") == "data.path=True"


@pytest.mark.parametrize(
    "given",
    [
        *(None, True, False, 7, 1e-05, 83.10918273645, "pearson", "a,b", "e=f", "c d", "", "null"),
        *("true", "7", "${x}", "it's", '"', "ünï", [1, 2], [0.5, 1]),
    ],
)
def test_an_assignment_gives_an_option_the_value_itself(given):
    read = OverridesParser.create().parse_override(assignment("model.x", given)).value()
    held = OmegaConf.create({"x": read}).x
    assert held == given
    assert type(held) is type(given) or isinstance(given, list)
    if isinstance(given, str) and given in ("pearson", "c d"):
        assert assignment("model.x", given) == f"model.x={given}"


@pytest.mark.parametrize(
    ("overrides", "variant"),
    [
        (["++model.rank=5"], "model.rank=5"),
        (["~settings"], "~settings"),
        (["model.rank=5", "~settings"], "model.rank=5,~settings"),
        (["+trainer.max_epochs=3"], "+trainer.max_epochs=3"),
        (["trainer.threads=2"], "default"),
    ],
)
def test_what_changes_a_result_names_the_variant(overrides, variant):
    run = compose_run(["model=bias_mf", "data=ml_1m", *overrides])
    assert run.variant == variant
