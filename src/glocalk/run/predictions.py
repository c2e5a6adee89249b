"""The test predictions of a final run, kept so that others can score or combine them."""

from __future__ import annotations

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


@dataclass
class KeptPredictions:
    """The test predictions at the last epoch so far, and at one more: two arrays at most.

    Attributes:
        stage: the last stage, that of the epochs.
        epoch: the epoch that the validation ratings chose; None if none is wanted besides the last.
        last: [test ratings] as evaluated after the last epoch so far.
        chosen: [test ratings] as evaluated after the chosen epoch.
    """

    stage: str
    epoch: int | None
    last: Values | None = None
    chosen: Values | None = None

    def keep(self, stage: str, epoch: int | None, predicted: Values) -> None:
        """Keep what was evaluated after an epoch."""
        self.last = predicted
        if epoch is not None and (stage, epoch) == (self.stage, self.epoch):
            self.chosen = predicted

    def state_dict(self) -> dict[str, Any]:
        """The chosen epoch, and a tensor for each array that there is."""
        arrays = {"last": self.last, "chosen": self.chosen}
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
        for name in ("last", "chosen"):
            setattr(self, name, state[name].numpy() if name in state else None)


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
    if validated is not None and validated.rmse_epoch != protocols["last"].rmse_epoch:
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
