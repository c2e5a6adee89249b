"""The members of a combination in a composed config: from config names to the options of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hydra.core.object_type import ObjectType
from omegaconf import DictConfig, ListConfig, OmegaConf

from glocalk.config import did_you_mean
from glocalk.errors import GlocalkError

_WHERE = "model.members"


def with_options(
    members: Any, data: str | None, repo: Any, shown: Callable[[str], Mapping[str, Any]]
) -> DictConfig:
    """The members by name, each with every option.

    A member with the name and the class of a `conf/model/*.yaml` has what that file says, the
    hyperparameters in `settings/` for the data set, and over these what is said of the member
    itself. A member of another class has that class's defaults.

    Args:
        members: config names in a list, or options by name.
        data: config name of the data set, whose hyperparameters are taken; None takes none.
        repo: where Hydra finds configs.
        shown: all options of a class that a `_target_` names, at their defaults.

    Raises:
        GlocalkError: a name is not that of a config, two members have the same, or there is none.
    """
    given = OmegaConf.to_container(members) if OmegaConf.is_config(members) else members
    if isinstance(given, list):
        given = _by_name(given)
    if not isinstance(given, dict):
        raise GlocalkError(f"Option '{_WHERE}' is a list of models, as in [bias,item_knn].")
    if not given:
        raise GlocalkError(f"Option '{_WHERE}' is empty: name a model, as in [bias,item_knn].")
    made = OmegaConf.create({})
    for name, options in given.items():
        made[name] = _filled(str(name), options or {}, data, repo, shown)
    return made


def _by_name(names: list[Any]) -> dict[str, dict[str, Any]]:
    for name in names:
        if not isinstance(name, str):
            raise GlocalkError(
                f"Option '{_WHERE}' names models, as in [bias,item_knn], and {name!r} is no name."
            )
        if names.count(name) > 1:
            raise GlocalkError(f"Option '{_WHERE}' names '{name}' twice: name each member once.")
    return {name: {} for name in names}


def _filled(
    name: str,
    options: Any,
    data: str | None,
    repo: Any,
    shown: Callable[[str], Mapping[str, Any]],
) -> Any:
    if not isinstance(options, dict):
        raise GlocalkError(
            f"Option '{_WHERE}.{name}' is a mapping of the member's options, not {options!r}."
        )
    target = options.get("_target_")
    file = repo.load_config(f"model/{name}")
    if file is None and target is None:
        known = repo.get_group_options("model", ObjectType.CONFIG)
        raise GlocalkError(f"Unknown model '{name}' in '{_WHERE}': {did_you_mean(name, known)}")
    if file is None or target not in (None, file.config.get("_target_")):
        return OmegaConf.merge(dict(shown(str(target))), options)
    from glocalk.completers.combined.config import SETTINGS_FROM  # imports torch

    target = file.config.get("_target_")
    found = repo.load_config(f"settings/{name}/{data}") if data else None
    settings = OmegaConf.create({}) if found is None else found.config
    label = {SETTINGS_FROM: settings.get("settings_from") or "paper"}
    return OmegaConf.merge(
        label, dict(shown(target)), file.config, settings.get("model") or {}, options
    )


def has_members(options: Any) -> bool:
    """Whether the options of a model have members."""
    members = options.get("members") if isinstance(options, Mapping | DictConfig) else None
    return isinstance(members, Mapping | DictConfig | ListConfig)
