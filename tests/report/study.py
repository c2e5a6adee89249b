"""Made-up records of every experiment with a report of its own, few and small."""

import csv
import io

from factory import record

from glocalk.records.identity import config_hash
from glocalk.records.run import Member, Uncertainty
from report.kernels.study_of_kernels import run as traced_run

PRETRAIN = "model.pretrain.epochs"


def base(best=0.89, **changes):
    """A run of Table 1."""
    return record(best=best, **changes)


def other(experiment, variant="default", best=0.90, **changes):
    """A run of another experiment, which needs no selection run."""
    return record(best=best, experiment=experiment, variant=variant, held_out=None, **changes)


def cold_start_run(model="bias", error=0.9, draw=0, new="items", changed="", **changes):
    """A run on new items or users; `changed` are further changed options."""
    options = {"cold_start": new} | ({"cold_start_seed": draw} if draw else {})
    changes = {"best": error - 0.01, "validated": error, "last": error + 0.01, **changes}
    variant = f"protocol.cold_start={new},protocol.cold_start_seed={draw}"
    variant = f"{changed},{variant}" if changed else variant
    made = other("cold_start", variant, model=model, split=f"{new} {draw}", **changes)
    config = {**made.config, "protocol": options}
    return made.model_copy(update={"config": config, "config_hash": config_hash(config)})


def fold_in_run(model="bias", error=0.9, revealed=5, draw=0, new="users", seconds=None, **changes):
    """A run with ratings revealed of new users or items; `seconds` are those of a fold-in."""
    options = {"cold_start": new, "revealed": revealed}
    options |= {"cold_start_seed": draw} if draw else {}
    options |= {"fold_in": True} if seconds else {}
    variant = ",".join(f"protocol.{name}={value}" for name, value in options.items())
    made = other("fold_in", variant, model=model, best=error, last=error, **changes)
    config = {**made.config, "protocol": options}
    times = {"final": 3.0, "final/evaluation": 1.0, "total": 3.0}
    times |= {"final/fold_in": seconds} if seconds else {}
    changes = {"config": config, "config_hash": config_hash(config), "seconds": times}
    return made.model_copy(update=changes)


def fold_run(fold, error, model="bias", folds=5, changed="", **changes):
    """A run on a fold of a cross-validation; `changed` are further changed options."""
    variant = f"data.fold={fold},data.folds={folds}" + (f",{changed}" if changed else "")
    data = {"name": changes.get("data", "ml_100k"), "folds": folds} | (
        {"fold": fold} if fold != 1 else {}
    )
    changes = {"best": error - 0.01, "validated": error, "last": error + 0.01, **changes}
    made = other("cross_validation", variant, model=model, split=f"fold {fold}", **changes)
    config = {**made.config, "data": data}
    return made.model_copy(update={"config": config, "config_hash": config_hash(config)})


def uncertain_run(model="bayesian_mf", error=0.9, nll=1.2, density_nll=None, **changes):
    """A run with scores of its predictive distributions."""
    scores = Uncertainty(
        nll=nll,
        crps=nll / 2,
        density_nll=density_nll,
        mean_std=0.95,
        coverage={"50": 0.51, "80": 0.8125, "95": 0.956},
        width={"50": 1.25, "80": 2.5, "95": 3.5},
    )
    return other("uncertainty", model=model, last=error, best=error, uncertainty=scores, **changes)


def combined_run():
    """A combination of two members."""
    members = [
        Member(model=model, seed=0, weights={"validated": 0.5, "last": 0.5}, seconds=5.0)
        for model in ("bias", "item_knn")
    ]
    return other("combined", model="stack", members=members)


def every_experiment():
    """At least one run of each experiment, and the runs of Table 1 behind them."""
    return [
        *(base(seed=seed, data=data) for data in ("ml_100k", "douban") for seed in (0, 1)),
        base(model="sparse_fc", best=0.895),
        other("table2", "model.kernel_size=5"),
        *(other("fig2", train_share=0.2, model=model) for model in ("glocal_k", "sparse_fc")),
        other("fig3", f"{PRETRAIN}=10"),
        *(other("folds", "data.fold=2", split="u2", model=m) for m in ("glocal_k", "sparse_fc")),
        traced_run(),
        other("around", model="bayesian_fm", side_information=True),
        other("side", "data.split_seed=0", split="90:10 seed 0", model="graphrec"),
        other("monti", data="flixster", split="monti"),
        cold_start_run(),
        fold_in_run(),
        fold_run(1, 0.9),
        uncertain_run(),
        combined_run(),
        other("gaps", "model.lambda_2=40"),
    ]


def table(text):
    """The cells of each row of the first Markdown table in a text, header and rule left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [line[2:-2].split(" | ") for line in lines[2:]]


def csv_rows(text):
    """The rows of a csv as dicts."""
    return list(csv.DictReader(io.StringIO(text)))
