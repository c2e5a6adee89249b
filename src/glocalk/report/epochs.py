"""The epochs that each protocol picks."""

from __future__ import annotations

from collections.abc import Sequence

from glocalk.records.run import Record
from glocalk.report.cells import Cell, data_title
from glocalk.report.layout import NOTHING, csv_text, markdown_table, whole
from glocalk.report.parts import Files, Sources
from glocalk.report.statistics.measured import PROTOCOLS

COLUMNS = ("model", "data", "seed", "epochs", *PROTOCOLS, "validated_from_seed")

_LEAD = """# Epochs

The epoch that each protocol takes the RMSE from, one for each seed, in order of seed. Epochs are
those of the last stage, *of* is their number. A seed marked † takes the `validated` epoch from the
lowest seed's selection run. Models without epochs are left out.

"""


def has_epochs(cell: Cell) -> bool:
    """Whether a protocol chooses among epochs."""
    return any(_size(run) > 1 for run in cell.runs)


def epochs_files(sources: Sources) -> Files:
    """`epochs.md` and `epochs.csv`; none without runs with epochs."""
    cells = [cell for cell in sources.cells if has_epochs(cell)]
    if not cells:
        return {}
    return {"epochs.csv": _csv(cells), "epochs.md": _markdown(cells)}


def _size(run: Record) -> int:
    """Number of epochs of the last stage."""
    curves = run.curves.get("final")
    return len(curves.last_epochs) if curves else 0


def _csv(cells: Sequence[Cell]) -> str:
    return csv_text(
        COLUMNS,
        (
            [
                cell.model,
                cell.data,
                str(run.seed),
                str(_size(run)),
                *(whole(_epoch(run, protocol)) for protocol in PROTOCOLS),
                whole(run.validated_epoch_from_seed),
            ]
            for cell in cells
            for run in cell.runs
        ),
    )


def _markdown(cells: Sequence[Cell]) -> str:
    header = ["Model", "Data", "Of", *(f"`{protocol}`" for protocol in PROTOCOLS)]
    rows = (
        [
            cell.title,
            data_title(cell.data),
            str(_size(cell.runs[0])),
            *(_listed(cell, protocol) for protocol in PROTOCOLS),
        ]
        for cell in cells
    )
    return _LEAD + markdown_table(header, rows, left=2)


def _listed(cell: Cell, protocol: str) -> str:
    """The epochs of all seeds; one where all are the same."""
    texts = []
    for run in cell.runs:
        epoch = _epoch(run, protocol)
        lent = protocol == "validated" and run.validated_epoch_from_seed is not None
        texts.append(NOTHING if epoch is None else f"{epoch}{'†' * lent}")
    return texts[0] if len(set(texts)) == 1 else ", ".join(texts)


def _epoch(run: Record, protocol: str) -> int | None:
    result = run.protocols.get(protocol)
    return result.rmse_epoch if result else None
