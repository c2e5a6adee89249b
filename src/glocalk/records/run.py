"""The record: one JSON file per run, the only input of tables and figures.

`glocalk.run` writes records and `glocalk.report` reads them; neither imports the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from glocalk.names import Hexadecimal, Label, Name, Seed
from glocalk.records.identity import config_hash, data_key, names_in, run_folder, run_key
from glocalk.records.schema import LARGEST_ERROR, Count, Error, Part, RecordFile, Seconds

PROTOCOLS = ("best_test", "validated", "held_out", "last", "official")

RunName = Literal["selection", "final"]


class Curves(Part):
    """Errors after each epoch of one training, as columns of the same length.

    A completer without epochs has one row, its `epoch` None. `valid_*` are None where no
    ratings were held out. `loss` is what the training minimizes, in its own units, as the
    completer reports it.
    """

    stage: list[Label]
    epoch: list[Count | None]
    loss: list[float | None]
    valid_rmse: list[Error | None]
    test_rmse: list[Error]
    test_mae: list[Error]
    test_ndcg: list[float | None]

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if len({len(column) for _, column in self}) != 1:
            raise ValueError("its columns differ in length")
        return self

    @property
    def last_epochs(self) -> list[int | None]:
        """The epochs of the last stage."""
        return self.epoch[self.stage.index(self.stage[-1]) :] if self.stage else []


class ProtocolResult(Part):
    """Test errors that one protocol reports, each with the epoch of the last stage it is taken at.

    `training` is `selection`, with a part of the training ratings held out, or `final`, on all of
    them. Epochs are None for a completer without epochs. `user_errors` is the key, in
    `Record.user_errors`, of the per-user sums of squared errors behind `rmse`.
    """

    training: RunName
    rmse: Error
    mae: Error
    ndcg: float | None
    rmse_epoch: Count | None
    mae_epoch: Count | None
    ndcg_epoch: Count | None
    user_errors: str


class Trace(Part):
    """What a training tells of itself at one moment.

    `epoch` is 0 before the first epoch of the stage. `numbers` are lists by name; the completer
    says what they mean.
    """

    stage: Label
    epoch: Count
    numbers: dict[Label, list[float]]


class Uncertainty(Part):
    """How good the predictive distributions of the test ratings are, as means over ratings.

    They are those of the final run after its last epoch, not clipped. `nll` is the negative log
    probability of the rating's level in nats, and `crps` the continuous ranked probability score on
    the levels, in rating units; `density_nll` and `density_crps` are those of normal distributions
    as they are. `coverage` and `width` are those of the central 50, 80 and 95 % intervals, by
    percentage. See `glocalk.metrics.distribution`.
    """

    nll: Error
    crps: Error
    density_nll: float | None = None
    density_crps: Error | None = None
    mean_std: Error
    coverage: dict[Label, Annotated[float, Field(ge=0, le=1)]]
    width: dict[Label, Error]

    @property
    def largest(self) -> float:
        """The largest of all figures in magnitude."""
        of_density = abs(self.density_nll or 0), self.density_crps or 0
        return max(self.nll, self.crps, *of_density, self.mean_std, *self.width.values())


class Member(Part):
    """A training that a combination takes predictions from.

    `weights` are by protocol; those of an ensemble are equal. `seconds` are those of its run.
    """

    model: Name
    seed: Seed
    weights: dict[str, float]
    seconds: Seconds


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
    experiment: Name  # `table1` for the rows of Table 1
    data: Name  # config name: ml_100k, ml_1m, douban, synthetic, …
    split: Label | Literal[""]  # u1, 90:10 seed 1234, monti, …
    train_share: Annotated[float, Field(gt=0, le=1)]  # share of the training ratings kept
    model: Name  # config name: glocal_k, bias, …
    variant: Label  # `default`, or what an ablation varied
    settings_from: Literal["paper", "validation"]
    side_information: bool
    seed: Seed
    deterministic: bool  # the result does not depend on the seed
    budget: Annotated[float, Field(gt=0, le=1)] = 1.0  # share of the official updates

    members: list[Member] = Field(default=[])  # of a combination
    intercepts: dict[str, float] = Field(default={})  # of a combination by ridge, by protocol

    # What identifies it
    config: dict[str, Any]  # resolved: everything that can change the result, except the seed
    config_hash: Hexadecimal
    data_checksum: Hexadecimal  # of the ratings; empty where they could not be read
    side_checksum: Hexadecimal = ""  # of what the completer needs beside them; empty without needs
    model_version: Count
    commit: Hexadecimal | None  # None outside a checkout
    dirty: bool  # made from a dirty working tree

    # Where and at what cost
    versions: dict[Label, Label]
    threads: Count
    device: Label
    cpu: Label | Literal[""] = ""  # the processor's name; empty in older records
    parameters: Count | None  # number of trained parameters; None in a failed record
    # `total`, `selection`, `final`, and parts: `final/evaluation`; `members` of a combination
    seconds: dict[str, Seconds]
    peak_rss_mb: Annotated[float, Field(ge=0)]

    # Results; empty in a failed record
    curves: dict[str, Curves] = Field(default={})  # by RunName
    traces: list[Trace] = Field(default=[])  # of the final run, if trace=true asked for them
    protocols: dict[str, ProtocolResult] = Field(
        default={}
    )  # by PROTOCOLS; `held_out` needs a selection run
    uncertainty: Uncertainty | None = None  # of completers that give a distribution
    validated_epoch_from_seed: Seed | None = None  # where another seed's selection run chose it
    user_counts: list[Count] = Field(default=[])  # [users] test ratings of each user
    user_errors: dict[str, list[Error]] = Field(default={})  # [users] sums of squared test errors

    @model_serializer(mode="wrap")
    def _without_empty_parts(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A record that lacks a part is written as before there was such a part."""
        content: dict[str, Any] = serialize(self)
        for name in ("traces", "side_checksum", "uncertainty", "members", "intercepts", "cpu"):
            if not getattr(self, name):
                content.pop(name, None)
        return content

    @property
    def folder(self) -> str:
        """Name of the folder of the run."""
        data = data_key(self.data_checksum, self.side_checksum)
        key = run_key(self.config_hash, data or None, self.model_version)
        return run_folder(self.data, self.model, key, self.seed)

    @property
    def epochs(self) -> list[tuple[str, int | None]]:
        """Stage and epoch of each row of the final run's curves; empty without curves."""
        curves = self.curves.get("final")
        return list(zip(curves.stage, curves.epoch, strict=True)) if curves else []

    def faults(self) -> Iterable[str]:
        """What contradicts itself in the record."""
        if self.config_hash != config_hash(self.config):
            yield "its config_hash is not that of its config"
        if names_in(self.config) != (self.data, self.model):
            yield "its config is that of another data set or model"
        for name in ("experiment", "variant", "settings_from", "train_share"):
            if self.config.get(name, getattr(self, name)) != getattr(self, name):
                yield f"its {name} is not that of its config"
        if (self.status == "failed") != (self.failure is not None):
            yield "its status does not fit its failure"
        if not {trace.stage for trace in self.traces} <= {stage for stage, _ in self.epochs}:
            yield "its traces are of another stage than its curves"
        if self.uncertainty is not None and self.uncertainty.largest > LARGEST_ERROR:
            yield "the scores of its distributions are too large to be true"
        if not self.protocols.keys() <= set(PROTOCOLS):
            yield "it has a result under an unknown protocol"
        for member in self.members:
            if not member.weights.keys() <= self.protocols.keys():
                yield f"its member {member.model} has a weight under an unknown protocol"
        for name, result in self.protocols.items():
            for fault in self._faults_of(result):
                yield f"{fault} under the protocol {name}"

    def _faults_of(self, result: ProtocolResult) -> Iterator[str]:
        errors, ratings = self.user_errors.get(result.user_errors, []), sum(self.user_counts)
        if not ratings or len(errors) != len(self.user_counts):
            yield "it lacks the errors or the counts of its users"
        elif max(result.rmse, result.mae) > LARGEST_ERROR:
            yield "its errors are too large to be true"
        # Each user's sum is rounded to six decimals.
        elif not math.isclose(
            result.rmse**2 * ratings, sum(errors), rel_tol=1e-6, abs_tol=1e-6 * len(errors)
        ):
            yield "its RMSE is not that of the errors of its users"
        if result.ndcg is not None and not 0 <= result.ndcg <= 1 + 1e-9:
            yield "its NDCG is not between 0 and 1"
        curves = self.curves.get(result.training)
        epochs = {result.rmse_epoch, result.mae_epoch}
        if result.ndcg is not None:
            epochs.add(result.ndcg_epoch)
        if curves is not None and not epochs <= set(curves.last_epochs):
            yield "its epoch is not one of the last stage"


def read_records(folder: Path) -> list[Record]:
    """Every record below `folder`, in order of path."""
    return [Record.read(path) for path in sorted(folder.glob("**/*.json"))]
