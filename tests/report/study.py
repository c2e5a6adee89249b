"""Made-up records of every experiment with a report of its own, few and small."""

import csv
import io

from factory import record

from report.kernels.study_of_kernels import run as traced_run

PRETRAIN = "model.pretrain.epochs"


def base(best=0.89, **changes):
    """A run of Table 1."""
    return record(best=best, **changes)


def other(experiment, variant="default", best=0.90, **changes):
    """A run of another experiment, which needs no selection run."""
    return record(best=best, experiment=experiment, variant=variant, held_out=None, **changes)


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
        other("gaps", "model.lambda_2=40"),
    ]


def table(text):
    """The cells of each row of the first Markdown table in a text, header and rule left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [line[2:-2].split(" | ") for line in lines[2:]]


def csv_rows(text):
    """The rows of a csv as dicts."""
    return list(csv.DictReader(io.StringIO(text)))
