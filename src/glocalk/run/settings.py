"""The settings of a run, checked before anything starts."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import lightning
from pydantic import Field

from glocalk.completers.base import Completer
from glocalk.data.source import Source
from glocalk.errors import GlocalkError
from glocalk.settings import Settings, did_you_mean


class ProtocolSettings(Settings):
    """How test errors are taken."""

    valid_share: float = Field(gt=0, lt=1)
    clip: bool
    training_1: Literal["each_seed", "lowest_seed", "never"]
    lowest_seed: int = Field(ge=0)


class RunSettings(Settings):
    """Everything that the composed config of one run holds."""

    experiment: str = Field(min_length=1)
    variant: str = Field(min_length=1)
    settings_from: Literal["paper", "validation"]
    data_name: str
    model_name: str
    seed: int = Field(ge=0)
    train_share: float = Field(gt=0, le=1)
    data: dict[str, Any]
    model: dict[str, Any]
    trainer: dict[str, Any]
    logger: dict[str, Any]
    protocol: ProtocolSettings
    data_dir: Path
    runs_dir: Path
    force: bool
    checkpoint_seconds: float = Field(ge=0)
    save_model: bool
    progress: bool

    @property
    def threads(self) -> int | None:
        """Number of threads; None for torch's choice, the number of cores."""
        threads: int | None = self.trainer.get("threads")
        return threads

    @property
    def trainer_options(self) -> dict[str, Any]:
        """Options of `lightning.Trainer`."""
        return {key: value for key, value in self.trainer.items() if key != "threads"}

    def check_trainer(self) -> None:
        """Refuse options that the Trainer does not have, and impossible numbers of threads."""
        check_trainer_options(self.trainer_options, "trainer")
        if self.threads is not None and not (isinstance(self.threads, int) and self.threads > 0):
            raise GlocalkError(f"Option 'trainer.threads' must be 1 or more, not {self.threads}.")

    @property
    def identity(self) -> dict[str, Any]:
        """All that can change the result, but the seed: what `config_hash` is taken over."""
        return {
            "experiment": self.experiment,
            "variant": self.variant,
            "settings_from": self.settings_from,
            "train_share": self.train_share,
            "data": {"name": self.data_name, **self.data},
            "model": {"name": self.model_name, **self.model},
            "trainer": self.trainer_options,
            "protocol": self.protocol.model_dump(),
        }


def check_trainer_options(options: Mapping[str, Any], where: str) -> None:
    """Refuse what `lightning.Trainer` has no option for."""
    known = inspect.signature(lightning.Trainer).parameters
    for name in options:
        if name not in known:
            raise GlocalkError(f"Unknown option '{where}.{name}': {did_you_mean(name, known)}")


def build_source(options: Mapping[str, Any]) -> Source:
    """The data source that a `conf/data/*.yaml` names."""
    source: Source = _build(options, "data", Source)
    return source


def build_completer(options: Mapping[str, Any]) -> Completer:
    """The completer that a `conf/model/*.yaml` names."""
    completer: Completer = _build(options, "model", Completer)
    for name, option in options.items():
        if isinstance(option, dict) and "trainer" in option:
            check_trainer_options(option["trainer"], f"model.{name}.trainer")
    return completer


def _build(options: Mapping[str, Any], where: str, kind: type[Source | Completer]) -> Any:
    """An instance of the class at `_target_`, from the other options through its `Config`."""
    rest = dict(options)
    target = rest.pop("_target_", None)
    if not target:
        raise GlocalkError(f"The config group '{where}' names no class: give it a '_target_'.")
    try:
        cls = pkgutil.resolve_name(target)
    except Exception as error:
        raise GlocalkError(
            f"'{where}._target_' names '{target}', which cannot be found."
        ) from error
    if not (isinstance(cls, type) and issubclass(cls, kind)):
        raise GlocalkError(f"'{where}._target_' names '{target}', which is no {kind.__name__}.")
    return cls(cls.Config.check(rest, where))
