"""The record of a hyperparameter search: one JSON file, which the report renders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from glocalk.files import write_atomically
from glocalk.records.schema import Part, RecordFile


class Trial(Part):
    """One training of a search."""

    options: dict[str, Any]  # dotted names under `model`, and the values tried
    state: Literal["done", "pruned", "failed"]
    valid_rmse: float | None  # lowest over the epochs of the last stage; None if it failed
    epoch: int | None  # of the last stage; None without epochs
    seconds: float

    @property
    def tried(self) -> str:
        """The options in words: `rank=10 regularization=0.05`."""
        return " ".join(
            f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self.options.items()
        )


class Search(RecordFile):
    """A search over one model's options on the held-out training ratings of one data set."""

    kind = "record of a search"
    remedy = "remove it and search again"

    data: str
    model: str
    seed: int
    config: dict[str, Any]  # resolved; each trial replaces the options that it tries
    space: dict[str, Any]  # dotted names and the choices for each
    identity: str  # hash of the above, the data and the model's version
    data_checksum: str
    model_version: int
    commit: str | None  # None outside a checkout
    dirty: bool  # made from a dirty working tree
    versions: dict[str, str]
    threads: int
    trials: list[Trial]  # in order of time

    @property
    def best(self) -> Trial | None:
        """The completed trial with the lowest validation error; the earliest on ties."""
        done = [(t.valid_rmse, n) for n, t in enumerate(self.trials) if t.state == "done"]
        return self.trials[min(done)[1]] if done else None

    def write(self, path: Path) -> None:
        """Write the record atomically."""
        write_atomically(path, self.model_dump_json(indent=1) + "\n")
