"""The measurements of the benchmark, stored as one JSON file."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field, ValidationError

from glocalk.errors import GlocalkError
from glocalk.files import write_atomically
from glocalk.records.schema import Part


class Origin(Part):
    """The code and the machine that a part was measured with."""

    commit: str | None  # None outside a checkout
    dirty: bool  # made from an uncommitted tree
    versions: dict[str, str]
    threads: int
    cpu: str


class Evaluation(Part):
    """One loss and gradient of a stage on the whole rating matrix, by one formulation."""

    data: str
    stage: str
    formulation: str  # dense_literal, dense_matmul, sparse
    seconds: list[float]  # of each repeat; the formulations took turns
    peak_mb: float  # of a process that made one such evaluation, from random weights
    max_rel_grad_error: float  # against dense_literal in float64
    live_share: float | None  # of the convolved matrix, as measured; None in pre-training


class StageCost(Part):
    """How one stage of a whole training spent its time."""

    stage: str
    epochs: int
    evaluations: int  # of loss and gradient
    seconds: float  # without evaluation on the test ratings
    gradient_seconds: float
    optimizer_seconds: float  # the rest of the optimizer's steps


class WholeTraining(Part):
    """One training on all training ratings, as `glocalk train` makes it."""

    data: str
    stages: list[StageCost]
    evaluation_seconds: float
    peak_mb: float  # of its process


class ScalingPoint(Part):
    """One stage on synthetic ratings: an epoch of 5 iterations."""

    stage: str
    ratings: int
    users: int
    items: int
    evaluations: int
    seconds: float  # one loss and gradient, mean over the epoch's
    optimizer_seconds: float  # the rest of the epoch, spread over them
    peak_mb: float  # of its process


class ProductCost(Part):
    """A product of a sparse matrix and a dense one, by one implementation."""

    data: str
    rows: str  # of the rating matrix: items, users
    width: int  # columns of the dense matrix
    implementation: str
    seconds: list[float]  # CPU time of each repeat; the implementations took turns
    same_bits: bool  # as the implementation in use


class AlternativeTraining(Part):
    """A short training with one implementation of a component."""

    component: str  # product, allocator
    implementation: str
    data: str
    model: str
    options: list[str]
    seconds: list[float]  # CPU time of each training; the implementations took turns
    peak_mb: list[float]  # of each
    same_bits: bool  # whether the predictions are those of the component's first implementation


class BusyTraining(Part):
    """A short training on several threads, alone and beside a program that keeps one core busy."""

    data: str
    model: str
    options: list[str]
    waiting: str  # how threads wait for each other: asleep, spinning
    threads: int
    seconds: list[float]  # wall-clock time of each training; the ways of waiting took turns
    busy_seconds: list[float]  # the same beside the busy program


class Bench(Part):
    """All measured parts, each with its origin."""

    origins: dict[str, Origin] = Field(default={})  # by part: the names of the fields below
    evaluations: list[Evaluation] = Field(default=[])
    trainings: list[WholeTraining] = Field(default=[])
    scaling: list[ScalingPoint] = Field(default=[])
    products: list[ProductCost] = Field(default=[])
    alternatives: list[AlternativeTraining] = Field(default=[])
    busy: list[BusyTraining] = Field(default=[])

    def write(self, path: Path) -> None:
        """Replace the file at `path` in one step."""
        write_atomically(path, json.dumps(self.model_dump(), indent=1, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Bench:
        """Read the benchmark at `path`; an empty one if there is no file.

        Raises:
            GlocalkError: the file is damaged.
        """
        if not path.exists():
            return cls()
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise GlocalkError(f"'{path}' is damaged: remove it and run `make bench`.") from error
