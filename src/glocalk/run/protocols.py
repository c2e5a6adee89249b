"""The protocols: which training and which epoch a reported test error is taken from.

`docs/protocols.md` explains each; the epochs are those of the last stage.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from glocalk.completers.base import OfficialRule
from glocalk.records.run import Curves, ProtocolResult, RunName
from glocalk.run.monitor import Monitor

_SETTLED = 0.001  # change of the validation RMSE


@dataclass(frozen=True)
class FinishedTraining:
    """What the protocols need of one finished training.

    Attributes:
        name: `selection`, with a part of the training ratings held out, or `final`, on all of
            them.
        monitor: its curves and per-user errors.
    """

    name: RunName
    monitor: Monitor

    @property
    def curves(self) -> Curves:
        return self.monitor.curves

    @property
    def has_epochs(self) -> bool:
        """Whether there are epochs to choose from."""
        return self.curves.epoch[-1] is not None

    @property
    def last_stage(self) -> range:
        """Rows of the curves that belong to the last stage."""
        stages = self.curves.stage
        return range(stages.index(stages[-1]), len(stages))

    def at(self, rmse_row: int, mae_row: int, ndcg_row: int) -> ProtocolResult:
        """The result with each metric taken at its own row."""
        curves = self.curves
        return ProtocolResult(
            training=self.name,
            rmse=curves.test_rmse[rmse_row],
            mae=curves.test_mae[mae_row],
            ndcg=curves.test_ndcg[ndcg_row],
            rmse_epoch=curves.epoch[rmse_row],
            mae_epoch=curves.epoch[mae_row],
            ndcg_epoch=None if curves.test_ndcg[ndcg_row] is None else curves.epoch[ndcg_row],
            user_errors=self.errors_key(rmse_row),
        )

    def errors_key(self, row: int) -> str:
        """Name of a row's per-user errors in the record."""
        stage, epoch = self.curves.stage[row], self.curves.epoch[row]
        return f"{self.name}/{stage}" + ("" if epoch is None else f"/{epoch}")

    def row_of(self, epoch: int | None) -> int:
        """The last stage's row of an epoch."""
        return self.last_stage[self.curves.epoch[self.last_stage.start :].index(epoch)]


def best_test(training: FinishedTraining) -> ProtocolResult:
    """The lowest test error, the highest NDCG, each at its own (earliest) epoch."""
    curves, rows = training.curves, training.last_stage

    def first_lowest(column: list[float]) -> int:
        return rows[int(np.argmin(column[rows.start :]))]

    gains = [-gain if gain is not None else 0.0 for gain in curves.test_ndcg]
    return training.at(
        first_lowest(curves.test_rmse), first_lowest(curves.test_mae), first_lowest(gains)
    )


def validated_epoch(selection: FinishedTraining) -> int | None:
    """The (earliest) epoch of lowest validation RMSE."""
    rows = selection.last_stage
    column = selection.curves.valid_rmse[rows.start :]
    row = rows[int(np.argmin([np.inf if rmse is None else rmse for rmse in column]))]
    return selection.curves.epoch[row]


def settled_epoch(selection: FinishedTraining) -> int | None:
    """The first epoch whose validation RMSE differs by at most .001 from that of the epoch before.

    The last epoch if there is none. PREA (`jnhwkim/PREA`) ends the training of LLORMA there.
    """
    rows = selection.last_stage
    column = selection.curves.valid_rmse
    for before, row in itertools.pairwise(rows):
        last, rmse = column[before], column[row]
        if last is not None and rmse is not None and abs(last - rmse) <= _SETTLED:
            return selection.curves.epoch[row]
    return selection.curves.epoch[rows[-1]]


def take_results(
    selection: FinishedTraining | None,
    final: FinishedTraining,
    chosen_epoch: int | None,
    official: OfficialRule,
    settled: int | None = None,
) -> dict[str, ProtocolResult]:
    """The result under every protocol.

    Args:
        selection: the selection run; None if it was not made, which leaves out `held_out`.
        final: the final run, on all training ratings.
        chosen_epoch: the epoch that validation chose; None for a completer without epochs, or if
            none was chosen, which leaves out `validated`.
        official: the rule of the model's own code.
        settled: the epoch of the rule `settled`; needed for no other.
    """
    last = final.last_stage[-1]
    results = {"best_test": best_test(final), "last": final.at(last, last, last)}
    if chosen_epoch is not None or not final.has_epochs:
        row = final.row_of(chosen_epoch)
        results["validated"] = final.at(row, row, row)
    if selection is not None:
        row = selection.row_of(chosen_epoch)
        results["held_out"] = selection.at(row, row, row)
    if official == "settled":
        row = final.row_of(settled)
        results["official"] = final.at(row, row, row)
    else:
        results["official"] = results[official]
    return results
