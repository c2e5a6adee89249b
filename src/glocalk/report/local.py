"""The table of this machine: its figures beside the committed and published ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glocalk.errors import one_line
from glocalk.files import write_atomically
from glocalk.records.run import Record
from glocalk.report.cells import Cell, data_title, default_runs, table1_cells
from glocalk.report.layout import (
    NOTHING,
    csv_text,
    difference,
    markdown,
    markdown_table,
    number,
    rmse,
)
from glocalk.report.load import Local, load_committed, load_local, name_of
from glocalk.report.published import read_published
from glocalk.report.table1 import PROTOCOL_NOTES

COLUMNS = (
    *("model", "data", "protocol", "here", "committed", "published"),
    *("here_minus_committed", "here_minus_published", "seeds_here", "seeds_committed"),
)

NO_DATA = "no data"

_SHOWN = ("best_test", "validated")


@dataclass(frozen=True)
class _Comparison:
    """A cell under one protocol, from this machine's records and from the committed ones."""

    here: Cell
    committed: Cell
    protocol: str

    @property
    def figures(self) -> tuple[float | None, float | None, float | None]:
        """Here, committed, published."""
        here, committed = self.here.mean(self.protocol), self.committed.mean(self.protocol)
        return here, committed, self.here.published_rmse

    @property
    def differences(self) -> tuple[float | None, float | None]:
        """Here − committed, here − published."""
        here, *others = self.figures
        minus_committed, minus_published = (
            None if here is None or other is None else here - other for other in others
        )
        return minus_committed, minus_published


def write_local_table(runs: Path, committed: Path, out: Path, gaps: Mapping[str, str]) -> None:
    """Write `table1.csv` and `table1.md`: this machine's figures and their differences.

    Args:
        runs: the runs folder, with this machine's records.
        committed: folder of the committed records.
        out: folder to write to.
        gaps: why a data set has no data, by its config name.

    Raises:
        GlocalkError: the committed records do not fit together, or `out` cannot be written to.
    """
    local = load_local(runs)
    comparisons = _compare(local.done, load_committed(committed).done, gaps)
    write_atomically(out / "table1.csv", _csv(comparisons))
    write_atomically(out / "table1.md", _markdown(comparisons, _notes(local, gaps)))


def _compare(
    here: Sequence[Record], committed: Sequence[Record], gaps: Iterable[str]
) -> list[_Comparison]:
    """Every cell with records here, and those that lack only their data."""
    mine, theirs = default_runs(here), default_runs(committed)
    keys = {(record.model, record.data) for record in mine}
    for data in gaps:
        models = {record.model for record in mine} or {
            record.model for record in theirs if record.data == data
        }
        keys |= {(model, data) for model in models}
    published = read_published()
    counterparts = {
        (cell.model, cell.data): cell for cell in table1_cells(theirs, published, also=keys)
    }
    return [
        _Comparison(cell, counterparts[cell.model, cell.data], protocol)
        for cell in table1_cells(mine, published, also=keys)
        if (cell.model, cell.data) in keys
        for protocol in _SHOWN
    ]


def _csv(comparisons: Iterable[_Comparison]) -> str:
    return csv_text(
        COLUMNS,
        (
            [
                row.here.model,
                row.here.data,
                row.protocol,
                number(row.figures[0]) if row.here.runs else NO_DATA,
                number(row.figures[1]),
                number(row.figures[2], 3),
                *map(number, row.differences),
                _seeds(row.here, " "),
                _seeds(row.committed, " "),
            ]
            for row in comparisons
        ),
    )


def _markdown(comparisons: Iterable[_Comparison], notes: Iterable[str]) -> str:
    header = ["Model", "Data", "Protocol", "Here", "Committed", "Published"]
    header += ["Here − committed", "Here − published", "Seeds here", "Seeds committed"]
    rows = (
        [
            row.here.title,
            data_title(row.here.data),
            f"`{row.protocol}`",
            rmse(row.figures[0]) if row.here.runs else NO_DATA,
            rmse(row.figures[1]),
            rmse(row.figures[2], 3),
            *map(difference, row.differences),
            _seeds(row.here, ", ") or NOTHING,
            _seeds(row.committed, ", ") or NOTHING,
        ]
        for row in comparisons
    )
    listed = "".join(f"- {note}\n" for note in notes)
    return f"{markdown_table(header, rows, left=3)}\n{listed}"


def _seeds(cell: Cell, separator: str) -> str:
    return separator.join(map(str, cell.seeds))


def _notes(local: Local, gaps: Mapping[str, str]) -> list[str]:
    return [
        "Test RMSE, mean over seeds. Here: this machine's records; committed: those of "
        "`reports/records`; published: Table 1 of Han et al., CIKM 2021 (arXiv 2108.12184). The "
        "last two columns list the seeds.",
        *(f"`{protocol}`: {PROTOCOL_NOTES[protocol]}" for protocol in _SHOWN),
        *(f"{data_title(data)}, {NO_DATA}: {markdown(reason)}" for data, reason in gaps.items()),
        *(markdown(f"Failed: {name_of(record)}: {_message(record)}") for record in local.failed),
        *(
            markdown(f"Left out, run with an older config: {name_of(record)}.")
            for record in local.outdated
        ),
        *(markdown(f"Left out: {sentence}") for sentence in local.unreadable),
        *_others(len(local.done) - len(default_runs(local.done))),
    ]


def _others(count: int) -> list[str]:
    """A note on the records that no row is made of."""
    what = "1 record" if count == 1 else f"{count:,} records"
    return [
        f"Left out: {what} of other experiments, of models with changed options, or of a share of "
        "the training ratings."
    ] * bool(count)


def _message(record: Record) -> str:
    """Its failure on one line."""
    return one_line(record.failure.message) if record.failure else "no reason recorded."
