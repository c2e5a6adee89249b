"""`glocalk tune model=item_knn data=ml_100k`: search hyperparameters on held-out ratings."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Sequence
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from pydantic import Field

from glocalk.cli.app import exit_with_sentence, run_app
from glocalk.cli.config_help import run_sections
from glocalk.cli.help import HYDRA_FLAGS, Help
from glocalk.config import BaseConfig
from glocalk.errors import GlocalkError
from glocalk.names import Seed
from glocalk.records.search import Budget
from glocalk.run.compose import CONFIGS, VERSION_BASE, as_dict, config_dirs_of
from glocalk.run.composed import run_config
from glocalk.run.overrides import as_typed, assignment
from glocalk.run.search import Storage, describe, search
from glocalk.run.trackers.tracking import trackers_in

_OWN = re.compile(
    r"[+~]*(trials|hours|valid_seed|experiment|search|storage|study_name|logger)([.=]|$)"
)  # options of this command alone

_log = logging.getLogger(__name__)

_HELP = Help(
    command="tune",
    does="search the hyperparameters of a completer on held-out training ratings; the test "
    "ratings are not read. conf/search/<model>.yaml says what is tried, and "
    "conf/search_on/<data>/<model>.yaml what is tried instead on a data set. The trials are in "
    "runs_dir/searches/; a search that was stopped continues after its last trial.",
    usage=["tune [name=value ...] [flags]"],
    examples={
        "tune model=item_knn data=ml_100k trials=20": "20 trials",
        "tune model=glocal_k data=ml_1m trials=20 hours=2": "as many of 20 trials as end in 2 h",
        "tune model=bias_mf data=ml_1m search.rank=[20,40,80]": "other ranks than those that "
        "conf/search/bias_mf.yaml names; +search.NAME=[…] adds an option",
        "tune model=glocal_k data=ml_100k storage=sqlite:///study.db": "one search, "
        "shared by all processes that start this command",
    },
    flags=HYDRA_FLAGS,
)


class TuneConfig(BaseConfig):
    """What a search has beyond the run that it varies."""

    trials: int = Field(ge=1, description="number of trials")
    hours: float | None = Field(
        gt=0,
        allow_inf_nan=False,
        description="time that all trials may take together; a training that reaches it is ended "
        "at its next epoch; null: any",
    )
    valid_seed: Seed | None = Field(
        description="seed of the choice of held-out ratings, which no run should share; without "
        "effect where the split itself chooses them; null: seed"
    )
    storage: str | None = Field(
        default=None,
        description="URL of a database that several processes share the search in, as in "
        "sqlite:///study.db; null: a file in runs_dir, for one process",
    )
    study_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        description="name of the search in the storage; null: one made of data, model, space, "
        "seed and budget",
    )
    search: dict[str, Any] = Field(description="search space: lists, or ranges {low,high,log}")

    @property
    def budget(self) -> Budget:
        """The limits of the search."""
        return Budget(trials=self.trials, hours=self.hours)

    @property
    def shared_storage(self) -> Storage | None:
        """The database that the search is shared in.

        Raises:
            GlocalkError: the study has a name, but no storage.
        """
        if self.storage is None and self.study_name is not None:
            raise GlocalkError("study_name= goes with storage=…, as in storage=sqlite:///study.db.")
        return None if self.storage is None else Storage(self.storage, self.study_name)


def _own_options(config: DictConfig, given: Sequence[str]) -> dict[str, Any]:
    """What a search has beyond a run.

    The budget is that of the experiment, if it has searches: those of one table have one budget.

    Args:
        config: the composed config.
        given: overrides of the command line, which go before the experiment's.
    """
    options = as_dict(config)
    named = {line.lstrip("+").split("=")[0] for line in given}
    budget = options.get("searches") or {}
    return {
        name: budget[name] if name in budget and name not in named else options[name]
        for name in TuneConfig.model_fields
    }


@hydra.main(version_base=VERSION_BASE, config_path=CONFIGS, config_name="tune")
def _app(config: DictConfig) -> None:
    with exit_with_sentence():
        tuning = TuneConfig.check(_own_options(config, HydraConfig.get().overrides.task), "")
        run = run_config(config, HydraConfig.get(), without=TuneConfig.model_fields)
        if tracked := trackers_in(run.logger):
            raise GlocalkError(
                f"The trainings of a search are not tracked: leave logger={tracked[0]} out."
            )
        record = search(run, tuning.search, tuning.budget, tuning.valid_seed, tuning.shared_storage)
        if record.best is not None:
            _log.info("Best: %s", describe(record.best))
            given = [as_typed(line) for line in HydraConfig.get().overrides.task]
            tried = record.best.options.items()
            best = [assignment(f"model.{name}", value) for name, value in tried]
            kept = [line for line in given if not _OWN.match(line)]
            folders = [f"--config-dir={path}" for path in config_dirs_of(HydraConfig.get())]
            _log.info("To train with it: glocalk train %s", shlex.join([*folders, *kept, *best]))
        elif all(trial.state == "failed" for trial in record.trials):
            raise GlocalkError(
                f"No trial of {len(record.trials)} could be trained, for the reasons above: change "
                "the options that they name, then search again with force=true."
            )
        else:
            _log.info("No trial was completed, so that there is none to train with.")


def main() -> None:
    """Entry point; the arguments are in `sys.argv`."""
    run_app(_app, "tune", lambda config: _HELP.text(*run_sections(config, TuneConfig)))
