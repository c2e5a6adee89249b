"""The measurements of the benchmark, stored as one JSON file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field

from glocalk.config import reason_of
from glocalk.errors import GlocalkError
from glocalk.files import write_atomically
from glocalk.names import Hexadecimal, Label, Name, Seed
from glocalk.records.json_text import read_json, to_json
from glocalk.records.schema import Count, Part

Stage: TypeAlias = Annotated[str, Field(pattern="^(pretrain|finetune)$")]
Formulation: TypeAlias = Annotated[str, Field(pattern="^(dense_literal|dense_matmul|sparse)$")]
Side: TypeAlias = Annotated[str, Field(pattern="^(items|users)$")]
Component: TypeAlias = Annotated[str, Field(pattern="^(product|allocator)$")]
Implementation: TypeAlias = Annotated[
    str, Field(pattern="^(numba|llvm|scipy|torch|default|thresholds)$")
]
Model: TypeAlias = Annotated[str, Field(pattern="^(glocal_k|gc_mc|igmc)$")]
Cores: TypeAlias = Annotated[str, Field(pattern="^(free|all)$")]
GradientPart: TypeAlias = Annotated[str, Field(pattern="^(all|item_kernels|rest)$")]
Precision: TypeAlias = Annotated[str, Field(pattern="^(single|double)$")]
Amount: TypeAlias = Annotated[float, Field(ge=0, le=1e12)]
Positive: TypeAlias = Annotated[float, Field(gt=0, le=1e12)]
Repeats: TypeAlias = Annotated[list[Positive], Field(min_length=1)]


class Origin(Part):
    """The code and the machine that a part was measured with."""

    commit: Hexadecimal | None  # None outside a checkout
    dirty: bool  # made from an uncommitted tree
    versions: dict[Label, Label]
    threads: Count
    cpu: Label


class Evaluation(Part):
    """One loss and gradient of a stage on the whole rating matrix, by one formulation."""

    data: Name
    stage: Stage
    formulation: Formulation  # dense_literal, dense_matmul, sparse
    seconds: Repeats  # of each repeat; the formulations took turns
    peak_mb: Positive  # of a process that made one such evaluation, from random weights
    max_rel_grad_error: Amount  # against dense_literal in float64
    live_share: Amount | None  # of the convolved matrix, as measured; None in pre-training


class StageCost(Part):
    """How one stage of a whole training spent its time."""

    stage: Stage
    epochs: Count
    evaluations: Count  # of loss and gradient
    seconds: Positive  # without evaluation on the test ratings
    gradient_seconds: Amount
    optimizer_seconds: Amount  # the rest of the optimizer's steps


class WholeTraining(Part):
    """One training on all training ratings, as `glocalk train` makes it."""

    data: Name
    stages: list[StageCost]
    evaluation_seconds: Amount
    peak_mb: Positive  # of its process


class ScalingPoint(Part):
    """One stage on synthetic ratings: an epoch of 5 iterations."""

    stage: Stage
    ratings: Annotated[int, Field(gt=0, lt=2**63)]
    users: Count
    items: Count
    evaluations: Count
    seconds: Positive  # one loss and gradient, mean over the epoch's
    optimizer_seconds: Amount  # the rest of the epoch, spread over them
    peak_mb: Positive  # of its process


class ProductCost(Part):
    """A product of a sparse matrix and a dense one, by one implementation."""

    data: Name
    rows: Side  # of the rating matrix
    width: Count  # columns of the dense matrix
    implementation: Implementation
    seconds: Repeats  # CPU time of each repeat; the implementations took turns
    same_bits: bool  # as the implementation in use


class AlternativeTraining(Part):
    """A short training with one implementation of a component."""

    component: Component
    implementation: Implementation
    data: Name
    model: Model
    options: list[Label]
    seconds: Repeats  # CPU time of each training; the implementations took turns
    peak_mb: Repeats  # of each
    same_bits: bool  # whether the predictions are those of the component's first implementation


class BusyTraining(Part):
    """A short training, alone and beside a program that keeps one core busy."""

    data: Name
    model: Name
    options: list[Label]
    cores: Cores  # that it takes
    seconds: Repeats  # wall-clock time of each training; the two took turns
    busy_seconds: Repeats  # the same beside the busy program


class Line(Part):
    """The loss along −g, or along a part of it."""

    part: GradientPart
    precision: Precision
    slope: float  # at 0: −‖g‖²
    steps: list[Positive]
    changes: list[float]  # of the loss, at each step


class Stall(Part):
    """The loss around the parameters where a training of GLocal-K stands still."""

    data: Name
    seed: Seed
    loss: float
    taps: list[float]  # of the first global kernel, row by row
    lines: list[Line]
    tap: Count  # the one nearest to 0
    tap_values: list[float]  # ascending
    tap_changes: list[float]  # of the loss at each value of that tap, all else fixed
    slope_below: float  # of the loss along the tap, just below 0
    slope_above: float  # just above 0
    cells_above: int  # live cells just above 0 less those just below
    change_of_all: float  # of the loss, by one more epoch
    change_of_rest: float  # the same with the item kernels held


class Bench(Part):
    """All measured parts, each with its origin."""

    origins: dict[str, Origin] = Field(default={})  # by part: the names of the fields below
    evaluations: list[Evaluation] = Field(default=[])
    trainings: list[WholeTraining] = Field(default=[])
    scaling: list[ScalingPoint] = Field(default=[])
    products: list[ProductCost] = Field(default=[])
    alternatives: list[AlternativeTraining] = Field(default=[])
    busy: list[BusyTraining] = Field(default=[])
    stall: list[Stall] = Field(default=[])

    def write(self, path: Path) -> None:
        """Replace the file at `path` in one step."""
        write_atomically(path, to_json(self.model_dump(), indent=1))

    @classmethod
    def read(cls, path: Path) -> Bench:
        """Read the benchmark at `path`; an empty one if there is no file.

        Raises:
            GlocalkError: the file is damaged.
        """
        if not path.exists():
            return cls()
        try:
            bench = cls.model_validate(read_json(path), strict=True)
            for fault in bench.faults():
                raise ValueError(fault)
        except (OSError, ValueError) as error:
            reason = reason_of(error) if isinstance(error, ValueError) else error.strerror
            raise GlocalkError(
                f"'{path}' is damaged ({reason}): remove it and run `make bench`."
            ) from error
        return bench

    def faults(self) -> Iterable[str]:
        """What a report would miss in the measurements."""
        for part, measured in self:
            origin = self.origins.get(part)
            if part != "origins" and measured and not (origin and "torch" in origin.versions):
                yield f"the origin of its {part} is missing"
        cases = Counter((each.data, each.stage, each.formulation) for each in self.evaluations)
        for data, stage, _ in list(cases):
            if any(cases[data, stage, name] != 1 for name in ("dense_literal", "dense_matmul")):
                yield f"the {stage} evaluations on {data} lack a dense form, or have it twice"
        on_all = Counter((each.data, each.model) for each in self.busy if each.cores == "all")
        for each in self.busy:
            if on_all[each.data, each.model] != 1:
                yield f"{each.model} on {each.data} lacks a training on all cores, or has two"
        for training in self.trainings:
            if sorted(cost.stage for cost in training.stages) != ["finetune", "pretrain"]:
                yield f"the training on {training.data} has other stages"
