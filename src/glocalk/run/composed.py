"""The config of a run, made from what Hydra composed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from glocalk.errors import GlocalkError
from glocalk.run.compose import as_dict, compose
from glocalk.run.config import RunConfig
from glocalk.run.overrides import as_typed

# Options that do not make another variant of a model: labels with a separate column, and
# what cannot change a result.
_NOT_A_VARIANT = {
    "data",
    "data._target_",
    "model",
    "model._target_",
    "seed",
    "train_share",
    "settings",
    "trainer",
    "trainer.threads",
    "logger",
    "experiment",
    "variant",
    "settings_from",
    "data_dir",
    "runs_dir",
    "force",
    "checkpoint_seconds",
    "save_model",
    "trace",
    "progress",
}


def compose_run(overrides: Sequence[str] = (), config_dirs: Iterable[str | Path] = ()) -> RunConfig:
    """The config of the run that `glocalk train` makes of these overrides.

    Args:
        overrides: as on the command line, `model=bias_mf`.
        config_dirs: folders with more configs, as `--config-dir` names one.

    Raises:
        GlocalkError: an unknown option or an invalid value.
        HydraException: there is no such config or option.
    """
    config = compose("train", overrides, config_dirs)
    return run_config(config, config.hydra)


def run_config(config: DictConfig, hydra: Any, without: Iterable[str] = ()) -> RunConfig:
    """The checked config of a run.

    Args:
        config: a composed `train` config, or one that has all of its options.
        hydra: Hydra's own options. They say which model and data set were chosen, and what was
            overridden, from which the variant is named if the config does not name it.
        without: names of options that are not those of a run.

    Raises:
        GlocalkError: an unknown option or an invalid value.
    """
    options = as_dict(config)
    _refuse_what_is_not_text(options)
    if options.pop("settings", None):
        raise GlocalkError(
            f"The file 'settings/{hydra.runtime.choices['settings']}.yaml' would have no effect: "
            "begin it with the line '# @package _global_'."
        )
    for name in without:
        options.pop(name, None)
    options["variant"] = options["variant"] or _variant(hydra.overrides.task)
    choices = hydra.runtime.choices
    names = {"data_name": choices["data"], "model_name": choices["model"]}
    return RunConfig.check({**options, **names}, "")


def _variant(overrides: Iterable[str]) -> str:
    """What the overrides make of the model: their list, or `default` where there are none."""
    names = [(line, line.split("=")[0].lstrip("+~")) for line in overrides]
    telling = sorted(as_typed(line) for line, name in names if name not in _NOT_A_VARIANT)
    return ",".join(telling) or "default"


def _refuse_what_is_not_text(options: Mapping[str, Any], where: str = "") -> None:
    """Refuse names of files in another encoding than the locale's: a record cannot hold them."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            _refuse_what_is_not_text(value, f"{where}{name}.")
        elif isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise GlocalkError(
                f"Option '{where}{name}' cannot be '{value}', which is not text in the encoding of "
                "this terminal: rename the file, or set PYTHONUTF8=1 in the environment."
            )
