"""The record of a hyperparameter search: one JSON file, which the report renders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from glocalk.errors import GlocalkError
from glocalk.files import write_atomically
from glocalk.records.schema import SCHEMA_VERSION, refuse_other_schema


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trial(_Part):
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


class Search(_Part):
    """A search over one model's options on the held-out training ratings of one data set."""

    schema_version: Literal[2] = SCHEMA_VERSION
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

    @classmethod
    def read(cls, path: Path) -> Search:
        """The record at `path`.

        Raises:
            GlocalkError: the file cannot be read or is incomplete.
        """
        try:
            text = path.read_text()
            refuse_other_schema(path, text)
            return cls.model_validate_json(text)
        except OSError as error:
            raise GlocalkError(f"The search '{path}' cannot be read: {error.strerror}.") from error
        except (ValidationError, UnicodeDecodeError) as error:
            raise GlocalkError(
                f"'{path}' is not a complete record of a search: remove it and search again."
            ) from error
