"""From a record to the run that makes it again, with the code and the configs as they are now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from glocalk.errors import GlocalkError, one_line
from glocalk.records.identity import config_hash
from glocalk.records.run import Record
from glocalk.reproduce.blocks import Point
from glocalk.run.compose import compose
from glocalk.run.composed import compose_run
from glocalk.run.overrides import assignment, override

_composing = cache(compose)

_OF_A_RUN = ("save_model=false", "logger=none", "progress=false")  # change no result
_GROUPS = ("data", "model", "protocol", "trainer")
_OPEN = ("data", "trainer")  # groups that take options which their configs do not name


def point_of(record: Record) -> Point:
    """The run that makes a record again.

    The experiment's file gives what has not changed since, and overrides give the rest, so that the
    run is made as any other.

    Raises:
        GlocalkError: the present code has no such run: an option, a model or a data set is gone, or
            means something else.
    """
    labels = (
        override("variant", record.variant),
        f"settings_from={record.settings_from}",
        f"train_share={record.train_share!r}",
        f"trainer.threads={record.threads}",
        *_OF_A_RUN,
    )
    point = Point(record.data, record.model, record.seed, labels, experiment=record.experiment)
    try:
        found = _identity(point)
        differing = [
            f"{'+' * (group in _OPEN and name not in found[group])}{line}"
            for group in _GROUPS
            for name, line in _differing(found.get(group, {}), record.config.get(group, {}), group)
        ]
        if differing:
            point = Point(
                record.data,
                record.model,
                record.seed,
                (*labels, *differing),
                experiment=record.experiment,
            )
            found = _identity(point)
    except (GlocalkError, HydraException, OmegaConfBaseException) as error:
        raise GlocalkError(f"its run cannot be composed ({_reason(error)})") from error
    if config_hash(found) != record.config_hash:
        raise GlocalkError("the present code gives its config another meaning")
    return point


def _reason(error: Exception) -> str:
    """What cannot be composed; Hydra would list everything that can."""
    missing = getattr(error, "missing_cfg_file", None)
    return f"there is no config '{missing}'" if missing else one_line(error).rstrip(".")


def overrides_of(point: Point) -> tuple[str, ...]:
    """The overrides of `glocalk train` that make the run, those of folders apart."""
    names = (f"experiment={point.experiment}", f"data={point.data}", f"model={point.model}")
    return (*names, f"seed={point.seed}", *point.options)


def _identity(point: Point) -> dict[str, Any]:
    return compose_run(overrides_of(point), composing=_composing).identity


def _differing(
    found: Mapping[str, Any], wanted: Mapping[str, Any], where: str
) -> Iterator[tuple[str, str]]:
    """The options with another value than wanted, each with the override that gives it that."""
    for name, value in wanted.items():
        if name == "name" or config_hash({name: found.get(name)}) == config_hash({name: value}):
            continue
        if isinstance(value, Mapping) and isinstance(found.get(name), Mapping):
            yield from _differing(found[name], value, f"{where}.{name}")
        else:
            yield name, assignment(f"{where}.{name}", value)


def epoch_source(record: Record) -> int | None:
    """The seed whose run must be made before, because the record takes its epoch; None if none."""
    protocol = record.config.get("protocol", {})
    lowest = protocol.get("lowest_seed")
    takes_another = protocol.get("selection") == "lowest_seed" and lowest != record.seed
    return lowest if takes_another else None
