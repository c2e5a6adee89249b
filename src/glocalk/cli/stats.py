"""`glocalk stats data=ml_100k`: describe a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from pydantic import Field

from glocalk.cli.app import exit_with_sentence, run_app
from glocalk.cli.config_help import data_section, groups, options
from glocalk.cli.help import HYDRA_FLAGS, Help
from glocalk.config import BaseConfig
from glocalk.data.sources import build_source
from glocalk.data.statistics import statistics_lines
from glocalk.run.compose import CONFIGS, VERSION_BASE, as_dict

_HELP = Help(
    command="stats",
    does="describe a data set: users, items, ratings, density, the rating scale, "
    "and how its split divides them.",
    usage=["stats [name=value ...] [flags]"],
    examples={
        "stats data=ml_100k": "MovieLens 100K, fold u1",
        "stats data=csv data.path=ratings.csv": "user-supplied ratings",
    },
    flags=HYDRA_FLAGS,
)


class StatsConfig(BaseConfig):
    """Which data set, and the folder with the files of data sets."""

    data: dict[str, Any]
    data_dir: Path = Field(description="folder with the files of data sets")


@hydra.main(version_base=VERSION_BASE, config_path=CONFIGS, config_name="stats")
def _app(config: DictConfig) -> None:
    with exit_with_sentence():
        stats = StatsConfig.check(as_dict(config), "")
        split = build_source(stats.data).split(stats.data_dir)
        print("\n".join(statistics_lines(split, HydraConfig.get().runtime.choices["data"])))


def _help(config: DictConfig) -> str:
    return _HELP.text(
        ("Config groups", groups(config, ["data"])),
        ("Options", options(OmegaConf.masked_copy(config, ["data_dir"]), StatsConfig)),
        data_section(config),
    )


def main() -> None:
    """Entry point; the arguments are in `sys.argv`."""
    run_app(_app, "stats", _help)
