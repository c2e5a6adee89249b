"""The notes under the tables, the record of every run, and the other files of the report."""

from __future__ import annotations

from itertools import groupby

from glocalk.records.run import Record
from glocalk.report.cells import data_title, model_title
from glocalk.report.page.markup import fill
from glocalk.report.page.section import File, Material, Section
from glocalk.report.table1 import table1_notes

_ABOUT = {
    "results.csv": "every run under every protocol",
    "searches.csv": "every trial of every search for hyperparameters",
    "variants.md": "runs with other options, each beside the run that it varies",
    "costs.md": "time and memory of a training",
    "bench.md": "speed and memory of implementations",
    "claims.md": "the paper's claims and how far each holds",
    "kernels.md": "what the global kernel does",
}


def notes_section(material: Material) -> Section:
    """The notes of Table 1: seeds, budgets, hyperparameters, published figures."""
    body = fill("notes.html", notes=table1_notes(material.cells))
    return Section("notes", "Notes on protocols and runs", "Notes", body)


def records_section(material: Material) -> Section:
    """A list of links for each experiment."""
    runs = sorted(
        zip(material.records, material.links, strict=True), key=lambda run: (_order(run[0]), run[1])
    )
    experiments = [
        (
            experiment,
            len(rows := list(group)),
            [
                (*labels, [(run.seed, href) for run, href in seeds])
                for labels, seeds in groupby(rows, key=lambda run: _labels(run[0]))
            ],
        )
        for experiment, group in groupby(runs, key=lambda run: run[0].experiment)
    ]
    files = [(file, _about(file)) for file in material.files]
    body = fill("records.html", experiments=experiments, files=files)
    return Section("records", "Records and files", "Records", body)


def _about(file: File) -> str:
    return _ABOUT.get(file.name, "")


def _order(run: Record) -> tuple[bool, str, str, str, float, str, int]:
    first = run.experiment != "table1"
    return first, run.experiment, run.data, run.model, run.train_share, run.variant, run.seed


def _labels(run: Record) -> tuple[str, str, str]:
    share = [f"train_share={run.train_share:g}"] * (run.train_share != 1)
    options = [run.variant] * (run.variant != "default")
    return data_title(run.data), model_title(run.model), ",".join([*share, *options])
