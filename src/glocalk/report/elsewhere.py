"""Models and data sets outside Table 1, beside the figures of other papers and codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from glocalk.records.run import Record
from glocalk.report.cells import (
    DATA_SETS,
    GLOCAL_K,
    MONTI_SETS,
    Cell,
    data_title,
    in_order,
    model_title,
)
from glocalk.report.layout import NOTHING, csv_text, duration, number, whole
from glocalk.report.origins import ORIGIN_NOTE, dates_note, origin
from glocalk.report.parts import Files, Sources
from glocalk.report.points import POINT_COLUMNS, cost_notes, find_point, point_values
from glocalk.report.published import read_sourced
from glocalk.report.table1 import PROTOCOL_NOTES, budget_notes
from glocalk.report.tables import Table, mean_and_sd, published_figure, seed_count

_PROTOCOLS = ("official", "best_test", "validated", "last")
_COLUMNS = (
    *("data", "model", "side_information", "published", "source", "official_mean", "official_sd"),
    *POINT_COLUMNS,
    *("training_seconds_median", "hyperparameters", "trials"),
)


@dataclass(frozen=True)
class _Row:
    """A model on a data set; the published figure and its source are empty where there is none."""

    cell: Cell
    published: str
    source: str


def around_files(sources: Sources) -> Files:
    """Models around the paper, on its data sets, and GLocal-K for comparison."""
    return _files(
        sources,
        "around",
        DATA_SETS,
        "Models that the paper's Table 1 leaves out, beside the figures of their own papers or "
        "codes on the same splits: test RMSE.",
        [
            "GLocal-K's rows are Table 1's, for comparison.",
            *dates_note(sources.records),
            "Made by `glocalk reproduce experiment=around`; `make report` makes the table from the "
            "records.",
        ],
    )


def around_cells(records: Sequence[Record]) -> list[Cell]:
    """The cells of the models with runs that the paper leaves out, on its data sets."""
    rows = _rows(records, "around", DATA_SETS)
    return [row.cell for row in rows if row.cell.runs and row.cell.model != GLOCAL_K]


def monti_files(sources: Sources) -> Files:
    """Every completer on the further sets of Monti et al."""
    return _files(
        sources,
        "monti",
        MONTI_SETS,
        "Flixster and YahooMusic, subsets and splits of Monti et al., NeurIPS 2017: test RMSE, on "
        "YahooMusic of ratings from 1 to 100.",
        [
            "Nothing is known of users and items there but graphs. A model without a row needs "
            "attributes or has not been run.",
            "Made by `glocalk reproduce experiment=monti`; `make report` makes the table from the "
            "records.",
        ],
    )


def _files(
    sources: Sources, experiment: str, data_sets: Mapping[str, str], caption: str, more: list[str]
) -> Files:
    rows = _rows(sources.records, experiment, data_sets)
    table = Table(
        name=experiment,
        caption=caption,
        columns=[
            *(("", name) for name in ("Data", "Model", "Side inf.", "Hyperparameters")),
            ("Published", "RMSE"),
            *(("Ours", f"`{name}`") for name in _PROTOCOLS),
            *(("Ours", name) for name in ("seeds", "a training")),
            ("Published", "source"),
        ],
        rows=[_line(row, sources) for row in rows],
        notes=[
            "Ours: mean ± sample standard deviation over seeds; a training: median time of one on "
            f"all training ratings, on one core. {NOTHING}: no figure.",
            "`official`: the rule by which the model's own code picks what it reports.",
            *(f"`{name}`: {PROTOCOL_NOTES[name]}" for name in _PROTOCOLS[1:]),
            *cost_notes([row.cell for row in rows]),
            *budget_notes([row.cell for row in rows]),
            ORIGIN_NOTE,
            *more,
        ],
    )
    return {
        f"{experiment}.csv": csv_text(_COLUMNS, (_csv_row(row, sources) for row in rows)),
        f"{experiment}.md": table.markdown(),
        f"{experiment}.tex": table.tex(),
    }


def _rows(records: Sequence[Record], experiment: str, data_sets: Iterable[str]) -> list[_Row]:
    """Models with a record of the experiment or a published figure there, by data set."""
    figures = read_sourced("published_elsewhere.csv")
    rows = []
    for data in data_sets:
        own = {run.model for run in records if (run.experiment, run.data) == (experiment, data)}
        listed = own | {model for where, model in figures if where == data}
        for model in in_order(listed):
            rows.append(_row(records, experiment, data, model, figures))
        if experiment == "around":
            rows.append(_row(records, "table1", data, GLOCAL_K, figures))
    return [row for row in rows if row.cell.runs or row.published]


def _row(
    records: Sequence[Record],
    experiment: str,
    data: str,
    model: str,
    figures: Mapping[tuple[str, str], tuple[str, str]],
) -> _Row:
    runs = find_point(records, experiment, data, model).runs
    cell = Cell(
        model=model,
        title=model_title(model),
        side_information=any(run.side_information for run in runs),
        data=data,
        published=None,
        in_paper=False,
        runs=runs,
    )
    return _Row(cell, *figures.get((data, model), ("", "")))


def _line(row: _Row, sources: Sources) -> list[str]:
    cell = row.cell
    chosen = origin(cell, sources.searches)
    return [
        data_title(cell.data),
        cell.title,
        "yes" if cell.side_information else "",
        chosen.text if chosen else NOTHING,
        published_figure(row.published) if row.published else NOTHING,
        *(mean_and_sd(cell, name) for name in _PROTOCOLS),
        seed_count(cell),
        duration(cell.seconds) if cell.seconds is not None else NOTHING,
        row.source or NOTHING,
    ]


def _csv_row(row: _Row, sources: Sources) -> list[str]:
    cell = row.cell
    chosen = origin(cell, sources.searches)
    return [
        *(cell.data, cell.model, "yes" if cell.side_information else "no"),
        *(row.published, row.source),
        *(number(cell.mean("official")), number(cell.sd("official"))),
        *point_values(cell),
        number(cell.seconds, 1),
        *((chosen.chosen_by, whole(chosen.trials)) if chosen else ("", "")),
    ]
