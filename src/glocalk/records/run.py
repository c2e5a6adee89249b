"""The record: one JSON file per run, the only input of tables and figures.

`glocalk.run` writes records and `glocalk.report` reads them; neither imports the other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from glocalk.files import write_atomically
from glocalk.records.schema import Part, RecordFile

PROTOCOLS = ("best_test", "validated", "held_out", "last", "official")

RunName = Literal["selection", "final"]

Seconds = Annotated[float, Field(ge=0)]


class Curves(Part):
    """Errors after each epoch of one training, as columns of the same length.

    A completer without epochs has one row, its `epoch` None. `valid_*` are None where no
    ratings were held out. `loss` is what the training minimizes, in its own units, as the
    completer reports it.
    """

    stage: list[str]
    epoch: list[int | None]
    loss: list[float | None]
    valid_rmse: list[float | None]
    test_rmse: list[float]
    test_mae: list[float]
    test_ndcg: list[float | None]


class ProtocolResult(Part):
    """Test errors that one protocol reports, each with the epoch of the last stage it is taken at.

    `training` is `selection`, with a part of the training ratings held out, or `final`, on all of
    them. Epochs are None for a completer without epochs. `user_errors` is the key, in
    `Record.user_errors`, of the per-user sums of squared errors behind `rmse`.
    """

    training: RunName
    rmse: float
    mae: float
    ndcg: float | None
    rmse_epoch: int | None
    mae_epoch: int | None
    ndcg_epoch: int | None
    user_errors: str


class Failure(Part):
    """Why a run ended early."""

    message: str
    traceback: str


class Record(RecordFile):
    """Everything about one run; comments describe the attributes.

    Per-user sums allow confidence intervals and paired tests from records alone: the pooled RMSE
    is sqrt(sum(user_errors[key]) / sum(user_counts)).
    """

    kind = "record"
    remedy = "remove it and run its training again"

    status: Literal["done", "failed"]
    failure: Failure | None = None

    # What was run
    experiment: str  # `table1` for the rows of Table 1
    data: str  # config name: ml_100k, ml_1m, douban, synthetic, …
    split: str  # u1, 90:10 seed 1234, monti, …
    train_share: float  # share of the training ratings kept
    model: str  # config name: glocal_k, bias, …
    variant: str  # `default`, or what an ablation varied
    settings_from: Literal["paper", "validation"]
    side_information: bool
    seed: int
    deterministic: bool  # the result does not depend on the seed
    budget: Annotated[float, Field(gt=0, le=1)] = 1.0  # share of the official updates

    # What identifies it
    config: dict[str, Any]  # resolved: everything that can change the result, except the seed
    config_hash: str
    data_checksum: str
    model_version: int
    commit: str | None  # None outside a checkout
    dirty: bool  # made from a dirty working tree

    # Where and at what cost
    versions: dict[str, str]
    threads: int
    device: str
    parameters: int | None  # number of trained parameters; None in a failed record
    seconds: dict[str, Seconds]  # `total`, `selection`, `final`, and parts: `final/evaluation`
    peak_rss_mb: float

    # Results; empty in a failed record
    curves: dict[str, Curves] = Field(default={})  # by RunName
    protocols: dict[str, ProtocolResult] = Field(
        default={}
    )  # by PROTOCOLS; `held_out` needs a selection run
    validated_epoch_from_seed: int | None = None  # where another seed's selection run chose it
    user_counts: list[int] = Field(default=[])  # [users] test ratings of each user
    user_errors: dict[str, list[float]] = Field(default={})  # [users] sums of squared test errors

    def write(self, path: Path) -> None:
        """Write the record atomically: `path` holds the old text or the new, never a part."""
        write_atomically(path, json.dumps(self.model_dump(), allow_nan=False) + "\n")


def read_records(folder: Path) -> list[Record]:
    """Every record below `folder`, in order of path."""
    return [Record.read(path) for path in sorted(folder.glob("**/*.json"))]
