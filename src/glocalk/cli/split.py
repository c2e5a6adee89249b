"""`glocalk split data=ml_100k out=FOLDER`: the split of a data set as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from pydantic import Field

from glocalk.cli.app import exit_with_sentence, run_app
from glocalk.cli.config_help import data_section, groups, options
from glocalk.cli.help import HYDRA_FLAGS, Help
from glocalk.config import BaseConfig
from glocalk.data.sources import Source, build_source
from glocalk.names import Seed
from glocalk.run.compose import CONFIGS, VERSION_BASE, as_dict
from glocalk.run.config import ProtocolConfig
from glocalk.scoring.split_folder import FACTS, write_split

_HELP = Help(
    command="split",
    does="write the training, validation and test ratings of a data set for other libraries: those "
    "that a run of this seed uses. A run is selected on `train` and judged on `valid`; its final "
    f"training is on both. {FACTS} beside them says what they are. All is written, or nothing.",
    usage=["split data=NAME out=FOLDER [name=value ...] [flags]"],
    examples={
        "split data=ml_100k out=ml_100k_u1": "train.csv, valid.csv, test.csv and split.json, with "
        "the columns user, item and rating",
        "split data=csv data.path=ratings.csv protocol.cold_start=items out=new "
        "format=parquet": "a cold start on user-supplied ratings",
    },
    flags=HYDRA_FLAGS,
)


class SplitConfig(BaseConfig):
    """Which split, and where its files go."""

    out: Path = Field(description="folder to write: a new one, or an empty one")
    format: Literal["csv", "parquet"] = Field(description="format of the files: csv or parquet")
    seed: Seed = Field(description="seed of the run whose validation ratings are held out")
    data: dict[str, Any]
    protocol: ProtocolConfig
    data_dir: Path = Field(description="folder with the files of data sets")


@hydra.main(version_base=VERSION_BASE, config_path=CONFIGS, config_name="split")
def _app(config: DictConfig) -> None:
    with exit_with_sentence():
        chosen = SplitConfig.check(as_dict(config), "")
        name = HydraConfig.get().runtime.choices["data"]
        source = build_source(chosen.data)
        split = chosen.protocol.divided(source.split(chosen.data_dir))
        for note in split.notes:
            print(note)
        is_new = write_split(
            split,
            chosen.out,
            data=name,
            share=chosen.protocol.valid_share,
            seed=chosen.seed,
            form=chosen.format,
        )
        print(
            f"Made '{chosen.out}' with {len(split.train):,} training and validation ratings and "
            f"{len(split.test):,} test ratings."
            if is_new
            else f"'{chosen.out}' holds this split already."
        )
        print("\n".join(_licenses(source, name)))


def _licenses(source: Source, name: str) -> list[str]:
    """What the license of the data set asks for, as far as it is known."""
    known = dict.fromkeys(files.license for files in source.file_sets() if files.license)
    return [f"License of {name}: {license}. Do not publish the ratings." for license in known]


def _help(config: DictConfig) -> str:
    top = OmegaConf.masked_copy(config, ["out", "format", "seed", "data_dir"])
    return _HELP.text(
        ("Config groups", groups(config, ["data", "protocol"])),
        ("Options", options(top, SplitConfig)),
        data_section(config),
        ("Options of the protocol", options(config.protocol, ProtocolConfig, "protocol.")),
    )


def main() -> None:
    """Entry point; the arguments are in `sys.argv`."""
    run_app(_app, "split", _help)
