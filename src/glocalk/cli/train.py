"""`glocalk train model=glocal_k data=ml_100k seed=0`: one run, or with -m a sweep."""

from __future__ import annotations

import logging
import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from pydantic import Field

from glocalk.cli.app import exit_with_sentence, run_app
from glocalk.cli.config_help import run_sections
from glocalk.cli.help import HYDRA_FLAGS, Help
from glocalk.cli.sweep import further_failures, in_this_process
from glocalk.config import BaseConfig
from glocalk.errors import GlocalkError
from glocalk.names import Name
from glocalk.records.run import PROTOCOLS, Record
from glocalk.run.compose import CONFIGS, VERSION_BASE
from glocalk.run.composed import run_config
from glocalk.run.execute import execute
from glocalk.run.trial import held_out_rmse

_log = logging.getLogger(__name__)

_GRID = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"  # asks for no value

_HELP = Help(
    command="train",
    does="train a completer on a data set, take its test errors under every protocol, and write "
    "the record and the model to a folder in runs_dir. A run that is already there is not "
    "repeated; one that was stopped continues from its last checkpoint.",
    usage=["train [name=value ...] [flags]"],
    examples={
        "train model=bias_mf data=ml_100k model.rank=40 seed=0": "one run with another rank",
        "train -m model=bias,bias_mf data=ml_100k seed=0,1,2": "a sweep of six runs",
        "train model._target_=mypackage.MyModel model.shrinkage=5 data=ml_100k": "a user-defined "
        "completer, from the working directory or an installed package",
    },
    flags=HYDRA_FLAGS,
)


class _TrainConfig(BaseConfig):
    """What `train` has beyond the options of its run, as its help describes it."""

    member: Name | None = Field(
        default=None,
        description="of a combination: make the run of this member alone, with the seed",
    )


@hydra.main(version_base=VERSION_BASE, config_path=CONFIGS, config_name="train")
def _app(config: DictConfig) -> float | None:
    if HydraConfig.get().mode == RunMode.RUN:
        with exit_with_sentence():
            return _train(config)
    try:
        return _train(config)
    except GlocalkError as error:
        if in_this_process(HydraConfig.get()):
            print(error, file=sys.stderr)
        raise  # the sweep continues; Hydra reports its first failure at the end


def _train(config: DictConfig) -> float | None:
    """Make the run; returns what a sweeper minimizes, never an error of test ratings."""
    hydra = HydraConfig.get()
    run = run_config(config, hydra)
    record = execute(run)
    _log.info("%s; in '%s'", _summary(record), run.runs_dir / record.folder)
    selection = record.curves.get("selection")
    if selection is not None:
        rows = zip(selection.stage, selection.valid_rmse, strict=True)
        last = [rmse for stage, rmse in rows if stage == selection.stage[-1] and rmse is not None]
        return min(last, default=None)
    if hydra.mode == RunMode.MULTIRUN and hydra.sweeper._target_ != _GRID:
        return held_out_rmse(run)  # a model without epochs makes no selection run
    return None


def _summary(record: Record) -> str:
    """The test RMSE under every protocol, on one line."""
    results = (
        f"{name} {record.protocols[name].rmse:.4f}"
        for name in PROTOCOLS
        if name in record.protocols
    )
    title = f"{record.data} {record.model} seed {record.seed} (variant {record.variant})"
    return f"{title}: test RMSE {', '.join(results)}"


def main() -> None:
    """Entry point; the arguments are in `sys.argv`."""
    try:
        run_app(_app, "train", lambda config: _HELP.text(*run_sections(config, _TrainConfig)))
    except (Exception, SystemExit):
        for failure in further_failures():
            print(failure, file=sys.stderr)
        raise
