"""Hydra's loader, with the defaults of classes under the configs that name them.

A file of the config groups `model` and `data` names a class (`_target_`) and only what differs
from the defaults of the class's `Config`. `ClassDefaultsLoader` puts these defaults under what the
file says, before command-line overrides are applied. All options can then be seen (`--cfg job`),
completed by the shell and overridden, and a misspelled one is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra._internal import hydra as hydra_internal
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import MISSING, DictConfig, OmegaConf, open_dict
from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from yaml import YAMLError

from glocalk.config import BaseConfig, find_class
from glocalk.errors import GlocalkError, one_line
from glocalk.names import snake_case
from glocalk.run.members import has_members, with_options
from glocalk.run.overrides import readable

_ORDER = {"hydra": 0, "command-line": 1, "main": 2}  # of folders with configs, by who names them
_GROUPS = ("model", "data")  # whose files name a class with a `Config`
_OF_A_MODEL = ("settings", "search", "search_on")  # groups of files that belong to one model


class ClassDefaultsLoader(ConfigLoaderImpl):
    """Hydra's loader, with the defaults of classes under the configs that name them.

    An override `model._target_=package.Class` takes the place of the whole config `model`: the
    options are then those of `Class`, and neither the file chosen by `model=` nor the
    hyperparameters in `settings/` and the ranges in `search/` and `search_on/` are mixed in. The
    model is named after the class: `MyModel` is `my_model`. The same holds for `data._target_`.

    The members of a combination that are config names, in a file or in an override
    `model.members=[bias,item_knn]`, become the options that these models have on the data set.
    """

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        _put_own_folders_first(config_search_path)
        super().__init__(config_search_path)
        self._targets: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._chosen: set[str] = set()
        self._members: list[Any] | None = None
        self._data: str | None = None  # whose hyperparameters members have
        self._settings = True

    def _load_configuration_impl(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        sweeps = run_mode == RunMode.MULTIRUN
        overrides = [readable(line, sweeps=sweeps) for line in overrides]
        parsed = OverridesParser.create().parse_overrides(overrides)
        if sweeps:
            # The config of a whole sweep is only a template, but an override of model.rank must
            # find its option there: take the first of the models that are swept over.
            parsed = OverridesParser.create().parse_overrides([_first(given) for given in parsed])
        self._targets = {
            group: str(given.value())
            for given in parsed
            for group in _GROUPS
            if given.key_or_group == f"{group}._target_" and not given.is_sweep_override()
        }
        self._chosen = {given.key_or_group for given in parsed}
        self._names = {}
        self._members, self._data = None, None
        self._settings = not any(
            given.is_delete() and given.key_or_group == "settings" for given in parsed
        )
        for given in parsed:
            if self._is_no_name(given):
                raise GlocalkError(
                    f"Option '{given.key_or_group}' is a name, as in "
                    f"{given.key_or_group}={self.get_group_options(given.key_or_group)[0]}. Leave "
                    "it out for the default."
                )
        lines = [str(given.input_line) for given in parsed]
        for position, given in enumerate(parsed):
            names = given.value()
            if given.key_or_group == "model.members" and (isinstance(names, list) or names == {}):
                # Put in before the overrides, one of which may change an option of a member.
                self._members = names if isinstance(names, list) else []
                lines[position] = "model.members={}"
        kept, replaced = lines, []
        if config_name == "tune":
            # A list of values is tried in place of a range; Hydra would merge the two.
            replaced = [
                given
                for given in parsed
                if (given.key_or_group.startswith("search.") and isinstance(given.value(), list))
                or (given.key_or_group == "search" and given.value() == {})
            ]
            kept = [
                line for line, given in zip(lines, parsed, strict=True) if given not in replaced
            ]
        try:
            config = super()._load_configuration_impl(
                config_name, kept, run_mode, from_shell, validate_sweep_overrides
            )
            if any(not given.is_add() and _is_missing(config, given) for given in replaced):
                config = super()._load_configuration_impl(  # which says what is unknown
                    config_name, lines, run_mode, from_shell, validate_sweep_overrides
                )
        except (YAMLError, UnicodeDecodeError) as error:
            raise GlocalkError(f"A config file is not YAML ({one_line(error)}).") from error
        for given in replaced:
            OmegaConf.update(config, given.key_or_group, given.value(), merge=False, force_add=True)
            config.hydra.overrides.task.append(str(given.input_line))
        for position, line in enumerate(lines):
            if line != overrides[position]:
                task = config.hydra.overrides.task
                task[task.index(line)] = overrides[position]
        config.hydra.runtime.choices.update(self._names)
        if has_members(config.get("model")):  # an override may have added some
            with open_dict(config.model):
                config.model.members = self._filled(config.model.members, self.repository)
        return config

    def _compose_config_from_defaults_list(
        self, defaults: list[ResultDefault], repo: Any
    ) -> DictConfig:
        left_out: list[str] = []
        for group, target in self._targets.items():
            files = _files(defaults, [group])
            named = [repo.load_config(file.config_path).config.get("_target_") for file in files]
            cls = _class_of(group, target)
            if files and not any(_class_of(group, name) is cls for name in named if name):
                left_out.append(group)
        if left_out:
            left_out += [group for group in _OF_A_MODEL if group not in self._chosen]
            ignored = _files(defaults, left_out)
            defaults = [default for default in defaults if default not in ignored]
        changes = _files(defaults, ["search_on"])
        config = super()._compose_config_from_defaults_list(
            [default for default in defaults if default not in changes], repo
        )
        for file in changes:
            change = self._load_single_config(file, repo).config
            assert isinstance(change, DictConfig)
            _change(config, change)
        for group in _GROUPS:
            if group in left_out:
                target = self._targets[group]
                config[group] = OmegaConf.merge(config.get(group) or {}, {"_target_": target})
                self._names[group] = self._name(group, target, repo)
            node = config.get(group)
            if isinstance(node, DictConfig) and node.get("_target_"):
                options = {"_target_": node["_target_"]}
                options |= shown_options(_class_of(group, node["_target_"]).Config)
                if group == "model" and has_members(options):
                    files = _files(defaults, ["data"]) if self._settings else []
                    self._data = str(files[-1].config_path).partition("/")[2] if files else None
                    named = node.pop("members", None) if self._members is None else self._members
                    members = options["members"] if named is None else named
                    options["members"], node["members"] = {}, self._filled(members, repo)
                config[group] = OmegaConf.merge(options, node)
        return config

    def _filled(self, members: Any, repo: Any) -> DictConfig:
        """The members of a combination with all options."""
        return with_options(members, self._data, repo, self._shown)

    @staticmethod
    def _shown(target: str) -> dict[str, Any]:
        """A class and its options."""
        return {"_target_": target, **shown_options(_class_of("model", target).Config)}

    def _is_no_name(self, given: Override) -> bool:
        """Whether `null` or a number is chosen from a group, of which Hydra makes a traceback."""
        return (
            not given.is_delete()
            and self.repository.group_exists(given.key_or_group)
            and isinstance(given.value(), int | float | None)
        )

    def _name(self, group: str, target: str, repo: Any) -> str:
        """The config name of a class that no file names, unlike those of files."""
        cls = _class_of(group, target)
        name = snake_case(cls.__name__)
        if name in self.get_group_options(group):
            held = repo.load_config(f"{group}/{name}").config.get("_target_")
            if _class_of(group, held) is not cls:
                return f"{target.split('.')[0]}_{name}"
        return name


def install() -> None:
    """Make Hydra's command lines load configs with `ClassDefaultsLoader`.

    The only place where glocalk changes Hydra: its command line has no other way to choose a
    loader. hydra-core is pinned to 1.3 for that.
    """
    hydra_internal.ConfigLoaderImpl = ClassDefaultsLoader  # type: ignore[attr-defined]


def shown_options(config_class: type[BaseModel]) -> dict[str, Any]:
    """Every option in the order declared: its default, or `???` where it has none."""
    shown: dict[str, Any] = {}
    for name, field in config_class.model_fields.items():
        inner = field.annotation
        if not field.is_required():
            shown[name] = to_jsonable_python(field.get_default(call_default_factory=True))
        elif isinstance(inner, type) and issubclass(inner, BaseConfig):
            shown[name] = shown_options(inner)
        else:
            shown[name] = MISSING
    return shown


def _is_missing(config: DictConfig, given: Override) -> bool:
    """Whether an override is of an option that the config lacks."""
    return OmegaConf.select(config, given.key_or_group) is None


def _put_own_folders_first(search_path: ConfigSearchPath) -> None:
    """Let a file of `--config-dir` go before the package's of the same name.

    Hydra has them the other way round: a file of one's own would silently have no effect.
    """
    elements = search_path.get_path()
    elements[:] = sorted(elements, key=lambda one: _ORDER.get(one.provider, len(_ORDER)))


def _change(config: DictConfig, changes: DictConfig) -> None:
    """Merge `changes` into `config`; a list takes the place of a range, and a range of a list.

    Hydra merges the two, which ends in an error.
    """
    for name, value in changes.items_ex(resolve=False):
        held = config._get_node(name)
        if isinstance(held, DictConfig) and isinstance(value, DictConfig):
            _change(held, value)
        else:
            config[name] = value


def _class_of(group: str, target: Any) -> Any:
    # Completers import torch, which commands on data alone do without.
    if group == "model":
        from glocalk.completers.base import Completer

        return find_class(target, group, Completer)
    from glocalk.data.sources import Source

    return find_class(target, group, Source)


def _files(defaults: Sequence[ResultDefault], groups: Sequence[str]) -> list[ResultDefault]:
    """The configs that are files of one of the groups."""
    folders = tuple(f"{group}/" for group in groups)
    return [default for default in defaults if (default.config_path or "").startswith(folders)]


def _first(override: Override) -> str:
    """The override, or its first value where it sweeps over models or data sets."""
    names = {name for group in _GROUPS for name in (group, f"{group}._target_")}
    names.add("model.members")
    if override.is_sweep_override() and override.key_or_group in names:
        return f"{override.get_key_element()}={next(override.sweep_string_iterator())}"
    return str(override.input_line)
