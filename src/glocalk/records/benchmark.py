"""The record of a benchmark: one JSON file, which the report renders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from glocalk.errors import GlocalkError
from glocalk.files import write_atomically
from glocalk.records.schema import SCHEMA_VERSION, refuse_other_schema


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Origin(_Part):
    """Machine and code that a part was measured with."""

    commit: str | None  # None outside a checkout
    dirty: bool  # made by uncommitted code
    versions: dict[str, str]
    threads: int
    cpu: str


class Evaluation(_Part):
    """One loss and gradient of a stage on the whole rating matrix, by one formulation."""

    data: str
    stage: str
    formulation: str  # dense_literal, dense_matmul, sparse
    seconds: list[float]  # of each repeat; the formulations alternate
    seconds_kept: list[float]  # the same in a process that keeps freed memory, as a run does
    peak_mb: float  # of a process that made one such evaluation, from random weights
    max_rel_grad_error: float  # against dense_literal in float64
    live_share: float | None  # of the convolved matrix, as measured; None in pre-training


class StageCost(_Part):
    """The seconds of one stage of a whole training, by what they were spent on."""

    stage: str
    epochs: int
    evaluations: int  # of loss and gradient
    seconds: float  # without evaluating the test ratings
    gradient_seconds: float
    optimizer_seconds: float  # the rest of the optimizer's steps


class WholeTraining(_Part):
    """One training on all training ratings, as `glocalk train` makes it."""

    data: str
    stages: list[StageCost]
    evaluation_seconds: float
    peak_mb: float  # of its process


class ScalingPoint(_Part):
    """One stage on planted ratings: an epoch of 5 iterations."""

    stage: str
    ratings: int
    users: int
    items: int
    evaluations: int
    seconds: float  # one loss and gradient, mean over the epoch's
    optimizer_seconds: float  # the rest of the epoch, spread over them
    peak_mb: float  # of its process


class Bench(_Part):
    """Everything measured, each part with its origin."""

    schema_version: Literal[2] = SCHEMA_VERSION
    origins: dict[str, Origin] = {}  # by part: evaluations, trainings, scaling
    evaluations: list[Evaluation] = []
    trainings: list[WholeTraining] = []
    scaling: list[ScalingPoint] = []

    def write(self, path: Path) -> None:
        """Write the record atomically."""
        write_atomically(path, json.dumps(self.model_dump(), indent=1, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Bench:
        """The benchmark at `path`; an empty one if there is no file.

        Raises:
            GlocalkError: the file cannot be read or is incomplete.
        """
        if not path.exists():
            return cls()
        try:
            text = path.read_text()
            refuse_other_schema(path, text)
            return cls.model_validate_json(text)
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise GlocalkError(
                f"'{path}' is not a complete benchmark: remove it and run `make bench`."
            ) from error
