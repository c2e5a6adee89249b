"""`glocalk reproduce`: train the plan cheapest first, with a table after every run."""

from __future__ import annotations

import hydra
from omegaconf import DictConfig

from glocalk.cli.app import exit_with_sentence, own_config_dirs, run_app
from glocalk.cli.config_help import groups, options
from glocalk.cli.help import HYDRA_FLAGS, Help
from glocalk.config import find_class
from glocalk.executors.base import RunExecutor
from glocalk.reproduce.config import ReproduceConfig
from glocalk.reproduce.job import reproduce
from glocalk.run.compose import CONFIGS, VERSION_BASE, as_dict, without

_HELP = Help(
    command="reproduce",
    does="train the rows of the paper's table, the cheapest first, and write this machine's "
    "table beside the committed and the published figures to runs/report/table1.md. Missing data "
    "is downloaded. Runs that are already there are not repeated.",
    usage=["reproduce [name=value ...] [flags]"],
    examples={
        "reproduce data_sets=[ml_100k] seeds=[0,1,2,3,4]": "one data set, five seeds",
        "reproduce executor=submitit executor.partition=cpu": "as jobs of a SLURM cluster",
        "reproduce models=[my_model] --config-dir conf": "a user-defined completer, which "
        "conf/model/my_model.yaml names",
    },
    flags={name: says for name, says in HYDRA_FLAGS.items() if not name.startswith("-m")},
)


@hydra.main(version_base=VERSION_BASE, config_path=CONFIGS, config_name="reproduce")
def _app(config: DictConfig) -> None:
    with exit_with_sentence():
        reproduce(ReproduceConfig.check({**as_dict(config), "config_dirs": own_config_dirs()}, ""))


def _help(config: DictConfig) -> str:
    executor = find_class(config.executor.get("_target_"), "executor", RunExecutor)
    name = config.hydra.runtime.choices["executor"]
    return _HELP.text(
        ("Names of models, data sets and executors", groups(config, ["model", "data", "executor"])),
        ("Options", options(without(config, "hydra", "executor"), ReproduceConfig)),
        (
            f"Options of executor={name} (of another: --help executor=NAME)",
            options(config.executor, executor.Config, "executor."),
        ),
    )


def main() -> None:
    """Entry point; the arguments are in `sys.argv`."""
    run_app(_app, "reproduce", _help)
