"""Table 1 of the paper beside our runs under every protocol, as csv, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from glocalk.records.search import Search
from glocalk.report.cells import DATA_SETS, Cell, data_title
from glocalk.report.layout import (
    NOTHING,
    csv_text,
    enumeration,
    markdown_table,
    number,
    rmse,
    whole,
    yes,
)
from glocalk.report.load import cell_of
from glocalk.report.origins import ORIGIN_NOTE, origin, origins_text
from glocalk.report.statistics.measured import Measured
from glocalk.report.tables import mean_and_sd, tex_table

COLUMNS = (
    *("model", "side_information", "data", "published"),
    *("best_test_mean", "best_test_sd", "best_test_low", "best_test_high"),
    *("validated_mean", "validated_sd", "validated_low", "validated_high", "held_out_mean"),
    *("last_mean", "last_sd", "official_mean", "seeds", "training_seconds_median"),
    *("hyperparameters", "trials"),
)

PROTOCOL_NOTES = {
    "best_test": "the lowest test error over the epochs. It selects on the test set, as does the "
    "official code behind GLocal-K's published figures.",
    "validated": "the test error of the final run, on all training ratings, at the epoch with the "
    "lowest error of the selection run on the 5 % held out from it. The test set selects nothing.",
    "last": "the test error of the final run after its last epoch.",
    "held_out": "the test error of the selection run itself, at the same epoch as `validated` (in "
    "`table1.csv`).",
    "official": "the rule by which whoever published the figure picked it, which is that of the "
    "model's own code unless a note below says otherwise (in `table1.csv`).",
}
_SHOWN = ("best_test", "validated", "last")


def table1_csv(cells: Sequence[Cell], searches: Sequence[Search], measured: Measured) -> str:
    """One row per cell.

    Args:
        cells: the cells of Table 1.
        searches: the committed searches, where hyperparameters may come from.
        measured: the samples of the cells' runs, for the 95 % intervals of the means.
    """
    return csv_text(
        COLUMNS,
        (
            [
                cell.model,
                yes(cell.side_information),
                cell.data,
                number(cell.published_rmse, 3),
                number(cell.mean("best_test")),
                number(cell.sd("best_test")),
                *_interval(cell, "best_test", measured),
                number(cell.mean("validated")),
                number(cell.sd("validated")),
                *_interval(cell, "validated", measured),
                number(cell.mean("held_out")),
                number(cell.mean("last")),
                number(cell.sd("last")),
                number(cell.mean("official")),
                str(len(cell.runs)),
                number(cell.seconds, 1),
                *_origin(cell, searches),
            ]
            for cell in cells
        ),
    )


def table1_markdown(cells: Sequence[Cell], searches: Sequence[Search]) -> str:
    """A row per model, a group of columns per data set, and notes below the table."""
    header = ["Model", "Side inf."]
    for title in DATA_SETS.values():
        header += [f"{title}<br>published", *(f"{title}<br>`{name}`" for name in _SHOWN)]
    header.append("Hyperparameters")
    rows = []
    groups = _groups(cells, searches)
    for label, group in groups:
        if len(groups) > 1:
            rows.append([f"*{label}*", *[""] * (len(header) - 1)])
        rows += group
    notes = "".join(f"- {note}\n" for note in table1_notes(cells))
    return f"{markdown_table(header, rows, left=2)}\n{notes}"


def table1_tex(cells: Sequence[Cell], searches: Sequence[Search]) -> str:
    """A table environment with the rules of booktabs, laid out like the Markdown."""
    figures = ["published", *(f"`{name}`" for name in _SHOWN)]
    return tex_table(
        "table1",
        "Test RMSE: published figures and our runs.",
        f"lc{'r' * len(figures) * len(DATA_SETS)}p{{4cm}}",
        [("", 2), *((title, len(figures)) for title in DATA_SETS.values()), ("", 1)],
        ["Model", "Side inf.", *figures * len(DATA_SETS), "Hyperparameters"],
        [rows for _, rows in _groups(cells, searches)],
        table1_notes(cells),
    )


def _groups(cells: Sequence[Cell], searches: Sequence[Search]) -> list[tuple[str, list[list[str]]]]:
    """Label and rows of each group."""
    return [
        (
            label,
            [_row(list(row), searches) for _, row in groupby(group, key=lambda cell: cell.model)],
        )
        for label, group in groupby(cells, key=group_label)
    ]


def group_label(cell: Cell) -> str:
    """Heading of the rows that a cell is in: models outside the paper come first."""
    return "Table 1 of the paper" if cell.in_paper else "Not in the paper's table"


def _row(cells: Sequence[Cell], searches: Sequence[Search]) -> list[str]:
    """A model's row; data sets outside the paper are not shown."""
    by_data = {cell.data: cell for cell in cells}
    row = [cells[0].title, "yes" if cells[0].side_information else ""]
    for data in DATA_SETS:
        cell = by_data.get(data)
        if cell is None:
            row += [NOTHING] * (1 + len(_SHOWN))
        else:
            row += [rmse(cell.published_rmse, 3), *(mean_and_sd(cell, name) for name in _SHOWN)]
    shown = [cell for cell in cells if cell.data in DATA_SETS]
    return [*row, origins_text(shown, searches)]


