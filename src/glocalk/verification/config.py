"""What to verify, and where files are."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from glocalk.config import BaseConfig, Names
from glocalk.names import Seed
from glocalk.records.run import Record


class VerifyConfig(BaseConfig):
    """Which records are trained again, and where files are."""

    records: Path = Field(default=Path("reports/records"), description="folder of the records")
    experiments: Names | None = Field(
        default=None, description="verify the records of these experiments alone"
    )
    models: Names | None = Field(
        default=None, description="verify the records of these models alone"
    )
    data_sets: Names | None = Field(
        default=None, description="verify the records of these data sets alone"
    )
    minutes: float = Field(
        default=10,
        gt=0,
        allow_inf_nan=False,
        description="time that the trainings of the sample took together when they were recorded",
    )
    seed: Seed = Field(default=0, description="seed of the sample")
    jobs: int | None = Field(
        default=None, ge=1, le=1024, description="trainings at once; null: 2, or 1 on a single core"
    )
    data_dir: Path = Field(
        default_factory=lambda: Path(os.environ.get("GLOCALK_DATA_DIR", "data")),
        description="folder with the files of data sets",
    )
    runs_dir: Path = Field(
        default=Path("runs/verify"), description="folder of the trainings and of their results"
    )

    def chooses(self, record: Record) -> bool:
        """Whether the record is one of those that are to be verified."""
        return all(
            wanted is None or name in wanted
            for wanted, name in (
                (self.experiments, record.experiment),
                (self.models, record.model),
                (self.data_sets, record.data),
            )
        )
