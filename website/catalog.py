"""What is known of each model of `conf/model/`: its class, options, hyperparameters and search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from glocalk.completers import PUBLIC
from glocalk.completers.base import Completer
from glocalk.completers.registry import completer_class
from glocalk.config import BaseConfig
from glocalk.report.cells import DATA_SETS, MONTI_SETS, model_title

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
DATA_TITLES = {**DATA_SETS, **MONTI_SETS}


@dataclass(frozen=True)
class Model:
    """A model of the config group `model`.

    Attributes:
        name: its config name, as in `model=glocal_k`.
    """

    name: str

    @property
    def title(self) -> str:
        """Its name in tables."""
        return model_title(self.name)

    @cached_property
    def _options(self) -> dict[str, Any]:
        return read_yaml(CONF / "model" / f"{self.name}.yaml")

    @cached_property
    def completer(self) -> type[Completer]:
        """Its class."""
        return completer_class(self._options)

    @property
    def python_name(self) -> str:
        """The class as a Python user names it."""
        name = self.completer.__name__
        if PUBLIC.get(name) == self.completer.__module__:
            return f"glocalk.{name}"
        return f"{self.completer.__module__}.{name}"

    @property
    def changed(self) -> dict[str, Any]:
        """The options that the config file sets."""
        return {name: value for name, value in self._options.items() if name != "_target_"}

    @property
    def config(self) -> BaseConfig:
        """All options, as `model=` gives them."""
        return self.completer.Config.check(self.changed, "model")

    @property
    def settings(self) -> dict[str, Path]:
        """The file with the hyperparameters of each data set, by the name of the set."""
        folder = CONF / "settings" / self.name
        return {
            data: folder / f"{data}.yaml"
            for data in DATA_TITLES
            if (folder / f"{data}.yaml").exists()
        }

    def budget(self, data: str) -> float:
        """Share of the official updates that a training on the data set makes."""
        path = self.settings.get(data)
        set_to = (read_yaml(path).get("model") or {}).get("budget") if path else None
        return float(getattr(self.config, "budget", 1.0) if set_to is None else set_to)

    @property
    def search(self) -> Path | None:
        """The file with the search space; None without one."""
        path = CONF / "search" / f"{self.name}.yaml"
        return path if path.exists() else None

    @property
    def searches_on(self) -> dict[str, Path]:
        """Files with what a search tries instead on a data set, by the name of the set."""
        found = sorted((CONF / "search_on").glob(f"*/{self.name}.yaml"))
        return {path.parent.name: path for path in found}


def models() -> list[Model]:
    """Every model, by name."""
    return [Model(path.stem) for path in sorted((CONF / "model").glob("*.yaml"))]


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a file of `conf/`."""
    read: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return read
