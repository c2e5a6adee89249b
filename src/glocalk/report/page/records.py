"""The list of all records, on a page of its own: it is longer than all tables together."""

from __future__ import annotations

from itertools import groupby

from glocalk.records.run import Record
from glocalk.report.cells import data_title, model_title
from glocalk.report.page.document import document
from glocalk.report.page.section import Material
from glocalk.report.points import changed_options


def records_html(material: Material) -> str:
    """The page `records.html`: a link to every record, by experiment, Table 1 first."""
    runs = sorted(
        zip(material.records, material.links, strict=True), key=lambda run: (_order(run[0]), run[1])
    )
    experiments = [
        (
            experiment,
            len(rows := list(group)),
            [
                (
                    *labels,
                    [
                        (changed, [(run.seed, href) for run, href in seeds])
                        for changed, seeds in groupby(made, key=lambda run: changed_options(run[0]))
                    ],
                )
                for labels, made in groupby(rows, key=lambda run: _labels(run[0]))
            ],
        )
        for experiment, group in groupby(runs, key=lambda run: run[0].experiment)
    ]
    return document("records_page.html", experiments=experiments, runs=len(runs))


def _order(run: Record) -> tuple[bool, str, str, str, float, str, int]:
    first = run.experiment != "table1"
    return first, run.experiment, run.data, run.model, run.train_share, run.variant, run.seed


def _labels(run: Record) -> tuple[str, str]:
    return data_title(run.data), model_title(run.model)
