"""`glocalk stats data=ml_100k`: what a data set looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from glocalk.cli.app import exit_with_sentence, plain, run_app
from glocalk.config import BaseConfig
from glocalk.data.sources import build_source
from glocalk.data.statistics import statistics_lines


class StatsConfig(BaseConfig):
    """Which data set, and where the files of data sets lie."""

    data: dict[str, Any]
    data_dir: Path


@hydra.main(version_base="1.3", config_path="pkg://glocalk.conf", config_name="stats")
def _app(config: DictConfig) -> None:
    with exit_with_sentence():
        settings = StatsConfig.check(plain(config), "")
        split = build_source(settings.data).split(settings.data_dir)
        print("\n".join(statistics_lines(split, HydraConfig.get().runtime.choices["data"])))


def main() -> None:
    """Entry point."""
    run_app(_app)


if __name__ == "__main__":
    main()
