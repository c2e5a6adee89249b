"""`glocalk reproduce`: train the plan of an experiment, with its files after every run."""

from __future__ import annotations

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from glocalk.cli.app import exit_with_sentence, run_app
from glocalk.cli.config_help import data_section, groups, options
from glocalk.cli.help import HYDRA_FLAGS, Help
from glocalk.config import find_class
from glocalk.errors import GlocalkError
from glocalk.executors.base import RunExecutor
from glocalk.reproduce.config import ReproduceConfig, reproduce_config
from glocalk.reproduce.job import reproduce
from glocalk.run.compose import CONFIGS, VERSION_BASE, without

_HELP = Help(
    command="reproduce",
    does="train the plan of an experiment, which is a table or figure: by default the rows of the "
    "paper's Table 1, the cheapest first. After every run, this machine's table or figure "
    "is written to runs/report/, beside the published figures. Missing data is downloaded. Runs "
    "that are already there are not repeated.",
    usage=["reproduce [name=value ...] [flags]"],
    examples={
        "reproduce data_sets=[ml_100k] seeds=[0,1,2,3,4]": "one data set, five seeds",
        "reproduce experiment=fig3 seeds=[0,1,2]": "Fig. 3 of the paper",
        "reproduce experiment=cross_validation data=csv data.path=ratings.csv": "folds of "
        "user-supplied ratings",
        "reproduce executor=submitit executor.partition=cpu": "as jobs of a SLURM cluster",
        "reproduce data_sets=[ml_1m] trainer=gpu": "trainings on a GPU, as far as models use it",
        "reproduce models=[my_model] --config-dir conf": "a user-defined completer, which "
        "conf/model/my_model.yaml names",
    },
    flags={name: says for name, says in HYDRA_FLAGS.items() if not name.startswith("-m")},
)
_GROUPS = ("experiment", "executor", "data", "trainer", "logger")


@hydra.main(version_base=VERSION_BASE, config_path=CONFIGS, config_name="reproduce")
def _app(config: DictConfig) -> None:
    with exit_with_sentence():
        reproduce(reproduce_config(config, HydraConfig.get()))


def _help(config: DictConfig) -> str:
    executor = find_class(config.executor.get("_target_"), "executor", RunExecutor)
    name = config.hydra.runtime.choices["executor"]
    return _HELP.text(
        ("Config groups", groups(config, ["experiment", "executor", "trainer", "logger"])),
        ("Names of models and data sets", groups(config, ["model", "data"])),
        ("Options", options(without(config, *_GROUPS, "hydra"), ReproduceConfig)),
        (
            f"Options of executor={name} (of another: --help executor=NAME)",
            options(config.executor, executor.Config, "executor."),
        ),
        *([data_section(config)] if config.get("data") else []),
    )


def main() -> None:
    """Entry point; the arguments are in `sys.argv`."""
    with exit_with_sentence():
        if not {"-m", "--multirun"}.isdisjoint(sys.argv):
            raise GlocalkError(
                "glocalk reproduce makes one plan and takes no -m: start it for each experiment."
            )
    run_app(_app, "reproduce", _help)
