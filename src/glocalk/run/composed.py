"""The config of a run, made from what Hydra composed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from omegaconf import DictConfig, OmegaConf

from glocalk.errors import GlocalkError
from glocalk.run.compose import as_dict, compose, config_dirs_of
from glocalk.run.config import RunConfig
from glocalk.run.member_runs import member_run
from glocalk.run.overrides import as_typed

# Options that do not make another variant of a model: labels with a separate column, and
# what cannot change a result.
_NOT_A_VARIANT = {
    "data",
    "data._target_",
    "model",
    "model._target_",
    "seed",
    "member",
    "train_share",
    "trainer",
    "trainer.threads",
    "logger",
    "experiment",
    "base",
    "plan",
    "searches",
    "variant",
    "settings_from",
    "data_dir",
    "runs_dir",
    "force",
    "checkpoint_seconds",
    "save_model",
    "save_predictions",
    "share_stages",
    "trace",
    "progress",
}


Composing: TypeAlias = Callable[[str, tuple[str, ...], tuple[str | Path, ...]], DictConfig]
"""`compose`, or what remembers its results: name of the config, overrides, folders."""


def compose_run(
    overrides: Sequence[str] = (),
    config_dirs: Iterable[str | Path] = (),
    composing: Composing = compose,
) -> RunConfig:
    """The config of the run that `glocalk train` makes of these overrides.

    Args:
        overrides: as on the command line, `model=bias_mf`.
        config_dirs: folders with more configs, as `--config-dir` names one.
        composing: composes configs.

    Raises:
        GlocalkError: an unknown option or an invalid value.
        HydraException: there is no such config or option.
    """
    config = composing("train", tuple(overrides), tuple(config_dirs))
    return run_config(config, config.hydra, composing=composing)


def run_config(
    config: DictConfig, hydra: Any, without: Iterable[str] = (), composing: Composing = compose
) -> RunConfig:
    """The checked config of a run.

    An experiment may have a `base`, another experiment that has the point from which its options
    start: in Table 2, the kernel of 3×3 of Table 1. There, options that are given the value that
    they have anyway do not name the variant, and a run without others is that of the base.

    Args:
        config: a composed `train` config, or one that has all of its options.
        hydra: Hydra's own options. They say which model, data set and experiment were chosen, and
            what was overridden, from which the variant is named if the config does not name it.
        without: names of options that are not those of a run.
        composing: composes configs.

    Raises:
        GlocalkError: an unknown option or an invalid value.
        HydraException: there is no such base.
    """
    options = as_dict(config)
    choices = hydra.runtime.choices
    _refuse_what_is_not_text(options)
    for group in ("settings", "experiment"):
        if isinstance(options.get(group), dict) and options.pop(group):
            raise GlocalkError(
                f"The file '{group}/{choices[group]}.yaml' would have no effect: begin it with the "
                "line '# @package _global_'."
            )
    if choices.get("experiment"):
        options["experiment"] = choices["experiment"]
    base = options.pop("base", None)
    member = options.pop("member", None)
    for name in (*without, "plan", "searches"):
        options.pop(name, None)
    if not options["variant"]:
        telling = _last_of_each(line for line in hydra.overrides.task if _names_variant(line))
        if base is not None:
            telling = _effective(telling, config, hydra, composing)
            if not telling and options["train_share"] == 1:
                run = _run_of_base(base, hydra, composing)
                # Stages are shared with the other runs of this experiment.
                return run.model_copy(update={"share_stages": options["share_stages"]})
        options["variant"] = ",".join(sorted(map(_named, telling))) or "default"
    names = {"data_name": choices["data"], "model_name": choices["model"]}
    run = RunConfig.check({**options, **names}, "")
    return run if member is None else member_run(run, str(member), run.seed)


def _names_variant(line: str) -> bool:
    """Whether an override belongs to the name of a variant; an address of a tracker does not."""
    return _key(line) not in _NOT_A_VARIANT and not _key(line).startswith("logger.")


def _named(line: str) -> str:
    """An override in the name of a variant, where `++` says no more than `=` does."""
    return as_typed(line).removeprefix("++")


def _key(line: str) -> str:
    """The name of the option that an override changes."""
    return line.split("=")[0].lstrip("+~")


def _last_of_each(lines: Iterable[str]) -> list[str]:
    """The overrides that take effect: of those of one option, the last.

    `+x=1 x=2` is `+x=2`: the option is not there without the first.
    """
    last: dict[str, str] = {}
    for line in lines:
        name, before = _key(line), last.get(_key(line), "")
        adds = re.match(r"\+(?!\+)", before) and line.startswith((name, "++"))
        last[name] = f"+{line.lstrip('+')}" if adds else line
    return list(last.values())


def _effective(
    telling: Sequence[str], config: DictConfig, hydra: Any, composing: Composing
) -> list[str]:
    """The overrides that give an option another value than it has without all of them."""
    if not telling:
        return []
    others = tuple(line for line in hydra.overrides.task if line not in telling)
    plain = composing(hydra.job.config_name, others, tuple(config_dirs_of(hydra)))
    return [
        line
        for line in telling
        if OmegaConf.select(plain, _key(line)) != OmegaConf.select(config, _key(line))
    ]


def _run_of_base(base: str, hydra: Any, composing: Composing) -> RunConfig:
    """The run of the base experiment with the same data, model, seed and places."""
    left_out = {"experiment", "base", "train_share"}
    others = [
        line
        for line in hydra.overrides.task
        if not _names_variant(line) and _key(line) not in left_out
    ]
    overrides = (*others, f"experiment={base}", "base=null")
    config = composing(hydra.job.config_name, overrides, tuple(config_dirs_of(hydra)))
    return run_config(config, config.hydra)


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
