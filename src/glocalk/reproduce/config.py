"""What to reproduce, and where files are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from glocalk.config import BaseConfig
from glocalk.executors.base import check_executor
from glocalk.names import Name, Seed


class Rows(BaseConfig):
    """Models grouped by their place in the paper's table."""

    paper: list[Name] = Field(description="models of the paper's table")
    classics: list[Name] = Field(description="models that the paper leaves out")


class ReproduceConfig(BaseConfig):
    """What to reproduce, and where files are."""

    data_sets: list[Name] = Field(min_length=1, description="data sets by config name")
    scope: Literal["paper", "all", "full"] = Field(
        description="paper: the rows of the paper's table; all: the classics too; full: also "
        "those that are heavy"
    )
    models: Annotated[list[Name], Field(min_length=1)] | None = Field(
        description="models by config name, heavy or not, in place of those of the scope"
    )
    rows: Rows
    heavy: dict[str, list[str]] = Field(
        description="data sets on which a model is trained with scope=full only"
    )
    seeds: list[Seed] = Field(min_length=1, description="seeds of each row")
    strict: bool = Field(description="fail if a data set is missing, instead of leaving a gap")
    force: bool = Field(description="train again even if a record exists")
    executor: dict[str, Any] = Field(
        default={"_target_": "glocalk.executors.local.LocalExecutor"},
        description="where runs are made",
    )
    data_dir: Path = Field(description="folder with the files of data sets")
    runs_dir: Path = Field(description="folder of the runs")
    reports_dir: Path = Field(
        description="its committed records give expected times and figures to compare with"
    )
    config_dirs: tuple[Path, ...] = Field(
        default=(), description="folders with more configs, from --config-dir"
    )

    @field_validator("executor")
    @classmethod
    def _is_known(cls, executor: dict[str, Any]) -> dict[str, Any]:
        check_executor(executor)
        return executor

    def models_on(self, data: str) -> list[str]:
        """The models to train on a data set."""
        if self.models is not None:
            return self.models
        models = self.rows.paper + (self.rows.classics if self.scope != "paper" else [])
        return [
            model
            for model in models
            if self.scope == "full" or data not in self.heavy.get(model, ())
        ]
