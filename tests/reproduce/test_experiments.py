"""The plans of the experiments, written out by hand, and the same runs by a plain multirun."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from hydra.errors import HydraException

import glocalk.cli.train
from command import call
from glocalk.completers.registry import build_completer
from glocalk.errors import GlocalkError
from glocalk.records.identity import config_hash
from glocalk.records.run import read_records
from glocalk.reproduce.files import write_files
from glocalk.reproduce.runs import compose_runs, find_runs
from glocalk.reproduce.searches import plan_searches, unchanged
from glocalk.run.composed import compose_run
from report.factory import record
from report.kernels.study_of_kernels import run as traced_run
from reproduce.plans import config_of

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
FAST = ("ml_100k", "douban")

PAPER = ["global_mean", "bias", "sparse_fc", "i_autorec", "llorma", "cf_nade"]
PAPER += ["gc_mc", "graphrec", "igmc", "glocal_k"]
SIDE = ["gc_mc_extra", "graem", "mg_gat"]  # on `FAST` sets
CLASSICS = ["user_knn", "item_knn", "bias_mf", "bias_mf_als"]
CLASSICS += ["svd_pp", "soft_impute", "bayesian_mf", "u_autorec"]


def label(run):
    return (
        *(run.experiment, run.variant, run.data_name, run.model_name),
        *(run.seed, run.train_share, run.protocol.selection),
    )


@cache
def labels(experiment, *overrides):
    runs = [label(run.config) for run in compose_runs(config_of(experiment, *overrides))]
    assert len(runs) == len(set(runs))
    return set(runs)


def base(models, data_sets, seeds):
    """Runs of Table 1; the settings of GLocal-K on ML-1M leave the selection run to one seed."""
    selection = {("glocal_k", "ml_1m"): "lowest_seed"}
    return {
        ("table1", "default", data, model, seed, 1.0, selection.get((model, data), "each_seed"))
        for model in models
        for data in data_sets
        for seed in seeds
    }


def variants(
    experiment, names, data_sets, seeds, models=("glocal_k",), share=1.0, selection="lowest_seed"
):
    return {
        (experiment, name, data, model, seed, share, selection)
        for name in names
        for data in data_sets
        for model in models
        for seed in seeds
    }


def table2(seeds):
    layers = ["model.convolution_layers=2", "model.convolution_layers=3"]
    others = ["model.aggregation=average"]
    sizes = ["model.kernel_size=5", "model.kernel_size=7"]
    return (
        base(["glocal_k"], FAST, seeds)
        | base(["glocal_k"], ["ml_1m"], [0])
        | variants("table2", sizes + layers + others, FAST, seeds)
        | variants("table2", layers + others, ["ml_1m"], [0], selection="never")
    )


def fig2(seeds):
    both = ("glocal_k", "sparse_fc")
    runs = base(both, FAST, seeds)
    for share in (0.2, 0.5):
        runs |= variants("fig2", ["default"], FAST, seeds, both, share)
    for share in (0.3, 0.4, 0.6, 0.7, 0.8, 0.9):
        runs |= variants("fig2", ["default"], FAST, [0], both, share)
    return runs


def fig3(seeds):
    def names(*epochs):
        return [f"model.pretrain.epochs={number}" for number in epochs]

    return (
        base(["glocal_k"], FAST, seeds)
        | base(["glocal_k"], ["ml_1m"], [0])
        | variants("fig3", names(0, 10, 20, 40, 50, 60), ["ml_100k"], seeds)
        | variants("fig3", names(0, 10, 30, 40, 50, 60), ["douban"], seeds)
        | variants("fig3", names(0, 10, 30, 40, 50, 60), ["ml_1m"], [0], selection="never")
    )


def folds(_):
    both = ("glocal_k", "sparse_fc")
    others = [f"data.fold={fold}" for fold in (2, 3, 4, 5)]
    splits = ["data.split_seed=1", "data.split_seed=2"]
    return (
        base(both, ["ml_100k", "ml_1m"], [0])
        | variants("folds", others, ["ml_100k"], [0], both)
        | variants("folds", splits, ["ml_1m"], [0], both)
    )


PLANS = {"table2": table2, "fig2": fig2, "fig3": fig3, "folds": folds}


@pytest.mark.parametrize(
    ("experiment", "data"),
    [("table2", "ml_1m"), ("fig3", "douban"), ("folds", "ml_1m")],
)
def test_the_plan_of_an_experiment_has_these_runs_of_seed_0(experiment, data):
    expected = {run for run in PLANS[experiment]([0]) if run[2] == data}
    assert labels(experiment, "seeds=[0]", f"data_sets=[{data}]") == expected


@pytest.mark.slow
@pytest.mark.parametrize("experiment", PLANS)
def test_the_plan_of_an_experiment_has_these_runs(experiment):
    assert labels(experiment) == PLANS[experiment]([0, 1, 2])


@pytest.mark.parametrize(
    ("experiment", "seeds"),
    [  # points before those of different blocks that are the same run are dropped
        ("table2", {0: 8 * 2 + 5, 1: 8 * 2, 2: 8 * 2}),
        ("fig2", {0: 9 * 4, 1: 3 * 4, 2: 3 * 4}),
        ("fig3", {0: 7 * 3, 1: 7 * 2, 2: 7 * 2}),
        ("folds", {0: 2 * (5 + 3)}),
        (
            "kernels",
            {0: 8 + 1, 1: 8 + 1, 2: 8 + 2, 3: 2 + 1, 4: 2 + 1, **dict.fromkeys(range(5, 15), 2)},
        ),
    ],
)
def test_plans_have_these_seeds(experiment, seeds):
    assert Counter(point.seed for point in config_of(experiment).points()) == seeds


def rows(models, data_sets=("ml_100k", "ml_1m", "douban"), seeds=(0,)):
    return {(data, model, seed) for data in data_sets for model in models for seed in seeds}


OF_PAPER = rows(PAPER) | rows(SIDE, FAST) | rows(["graphrec_extra"], ["ml_100k", "ml_1m"])
HEAVY = rows(["gc_mc", "graphrec", "graphrec_extra"], ["ml_1m"]) | rows(["igmc"])
ALL_MODELS = [*PAPER, *SIDE, "graphrec_extra"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], OF_PAPER - HEAVY),
        (["scope=all"], (OF_PAPER | rows(CLASSICS)) - HEAVY),
        (["scope=full"], OF_PAPER | rows(CLASSICS)),
        (["models=[igmc,mine]", "seeds=[3]"], rows(["igmc", "mine"], seeds=[3])),
        (["data_sets=[douban,ml_1m]", "models=[gc_mc]"], rows(["gc_mc"], ["douban", "ml_1m"])),
        (["data_sets=[synthetic]"], rows(set(ALL_MODELS) - {"igmc"}, ["synthetic"])),
        (["data_sets=[mine]", "seeds=[0,1]"], rows(ALL_MODELS, ["mine"], [0, 1])),
        (
            ["scope=committed"],
            OF_PAPER
            | rows(CLASSICS)
            | rows(SIDE, FAST, [1, 2])
            | rows(["graphrec_extra"], ["ml_100k"], [1, 2])
            | rows(["glocal_k", "sparse_fc"], seeds=[1, 2, 3, 4])
            | rows(["graphrec", "igmc"], FAST, [1, 2])
            | rows(["i_autorec", "llorma", "cf_nade", "gc_mc", "u_autorec"], seeds=[1, 2])
            | rows(["bias_mf", "bias_mf_als", "svd_pp", "bayesian_mf"], seeds=[1, 2]),
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else "",  # sets have no order
)
def test_the_plan_of_table_1_has_these_rows(overrides, expected):
    points = config_of("table1", *overrides).points()
    assert all(point.options == point.fixed == () for point in points)
    found = [(point.data, point.model, point.seed) for point in points]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_the_committed_scope_and_the_records_of_table_1_are_the_same_runs():
    points = config_of("table1", "scope=committed").points()
    planned = {(point.data, point.model, point.seed) for point in points}
    held = read_records(ROOT / "reports" / "records" / "table1")
    recorded = {(record.data, record.model, record.seed) for record in held}
    assert recorded == planned


def test_the_runs_of_table_1_are_those_of_a_plain_training():
    runs = compose_runs(config_of("table1", "models=[bias]", "data_sets=[ml_100k]"))
    (run,) = runs
    assert label(run.config)[:6] == ("table1", "default", "ml_100k", "bias", 0, 1.0)
    (held,) = read_records(ROOT / "reports" / "records" / "table1" / "ml_100k" / "bias")
    assert config_hash(run.config.identity) == held.config_hash


def test_the_plan_of_gaps_has_a_run_without_redrawn_kernels():
    first_draw = "model.redraw_kernels=false"
    assert labels("gaps", "models=[glocal_k]") == {
        ("gaps", first_draw, "ml_1m", "glocal_k", 4, 1.0, "never")
    }


@pytest.mark.slow
def test_the_plan_of_gaps_has_the_committed_runs():
    held = read_records(ROOT / "reports" / "records" / "gaps")
    planned = {
        (config_hash(run.config.identity), run.config.seed)
        for run in compose_runs(config_of("gaps"))
    }
    assert {(record.config_hash, record.seed) for record in held} <= planned
    assert len(planned) == 12 + 2 * 3 + 3 * 3


def test_the_plan_of_side_has_these_points():
    points = config_of("side").points()
    pairs = {(point.model, point.options) for point in points}
    without = ("model.user_features=[]", "model.item_features=[]")
    assert pairs == {
        ("bayesian_fm", without),
        ("bayesian_fm", (*without, "model.dates=False")),
        *(
            (model, (f"data.split_seed={seed}",))
            for model in ("graphrec", "graphrec_extra")
            for seed in (0, 1, 2)
        ),
    }
    assert len(points) == 2 * 3 + 2 * (3 + 1 + 1)


def test_the_plan_of_cold_start_has_both_kinds_and_three_draws():
    points = config_of("cold_start").points()
    cells = Counter((point.data, point.options[0]) for point in points)
    on_ml_100k, on_douban = (11 + 1) * 3, 8 * 3  # models and draws
    assert cells == {
        ("ml_100k", "protocol.cold_start=items"): on_ml_100k,
        ("ml_100k", "protocol.cold_start=users"): on_ml_100k,
        ("douban", "protocol.cold_start=users"): on_douban,
    }
    assert {point.seed for point in points} == {0}


def test_the_plan_of_fold_in_folds_in_what_it_trains_on():
    points = config_of("fold_in").points()
    draws = [f"protocol.cold_start_seed={draw}" for draw in range(3)]
    assert all(any(draw in point.options for draw in draws) for point in points)
    folded = {
        (point.model, tuple(option for option in point.options if "fold_in" not in option))
        for point in points
        if "protocol.fold_in=True" in point.options
    }
    trained = {
        (point.model, point.options)
        for point in points
        if "protocol.fold_in=True" not in point.options
    }
    assert folded == {pair for pair in trained if "protocol.revealed=0" not in pair[1]}
    assert len(points) == (7 * 2 + 4) * 3 * (4 + 3)


@pytest.mark.parametrize("experiment", ["around", "monti"])
def test_further_models_are_trained_as_they_are(experiment):
    points = config_of(experiment).points()
    assert all(point.options == point.fixed == () for point in points)
    sets = {"around": {"ml_100k", "douban"}, "monti": {"flixster", "yahoo_music"}}
    assert {point.data for point in points} == sets[experiment]
    three = {point.model for point in points if point.seed == 2}
    assert three >= {"imc_gae"}


def test_the_plan_of_uncertainty_has_the_reference_on_every_set():
    made = labels("uncertainty")
    assert {(variant, seed) for _, variant, _, _, seed, *_ in made} == {("default", 0)}
    sets = {data for _, _, data, *_ in made}
    assert len(sets) == 5
    assert {data for _, _, data, model, *_ in made if model == "global_mean"} == sets
    with_selection = {model for _, _, _, model, *_, selection in made if selection != "never"}
    assert with_selection == {"cf_nade", "f_eae"}
    assert len(made) == 5 * 2 + 4 * 5 + 2 + 4 + 2
    # A model that is reported at the epoch that its selection run chooses cannot do without one.
    for run in compose_runs(config_of("uncertainty")):
        needs_selection = build_completer(run.config.model).official in ("validated", "settled")
        assert run.config.protocol.selection != "never" or not needs_selection


def test_the_plan_of_one_epoch_has_one_run():
    variant = "model.finetune.epochs=1,model.pretrain.epochs=1"
    assert labels("one_epoch") == variants("one_epoch", [variant], ["ml_1m"], [0])


def test_the_plan_of_kernels_on_ml_1m_has_these_runs():
    assert labels("kernels", "data_sets=[ml_1m]") == {
        *(("kernels", "default", "ml_1m", "glocal_k", seed, 1.0, "never") for seed in (0, 1, 3, 4)),
        ("kernels", "default", "ml_1m", "glocal_k", 2, 1.0, "each_seed"),
        ("kernels", "model.hold_kernels=true", "ml_1m", "glocal_k", 2, 1.0, "each_seed"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("data", FAST)
def test_the_plan_of_kernels_has_these_runs(data):
    ablations = {"glocal_k_scalar", "glocal_k_permuted", "glocal_k_decayed"}
    runs = [("glocal_k", seed) for seed in range(15)]
    runs += [(model, seed) for model in ablations for seed in range(3)]
    assert labels("kernels", f"data_sets=[{data}]") == {
        ("kernels", "default", data, model, seed, 1.0, "never") for model, seed in runs
    }


def test_every_experiment_says_what_it_makes_how_and_at_what_cost():
    for path in sorted((CONF / "experiment").glob("*.yaml")):
        first, *header = path.read_text().partition("\nplan:")[0].splitlines()
        text = "\n".join(line for line in header if line.startswith("#"))
        assert first == "# @package _global_", path
        assert "Cost: about" in text, path
        assert f"experiment={path.stem}" in text or path.stem == "table1", path
        assert "published" in text or "no figure" in text, path


def test_every_experiment_names_models_and_data_sets_that_are_there():
    folders = ("model", "data")
    names = {group: {path.stem for path in (CONF / group).glob("*.yaml")} for group in folders}
    for path in sorted((CONF / "experiment").glob("*.yaml")):
        points = config_of(path.stem, "scope=committed").points()
        assert {point.model for point in points} <= names["model"]
        assert {point.data for point in points} <= names["data"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["data_sets=[douban]", "seeds=[5]"], [("douban", 5)] * 7),
        (["data_sets=[douban,mine]", "seeds=[5]"], [("douban", 5)] * 7 + [("mine", 5)] * 7),
    ],
)
def test_data_sets_and_seeds_narrow_or_change_any_plan(overrides, expected):
    points = config_of("fig3", *overrides).points()
    assert sorted((point.data, point.seed) for point in points) == expected


def test_models_narrow_or_change_any_plan():
    points = config_of("gaps", "models=[igmc]").points()
    assert {(point.data, point.model) for point in points} == {("ml_1m", "igmc")}
    assert len(points) == 3
    points = config_of("fig2", "models=[bias_mf]", "seeds=[0]").points()
    assert len(points) == 2 * 9
    assert {point.model for point in points} == {"bias_mf"}


def test_a_plan_that_is_narrowed_to_nothing_is_an_error():
    config = config_of("gaps", "models=[igmc]", "data_sets=[ml_100k]")
    with pytest.raises(GlocalkError, match="'gaps' has no run with these options"):
        config.points()


def multirun(monkeypatch, folder, *overrides):
    made = []

    def execute(run):
        made.append(run)
        return record(model=run.model_name, data=run.data_name)

    monkeypatch.setattr(glocalk.cli.train, "execute", execute)
    process = call("train", "-m", *overrides, cwd=folder)
    assert process.returncode == 0, process.stderr
    return [(config_hash(run.identity), run.seed) for run in made]


@pytest.mark.parametrize(
    ("experiment", "sweep", "seeds"),
    [
        ("table2", "model.kernel_size=3,5,7", "1"),
        pytest.param("fig2", "train_share=0.2,0.5,1.0", "0,1,2", marks=pytest.mark.slow),
        pytest.param("fig3", "model.pretrain.epochs=0,20,60", "1", marks=pytest.mark.slow),
    ],
)
def test_a_multirun_makes_the_runs_of_the_plan(experiment, sweep, seeds, monkeypatch, tmp_path):
    swept = multirun(
        *(monkeypatch, tmp_path, f"experiment={experiment}"),
        *(sweep, "data=douban", f"seed={seeds}"),
    )
    config = config_of(experiment, "data_sets=[douban]", "models=[glocal_k]", f"seeds=[{seeds}]")
    # Only the line of the plan with the swept option: the others take seconds to compose.
    option = sweep.partition("=")[0]
    lines = [line for block in config.plan for line in block.sweeps if line.startswith(option)]
    block = config.plan[0].model_copy(update={"sweeps": lines})
    runs = [run.config for run in compose_runs(config.model_copy(update={"plan": [block]}))]
    planned = {(config_hash(run.identity), run.seed) for run in runs}
    assert len(set(swept)) == len(swept) == 3 * len(seeds.split(","))
    assert set(swept) <= planned


def test_an_option_with_the_value_that_it_has_anyway_names_no_variant():
    def run(*overrides, experiment="table2"):
        return compose_run([f"experiment={experiment}", "data=douban", "seed=3", *overrides])

    average = run("model.aggregation=average")
    assert average.variant == "model.aggregation=average"
    assert run("model.aggregation=average", "model.kernel_size=3").identity == average.identity
    at_base = run("model.kernel_size=3", "model.lambda_2=10")  # 10.0 in its settings
    assert (at_base.identity, at_base.seed) == (run(experiment="table1").identity, 3)
    assert at_base.share_stages
    named = run("model.kernel_size=3", "variant=three")
    assert (named.experiment, named.variant) == ("table2", "three")
    unlike = run("model.kernel_size=3", experiment="table1")  # which has no base
    assert unlike.variant == "model.kernel_size=3"


def test_the_local_report_of_kernels_is_that_of_committed_records(tmp_path):
    traced_run().write(tmp_path / "runs" / "made" / "record.json")
    places = [f"{name}_dir='{tmp_path / name}'" for name in ("runs", "reports")]
    text = write_files(config_of("kernels", *places), {})
    assert text.startswith("# The global kernel\n")
    made = {path.name for path in (tmp_path / "runs" / "report").iterdir()}
    assert made == {f"kernels.{suffix}" for suffix in ("csv", "md", "svg", "png")}


def test_a_logger_is_that_of_every_run_and_of_its_command():
    given = ["logger=mlflow", "logger.mlflow.experiment_name=mine"]
    narrow = ("models=[bias,global_mean]", "data_sets=[ml_100k]", "seeds=[0]")
    plain = compose_runs(config_of("table1", *narrow))
    tracked = compose_runs(config_of("table1", *narrow, *given))
    assert [run.config.identity for run in tracked] == [run.config.identity for run in plain]
    assert [run.config.variant for run in tracked] == [run.config.variant for run in plain]
    for run, without in zip(tracked, plain, strict=True):
        assert run.config.logger["mlflow"]["experiment_name"] == "mine"
        assert without.config.logger.keys() == {"csv"}
        assert [word for word in run.arguments if word not in without.arguments] == given


def test_a_trainer_is_that_of_every_run_search_and_command():
    given = ["trainer=gpu", "trainer.devices=[1]", "+trainer.max_epochs=3"]
    narrow = ("models=[item_knn,glocal_k]", "data_sets=[ml_100k]", "seeds=[0]")
    plain = compose_runs(config_of("table1", *narrow))
    config = config_of("table1", *narrow, *given)
    for run, without in zip(compose_runs(config), plain, strict=True):
        alone = compose_run([*without.arguments, *given])
        assert run.config.identity == alone.identity
        assert run.config.identity["trainer"]["accelerator"] == "gpu"
        assert without.config.identity["trainer"]["accelerator"] == "cpu"
        assert [word for word in run.arguments if word not in without.arguments] == given
    for option, sentence in (
        ("+trainer.callbacks=[]", "A training has its own trainer.callbacks"),
        ("trainer.devices=2", "A training uses one device"),
    ):
        with pytest.raises(GlocalkError, match=sentence):
            compose_runs(config_of("table1", *narrow, option))
    with pytest.raises(HydraException, match="acelerator"):
        config_of("table1", *narrow, "trainer.acelerator=gpu")


@pytest.mark.data("ml-100k")
def test_a_trainer_is_that_of_the_searches(data_dir):
    narrow = ("models=[item_knn]", "data_sets=[ml_100k]", f"data_dir='{data_dir}'")
    config = config_of("tuned", *narrow, "trainer=gpu")
    points = config.points()
    runs, _ = find_runs(config, unchanged(points))
    (search,) = plan_searches(config, points, runs)
    assert "trainer=gpu" in search.arguments
    assert search.config.identity["trainer"]["accelerator"] == "gpu"
