"""The predictions of a run, kept so that others can score or combine them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from glocalk.data.rating_matrix import Values
from glocalk.data.ratings import Ratings
from glocalk.data.splits import Split
from glocalk.inference.tables import write_table
from glocalk.records.run import ProtocolResult
from glocalk.training.checkpoints import OtherTrainingError

PREDICTION_FILES = {"last": "predictions.csv", "validated": "predictions_validated.csv"}
"""The file of each protocol."""


_ARRAYS = ("last", "chosen", "last_held_out", "chosen_held_out")


@dataclass
class KeptPredictions:
    """Predictions at the last epoch so far, and at one more: two arrays at most, or twice as many.

    Attributes:
        stage: the last stage, that of the epochs.
        epoch: the epoch that the validation ratings chose; None if none is wanted besides the last.
        last: [test ratings] as evaluated after the last epoch so far.
        chosen: [test ratings] as evaluated after the chosen epoch.
        last_held_out: [validation ratings] likewise, in a selection run.
        chosen_held_out: [validation ratings] likewise, in a selection run.
    """

    stage: str
    epoch: int | None
    last: Values | None = None
    chosen: Values | None = None
    last_held_out: Values | None = None
    chosen_held_out: Values | None = None

    def keep(
        self,
        stage: str,
        epoch: int | None,
        predicted: Values,
        held_out: Values | None = None,
        held_out_rmse: float | None = None,
    ) -> None:
        """Keep what was evaluated after an epoch.

        Args:
            stage: its stage.
            epoch: the epoch.
            predicted: [test ratings].
            held_out: [validation ratings]; None without any.
            held_out_rmse: their error.
        """
        self.last, self.last_held_out = predicted, held_out
        if self._is_chosen(stage, epoch, held_out_rmse):
            self.chosen, self.chosen_held_out = predicted, held_out

    def _is_chosen(self, stage: str, epoch: int | None, held_out_rmse: float | None) -> bool:
        del held_out_rmse
        return epoch is not None and (stage, epoch) == (self.stage, self.epoch)

    def state_dict(self) -> dict[str, Any]:
        """The chosen epoch, and a tensor for each array that there is."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        tensors = {
            name: torch.from_numpy(array) for name, array in arrays.items() if array is not None
        }
        return {"epoch": self.epoch, **tensors}

    def load_state_dict(self, state: Mapping[str, Any] | None, stages: Collection[str]) -> None:
        """Continue from what `state_dict` returned.

        Args:
            state: the state; None for that of a training that kept no predictions.
            stages: the stages of which that training has ended an epoch.

        Raises:
            OtherTrainingError: its last stage has begun, and predictions of it are missing or those
                of another epoch.
        """
        if self.stage not in stages:
            return
        if state is None or state["epoch"] != self.epoch:
            raise OtherTrainingError
        for name in _ARRAYS:
            setattr(self, name, state[name].numpy() if name in state else None)


@dataclass
class KeptSelection(KeptPredictions):
    """Those of a selection run, which chooses the epoch itself: the first of lowest error.

    Attributes:
        lowest: the lowest error so far on the validation ratings, in the last stage.
    """

    lowest: float = math.inf

    def _is_chosen(self, stage: str, epoch: int | None, held_out_rmse: float | None) -> bool:
        del epoch
        if stage != self.stage or held_out_rmse is None or held_out_rmse >= self.lowest:
            return False
        self.lowest = held_out_rmse
        return True

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "lowest": self.lowest}

    def load_state_dict(self, state: Mapping[str, Any] | None, stages: Collection[str]) -> None:
        super().load_state_dict(state, stages)
        if state is not None and self.stage in stages:
            self.lowest = float(state["lowest"])


def write_predictions(
    kept: KeptPredictions, protocols: Mapping[str, ProtocolResult], split: Split, folder: Path
) -> None:
    """Write the predictions of `last` and, where it takes another epoch, those of `validated`.

    The columns are user, item and prediction, as clipped for the evaluation.

    Args:
        kept: the predictions of the final run.
        protocols: its results.
        split: its split.
        folder: folder of the run.

    Raises:
        GlocalkError: a file cannot be written.
    """
    arrays = {"last": kept.last}
    validated = protocols.get("validated")
    if validated is not None and validated.user_errors != protocols["last"].user_errors:
        arrays["validated"] = kept.chosen
    for protocol, name in PREDICTION_FILES.items():
        if protocol in arrays:
            predicted = arrays[protocol]
            assert predicted is not None
            _write(predicted, split, folder / name)
        else:
            (folder / name).unlink(missing_ok=True)


def _write(predicted: Values, split: Split, path: Path) -> None:
    assert split.ids is not None  # a split without ids takes the indices
    pairs = Ratings.of(split.test, split.ids).to_frame()[["user", "item"]]
    write_table([pairs.assign(prediction=predicted)], path, digits=None)
