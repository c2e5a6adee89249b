"""Compose Hydra configs in which every option is shown, although the files leave out defaults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.types import RunMode
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from glocalk.errors import GlocalkError
from glocalk.run.loader import ClassDefaultsLoader
from glocalk.run.overrides import escaped

VERSION_BASE = "1.3"
CONFIGS = "pkg://glocalk.conf"


def compose(
    config_name: str,
    overrides: Sequence[str] = (),
    config_dirs: Iterable[str | Path] = (),
) -> DictConfig:
    """A config as the command line composes it; Hydra's own options are under `hydra`.

    Uses and changes no global state of Hydra, so it can be called inside any application.

    Args:
        config_name: `train`, `tune`, `stats` or `reproduce`.
        overrides: as on the command line, `model=bias_mf`.
        config_dirs: folders with more configs, as `--config-dir` names one.

    Raises:
        GlocalkError: a class cannot be imported.
        HydraException: there is no such config or option.
    """
    with _version_base():
        search_path = create_config_search_path(CONFIGS)
        for folder in config_dirs:
            search_path.prepend(
                provider="command-line",
                path=f"file://{Path(folder).absolute()}",
                anchor=SearchPathQuery(provider="schema"),
            )
        return ClassDefaultsLoader(search_path).load_configuration(
            config_name, list(overrides), RunMode.RUN, from_shell=False
        )


def config_dirs_of(hydra: Any) -> list[str]:
    """The folders that `--config-dir` or `hydra.searchpath` of a composed config names.

    Args:
        hydra: Hydra's own options.
    """
    # Not resolved, because the name of a folder may look like an interpolation.
    sources: Any = OmegaConf.to_container(hydra.runtime.config_sources, resolve=False)
    return [
        source["path"]
        for source in sources
        if source["schema"] == "file" and source["provider"] != "main"
    ]


def as_dict(config: DictConfig) -> dict[str, Any]:
    """A composed config as plain dicts, lists and values.

    Interpolations are resolved; options without a value and Hydra's own are left out.

    Raises:
        GlocalkError: an interpolation cannot be resolved.
    """
    try:
        options = OmegaConf.to_container(without(config, "hydra"), resolve=True)
    except OmegaConfBaseException as error:
        raise GlocalkError(unresolved(error)) from error
    assert isinstance(options, dict)
    return {str(name): value for name, value in _without_missing(options).items()}


def unresolved(error: OmegaConfBaseException) -> str:
    """One sentence for a value whose `${…}` cannot be resolved."""
    name = str(error.full_key)
    why = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    parent = error.parent_node
    given = OmegaConf.to_container(parent, resolve=False) if parent is not None else None
    value = given.get(error.key) if isinstance(given, dict) else None
    literal = f"'{name}={escaped(str(value or '${…}'))}'"
    return (
        f"The ${{…}} of option '{name}' cannot be resolved ({why}): name an option or a resolver; "
        f"where the text itself is meant, write {literal}."
    )


def without(config: DictConfig, *names: str) -> DictConfig:
    """A copy of a config that lacks some of its entries."""
    return OmegaConf.masked_copy(config, [str(name) for name in config if name not in names])


def _without_missing(options: Mapping[Any, Any]) -> dict[Any, Any]:
    return {
        name: _without_missing(value) if isinstance(value, Mapping) else value
        for name, value in options.items()
        if value != MISSING
    }


@contextmanager
def _version_base() -> Iterator[None]:
    """Hydra's version base, set to ours for a while: another application may have its own."""
    base = version.VersionBase.instance()
    before = base.version_base
    version.setbase(VERSION_BASE)
    try:
        yield
    finally:
        base.version_base = before
