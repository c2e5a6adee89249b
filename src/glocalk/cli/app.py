"""Command lines on Hydra: one sentence for what a user can mend, exit code not 0."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from glocalk.config import did_you_mean
from glocalk.errors import GlocalkError
from glocalk.run.config import RunConfig

# Options that do not make another variant of a model: labels with a column of their own, and
# what cannot change a result.
_NOT_A_VARIANT = {
    "data",
    "model",
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
    "progress",
}


class StoppedError(BaseException):
    """SIGINT or SIGTERM came; not an `Exception`, so that nothing takes it for a failure."""


def run_app(app: Callable[[], Any]) -> None:
    """Run a `hydra.main` application; a user's error prints one sentence and exits with 1.

    So does a signal to stop, with 128 plus its number. `HYDRA_FULL_ERROR=1` in the environment
    shows an error's whole traceback instead.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    full = os.environ.get("HYDRA_FULL_ERROR", "0") != "0"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves the error to us
    with nullcontext() if full else exit_with_sentence():
        app()


def _stop(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough; the way out is not to be cut short
    raise StoppedError(number)


@contextmanager
def exit_with_sentence() -> Iterator[None]:
    """Print a user's error as one sentence and exit with 1; see `run_app` for signals.

    Inside an application as well as around it, for Hydra adds lines of its own on the way out.
    """
    try:
        yield
    except StoppedError as stopped:
        print("Stopped: the same command goes on from the last checkpoint.", file=sys.stderr)
        sys.exit(128 + stopped.args[0])
    except (GlocalkError, ConfigCompositionException, OverrideParseException) as error:
        print(sentence(error), file=sys.stderr)
        sys.exit(1)


def run_settings(config: DictConfig, without: Iterable[str] = ()) -> RunConfig:
    """The checked settings of the run that Hydra composed `config` for, in its application.

    Args:
        config: the composed config.
        without: names in it that are no run's, but the application's own.
    """
    hydra_config = HydraConfig.get()
    choices = hydra_config.runtime.choices
    overrides = hydra_config.overrides.task
    return settings_of(config, choices["data"], choices["model"], overrides, without)


def settings_of(
    config: DictConfig,
    data: str,
    model: str,
    overrides: Iterable[str],
    without: Iterable[str] = (),
) -> RunConfig:
    """The checked settings that a composed `train` config stands for.

    Args:
        config: the composed config.
        data: config name of its data set.
        model: config name of its model.
        overrides: what was given on the command line; names the variant where the config does not.
        without: names in the config to leave out.
    """
    options = plain(config)
    for name in ("settings", *without):
        options.pop(name, None)
    options["variant"] = options["variant"] or _variant(overrides)
    return RunConfig.check({**options, "data_name": data, "model_name": model}, "")


def plain(config: DictConfig) -> dict[str, Any]:
    """A composed config as plain dicts, lists and values, interpolations resolved."""
    options = OmegaConf.to_container(config, resolve=True)
    assert isinstance(options, dict)
    return {str(name): value for name, value in options.items()}


def _variant(overrides: Iterable[str]) -> str:
    """What the overrides make of the model: their list, or `default` where there are none."""
    names = [(override, override.split("=")[0].lstrip("+~")) for override in overrides]
    telling = sorted(override for override, name in names if name not in _NOT_A_VARIANT)
    return ",".join(telling) or "default"


def sentence(error: Exception) -> str:
    """One sentence for an error of ours, or of Hydra's about the command line."""
    if isinstance(error, GlocalkError):
        return str(error)
    if isinstance(error, OverrideParseException):
        return f"'{error.override}' cannot be read: write name=value."
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return f"Unknown {group} '{name}': {did_you_mean(name, error.options or [])}"
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        parent = cause.parent_node
        known = [str(name) for name in parent] if isinstance(parent, DictConfig) else []
        return f"Unknown option '{cause.full_key}': {did_you_mean(str(cause.key), known)}"
    return " ".join(str(error).split())
