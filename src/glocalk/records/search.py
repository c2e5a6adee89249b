"""The record of a hyperparameter search: one JSON file, which the report renders."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from glocalk.names import Hexadecimal, Label, Name, Seed
from glocalk.records.identity import names_in, search_identity
from glocalk.records.schema import Count, Error, Part, RecordFile, Seconds

PLAIN_SEARCH = "tuning"
"""The experiment of a search that belongs to none."""


class Trial(Part):
    """One training of a search."""

    options: dict[str, Any]  # dotted names under `model`, and the values tried
    state: Literal["done", "pruned", "failed", "out_of_time"]
    valid_rmse: Error | None  # lowest over the epochs of the last stage; None if it failed
    epoch: Count | None  # of the last stage; None without epochs
    seconds: Seconds

    @property
    def point(self) -> str:
        """The same for every trial with the same options, and for no other."""
        return point_of(self.options)

    @property
    def tried(self) -> str:
        """The options in words, numbers to four digits: `rank=10 regularization=0.05`."""
        return " ".join(
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self.options.items()
        )


class Budget(Part):
    """What a search may spend.

    A search ends with either limit. A training that reaches `hours` is ended at its next epoch; one
    without epochs is not.
    """

    trials: Annotated[Count, Field(ge=1)]
    hours: Annotated[float, Field(gt=0)] | None = None  # of all trials together; None: any

    def seconds_left(self, trials: Sequence[Trial]) -> float:
        """The time left after these trials; infinite without a limit."""
        limit = math.inf if self.hours is None else 3600 * self.hours
        return limit - sum(trial.seconds for trial in trials)

    def is_spent(self, trials: Sequence[Trial]) -> bool:
        """Whether these trials are all that it allows; one that ran out of time counts as time."""
        return len(ended(trials)) >= self.trials or self.seconds_left(trials) <= 0


def ended(trials: Iterable[Trial]) -> list[Trial]:
    """The trials that did not run out of time."""
    return [trial for trial in trials if trial.state != "out_of_time"]


def point_of(options: Mapping[str, Any]) -> str:
    """Names a point of a space by its options; equal options have equal names."""
    return json.dumps(options, sort_keys=True)


def with_start(space: Mapping[str, Any], start: Mapping[str, Any]) -> dict[str, Any]:
    """The space with the values of the first trial, the present ones, among the choices."""
    return {
        name: [start[name], *choice]
        if isinstance(choice, list) and start[name] not in choice
        else choice
        for name, choice in space.items()
    }


def is_exhausted(space: Mapping[str, Any], tried: Iterable[Mapping[str, Any]]) -> bool:
    """Whether every point of a space has been tried; never with a range of real numbers.

    Args:
        space: dotted names of options and the choices for each, as `Search` has them.
        tried: the options of each trial.
    """
    choices = {name: _values(choice) for name, choice in space.items()}
    finite = {name: values for name, values in choices.items() if values is not None}
    if finite.keys() < choices.keys():
        return False
    points = {
        point_of(options)
        for options in tried
        if all(options.get(name) in values for name, values in finite.items())
    }
    return len(points) >= math.prod(map(len, finite.values()))


def _values(choice: Any) -> Sequence[Any] | None:
    """The different values of one option; None for infinitely many."""
    if isinstance(choice, list):
        return list({json.dumps(value): value for value in choice}.values())
    low, high = choice["low"], choice["high"]
    return range(low, high + 1) if isinstance(low, int) and isinstance(high, int) else None


class Search(RecordFile):
    """A search over one model's options on the held-out training ratings of one data set."""

    kind = "record of a search"
    remedy = "remove it and search again"
    indent = 1

    data: Name
    model: Name
    seed: Seed
    valid_seed: Seed | None = None  # of the choice of held-out ratings; None: `seed`
    budget: Budget | None = None  # None in records made before there was one
    config: dict[str, Any]  # resolved; each trial replaces the options that it tries
    space: dict[str, Any]  # dotted names and the choices for each
    identity: Hexadecimal  # hash of the above, the data and the model's version
    data_checksum: Hexadecimal
    model_version: Count
    commit: Hexadecimal | None  # None outside a checkout
    dirty: bool  # made from a dirty working tree
    versions: dict[Label, Label]
    threads: Count
    trials: list[Trial]  # in order of time

    @model_serializer(mode="wrap")
    def _without_empty_parts(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A search made before there were budgets is written as it was."""
        content: dict[str, Any] = serialize(self)
        for name in ("valid_seed", "budget"):
            if content.get(name) is None:
                content.pop(name, None)
        return content

    @property
    def experiment(self) -> str:
        """The experiment that it belongs to, or `PLAIN_SEARCH`."""
        return str(self.config.get("experiment", PLAIN_SEARCH))

    @property
    def seconds(self) -> float:
        """The time that its trials took."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def is_exhausted(self) -> bool:
        """Whether no point of its space is left to try."""
        tried = [trial.options for trial in ended(self.trials)]
        return bool(tried) and is_exhausted(with_start(self.space, tried[0]), tried)

    def has_spent(self, budget: Budget) -> bool:
        """Whether there is nothing left to try within a budget."""
        return budget.is_spent(self.trials) or self.is_exhausted

    @property
    def best(self) -> Trial | None:
        """The completed trial with the lowest validation error; the earliest on ties."""
        done = [(t.valid_rmse, n) for n, t in enumerate(self.trials) if t.state == "done"]
        return self.trials[min(done)[1]] if done else None

    def faults(self) -> Iterable[str]:
        """What contradicts itself in the record."""
        if self.identity != search_identity(
            self.config,
            self.space,
            self.seed,
            self.data_checksum,
            self.model_version,
            self.valid_seed,
        ):
            yield "its identity is not that of its config, space, seed and data"
        if names_in(self.config) != (self.data, self.model):
            yield "its config is that of another data set or model"
        for number, trial in enumerate(self.trials, start=1):
            if trial.options.keys() != self.space.keys():
                yield f"trial {number} tries other options than its space has"
            if trial.state == "done" and trial.valid_rmse is None:
                yield f"trial {number} is done without an error"
