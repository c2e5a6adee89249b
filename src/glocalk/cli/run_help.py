"""The options of a run in help texts."""

from __future__ import annotations

from collections.abc import Iterable

from omegaconf import DictConfig, OmegaConf

from glocalk.cli.help import groups, options
from glocalk.completers.registry import completer_class
from glocalk.config import BaseConfig, find_class
from glocalk.data.sources import Source
from glocalk.run.config import RunConfig

_GROUPS = ("model", "data", "trainer", "logger", "protocol")

Section = tuple[str, Iterable[tuple[str, str]]]


def run_sections(config: DictConfig, *others: type[BaseConfig]) -> list[Section]:
    """The sections of a help text on the options of a composed run.

    Args:
        config: the composed config.
        others: classes of options beside those of the run.
    """
    named = [*_GROUPS, *(name for other in others for name in other.model_fields)]
    choices = config.hydra.runtime.choices
    top = OmegaConf.masked_copy(
        config, [name for name in config if name not in (*named, "settings", "hydra")]
    )
    own = [
        row
        for other in others
        for row in options(OmegaConf.masked_copy(config, list(other.model_fields)), other)
    ]
    rest = OmegaConf.masked_copy(config, ["trainer", "protocol"])
    model, data = config.model, config.data
    return [
        ("Config groups", groups(config, _GROUPS)),
        ("Options", [*own, *options(top, RunConfig)]),
        (
            f"Options of model={choices['model']} (of another: --help model=NAME)",
            options(model, completer_class(model).Config, "model."),
        ),
        (
            f"Options of data={choices['data']} (of another: --help data=NAME)",
            options(data, find_class(data.get("_target_"), "data", Source).Config, "data."),
        ),
        ("Options of trainer and protocol", options(rest, RunConfig)),
    ]