def _interval(cell: Cell, protocol: str, measured: Measured) -> tuple[str, str]:
    """The 95 % interval of the mean, for a csv."""
    sample = measured.sample(cell_of(cell.runs[0]), protocol) if cell.runs else None
    if sample is None:
        return "", ""
    low, high = measured.interval(sample)
    return number(low), number(high)


def _origin(cell: Cell, searches: Sequence[Search]) -> tuple[str, str]:
    """What the hyperparameters were chosen by, and the number of trials, for a csv."""
    made = origin(cell, searches)
    return (made.chosen_by, whole(made.trials)) if made else ("", "")


def table1_notes(cells: Sequence[Cell]) -> list[str]:
    """Sentences under the table, with `code` in backticks."""
    shown = [cell for cell in cells if cell.data in DATA_SETS]
    made = [cell for cell in shown if cell.runs]
    return [
        "Test RMSE. Published figures: Table 1 of Han et al., CIKM 2021 (arXiv 2108.12184). "
        "Ours: mean ± sample standard deviation over seeds; `intervals.md` has 95 % intervals of "
        f"the means and of the differences to GLocal-K. {NOTHING}: no figure.",
        *(f"`{name}`: {meaning}" for name, meaning in PROTOCOL_NOTES.items()),
        *_remarks(shown),
        *_without_epochs(made),
        *_seeds(made),
        *_borrowed_epochs(made),
        ORIGIN_NOTE,
        *dampings_note(made),
        *budget_notes(made),
    ]


def dampings_note(cells: Sequence[Cell], where: str = "") -> list[str]:
    """What the baseline's hyperparameters are; empty without such a row.

    Args:
        cells: the table's cells.
        where: a link to the table of searches.
    """
    note = (
        "User + item bias has the dampings that were published for the Netflix Prize; `glocalk "
        f"reproduce experiment=tuned` searches others{where}."
    )
    return [note] * any(cell.model == "bias" for cell in cells)


def _remarks(cells: Sequence[Cell]) -> list[str]:
    """The notes on published figures; equal notes on a model are joined."""
    data_sets: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if cell.published and cell.published.note:
            key = (cell.title, cell.published.note)
            data_sets.setdefault(key, []).append(DATA_SETS[cell.data])
    return [
        f"{title}, published figure on {' and on '.join(names)}: {note}."
        for (title, note), names in data_sets.items()
    ]


def _without_epochs(cells: Sequence[Cell]) -> list[str]:
    made = [
        cell for cell in cells if all(run.protocols["last"].rmse_epoch is None for run in cell.runs)
    ]
    return [f"No epochs; all protocols agree: {_names(made)}."] * bool(made)


def _seeds(cells: Sequence[Cell]) -> list[str]:
    made: dict[str, list[Cell]] = {}
    for cell in cells:
        seeds = "Deterministic, one run" if cell.deterministic else _seed_list(cell.seeds)
        made.setdefault(seeds, []).append(cell)
    return [f"{seeds}: {_names(where)}." for seeds, where in made.items()]


def _borrowed_epochs(cells: Sequence[Cell]) -> list[str]:
    made: dict[str, list[Cell]] = {}
    for cell in cells:
        borrowers: dict[int, list[int]] = {}
        for run in cell.runs:
            if run.validated_epoch_from_seed is not None:
                borrowers.setdefault(run.validated_epoch_from_seed, []).append(run.seed)
        for lender, seeds in borrowers.items():
            take, have = ("take", "have") if len(seeds) > 1 else ("takes", "has")
            made.setdefault(
                f"{_seed_list(seeds)} {take} the `validated` epoch from seed {lender} and "
                f"{have} no `held_out`",
                [],
            ).append(cell)
    return [f"{borrowing}: {_names(where)}." for borrowing, where in made.items()]


def budget_notes(cells: Sequence[Cell]) -> list[str]:
    """A note for each budget below the number of updates of the full schedule.

    That is the official one, or the model's own where the official code has none.
    """
    made: dict[str, list[Cell]] = {}
    for cell in cells:
        for budget in sorted({run.budget for run in cell.runs} - {1.0}):
            made.setdefault(f"{100 * budget:.0f} %", []).append(cell)
    return [
        f"Trained under a budget, {budget} of the updates of the full schedule: {_names(where)}."
        for budget, where in made.items()
    ]


def _names(cells: Sequence[Cell]) -> str:
    """The cells in words; models with the same data sets are joined."""
    data_sets: dict[str, list[str]] = {}
    for cell in cells:
        data_sets.setdefault(cell.title, []).append(data_title(cell.data))
    titles: dict[str, list[str]] = {}
    for title, names in data_sets.items():
        where = "all data sets" if names == list(DATA_SETS.values()) else enumeration(names)
        titles.setdefault(where, []).append(title)
    return "; ".join(f"{enumeration(models)} on {where}" for where, models in titles.items())


def _seed_list(seeds: Sequence[int]) -> str:
    return f"Seed{'s' * (len(seeds) > 1)} {enumeration(seeds)}"
