"""The options of composed configs in help texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hydra._internal.config_repository import ConfigRepository
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.object_type import ObjectType
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from glocalk.cli.help import written
from glocalk.config import BaseConfig, find_class
from glocalk.data.sources import Source
from glocalk.run.compose import without

_GROUPS = ("model", "data", "experiment", "trainer", "logger", "protocol")
_OF_AN_EXPERIMENT = ("base", "plan", "searches")

Section = tuple[str, Iterable[tuple[str, str]]]


def run_sections(config: DictConfig, *others: type[BaseConfig]) -> list[Section]:
    """The sections of a help text on the options of a composed run.

    Args:
        config: the composed config.
        others: classes of options beside those of the run.
    """
    # They import torch, which a data set's statistics do without.
    from glocalk.completers.registry import completer_class
    from glocalk.run.config import RunConfig

    named = [*_GROUPS, *(name for other in others for name in other.model_fields)]
    choices = config.hydra.runtime.choices
    top = without(config, *named, *_OF_AN_EXPERIMENT, "settings", "hydra")
    own = [
        row
        for other in others
        for row in options(OmegaConf.masked_copy(config, list(other.model_fields)), other)
    ]
    rest = OmegaConf.masked_copy(config, ["trainer", "protocol"])
    model = config.model
    return [
        ("Config groups", groups(config, [name for name in _GROUPS if name in choices])),
        ("Options", [*own, *options(top, RunConfig)]),
        (
            f"Options of model={choices['model']} (of another: --help model=NAME)",
            options(model, completer_class(model).Config, "model."),
        ),
        data_section(config),
        ("Options of trainer and protocol", options(rest, RunConfig)),
    ]


def data_section(config: DictConfig) -> Section:
    """The section of a help text on the options of the chosen data set."""
    data = config.data
    source = find_class(data.get("_target_"), "data", Source)
    name = config.hydra.runtime.choices["data"]
    return (
        f"Options of data={name} (of another: --help data=NAME)",
        options(data, source.Config, "data."),
    )


def options(
    config: DictConfig, config_class: type[BaseModel] | None, prefix: str = ""
) -> Iterator[tuple[str, str]]:
    """(name=value, description) of each option of a composed config, nested ones dotted.

    Args:
        config: the config.
        config_class: the class that checks it and describes the options.
        prefix: prefix of the names, as in `model.`.
    """
    known: Mapping[str, FieldInfo] = config_class.model_fields if config_class else {}
    for key in config:
        name = str(key)
        if name.startswith("_"):  # what a class is built by, no option
            continue
        field = known.get(name)
        inner = field.annotation if field else None
        nested = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
        value = None if OmegaConf.is_missing(config, name) else config[name]
        description = (field.description if field else None) or ""
        if isinstance(value, DictConfig) and len(value):
            if description:
                yield f"{prefix}{name}.", description
            yield from options(value, nested, f"{prefix}{name}.")
        elif OmegaConf.is_missing(config, name):
            yield f"{prefix}{name}=", description
        else:
            plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            yield f"{prefix}{name}={written(plain)}", description


def groups(config: DictConfig, names: Iterable[str]) -> list[tuple[str, str]]:
    """(group=, its choices) of config groups, as the search path of the composed config has them.

    Args:
        config: a config with Hydra's own options under `hydra`.
        names: names of the groups.
    """
    path = ConfigSearchPathImpl()
    for source in config.hydra.runtime.config_sources:
        path.append(source.provider, f"{source.schema}://{source.path}")
    repository = ConfigRepository(path)
    return [
        (
            f"{name}={config.hydra.runtime.choices.get(name, '')}",
            ", ".join(repository.get_group_options(name, ObjectType.CONFIG)),
        )
        for name in names
    ]
