"""Each model's error with its interval, beside its difference to GLocal-K."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glocalk.report.cells import DATA_SETS, GLOCAL_K, Cell
from glocalk.report.layout import (
    NOTHING,
    csv_text,
    difference,
    difference_interval,
    markdown_table,
    number,
    p_value,
    rmse,
)
from glocalk.report.load import cell_of
from glocalk.report.origins import ORIGIN_NOTE, origin
from glocalk.report.parts import Files, Sources
from glocalk.report.statistics.bootstrap import RESAMPLES, Interval
from glocalk.report.statistics.measured import Difference, Measured
from glocalk.report.statistics.paired import holm
from glocalk.report.tables import with_sd

SHOWN = "validated"

COLUMNS = (
    *("data", "model", "protocol", "seeds", "mean", "sd", "low", "high"),
    *("glocal_k_minus", "minus_low", "minus_high", "p_adjusted"),
)

_LEAD = f"""# Intervals

Test RMSE under the `{SHOWN}` protocol: mean ± sample standard deviation over seeds, and the 95 %
interval of the mean by a bootstrap over the users with test ratings ({RESAMPLES:,} resamples;
others would move an end by about a hundredth of the interval's width). The interval says how far
the mean would move with other users, the standard deviation how far with other seeds.
*GLocal-K −*: GLocal-K's mean minus the model's, with the interval of this difference from the same
resamples; it is narrower than those of the means, because users who are hard for one model are hard
for the other. *p*: paired t-test with the user as unit, two-sided, by Holm's method adjusted for
all models of the table. The spread of seeds is in neither; [claims.md](claims.md) weighs it too.
"""


@dataclass(frozen=True)
class Row:
    """A model on a data set under one protocol; `minus` is GLocal-K's error minus the model's."""

    cell: Cell
    protocol: str
    interval: Interval
    minus: Difference | None
    p_adjusted: float | None


def intervals_files(sources: Sources) -> Files:
    """`intervals.md` and `intervals.csv`; none without runs of Table 1."""
    cells = [cell for cell in sources.cells if cell.runs and cell.data in DATA_SETS]
    if not cells:
        return {}
    made = {
        (protocol, data): _rows(
            [cell for cell in cells if cell.data == data], protocol, sources.measured
        )
        for protocol in ("best_test", SHOWN)
        for data in DATA_SETS
    }
    tables = [
        f"## {title}\n\n{_table(made[SHOWN, data], sources)}"
        for data, title in DATA_SETS.items()
        if made[SHOWN, data]
    ]
    return {
        "intervals.csv": csv_text(
            COLUMNS, (_csv_row(row) for rows in made.values() for row in rows)
        ),
        "intervals.md": "\n".join([_LEAD, *tables, f"{ORIGIN_NOTE}\n"]),
    }


def _rows(cells: Sequence[Cell], protocol: str, measured: Measured) -> list[Row]:
    samples = {
        cell.model: (cell, sample)
        for cell in cells
        if (sample := measured.sample(cell_of(cell.runs[0]), protocol)) is not None
    }
    ours = samples.get(GLOCAL_K)
    differences = {
        model: measured.difference([(1, ours[1]), (-1, sample)])
        for model, (_, sample) in samples.items()
        if ours is not None and model != GLOCAL_K
    }
    adjusted = holm([made.p_value for made in differences.values()])
    p_values = dict(zip(differences, adjusted, strict=True))
    return [
        Row(
            cell,
            protocol,
            measured.interval(sample),
            differences.get(model),
            p_values.get(model),
        )
        for model, (cell, sample) in samples.items()
    ]


def _csv_row(row: Row) -> list[str]:
    cell, minus = row.cell, row.minus
    return [
        cell.data,
        cell.model,
        row.protocol,
        str(len(cell.by_seed(row.protocol))),
        number(cell.mean(row.protocol)),
        number(cell.sd(row.protocol)),
        *map(number, row.interval),
        *(map(number, (minus.estimate, *minus.interval)) if minus else ["", "", ""]),
        number(row.p_adjusted),
    ]


def _table(rows: Sequence[Row], sources: Sources) -> str:
    header = ["Model", "Hyperparameters", "Seeds", f"`{SHOWN}`", "Interval"]
    header += ["GLocal-K −", "Interval of<br>the difference", "p"]
    lines = []
    for row in rows:
        cell, minus = row.cell, row.minus
        chosen, sd = origin(cell, sources.searches), cell.sd(row.protocol)
        lines.append(
            [
                cell.title,
                chosen.text if chosen else NOTHING,
                str(len(cell.by_seed(row.protocol))),
                with_sd(cell.mean(row.protocol), sd),
                f"[{', '.join(rmse(end, 3) for end in row.interval)}]",
                difference(minus.estimate) if minus else NOTHING,
                difference_interval(*minus.interval) if minus else NOTHING,
                p_value(row.p_adjusted),
            ]
        )
    return markdown_table(header, lines, left=2)
