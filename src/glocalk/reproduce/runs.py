"""From the points of a plan to runs whose data is there."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from glocalk.completers.registry import build_completer
from glocalk.data.fetch.download import fetch_missing
from glocalk.data.fetch.files import FileSet, offline
from glocalk.data.side.information import Need
from glocalk.data.sources import Source, build_source
from glocalk.data.splits import Split
from glocalk.errors import MissingDataError
from glocalk.records.identity import config_hash
from glocalk.reproduce.blocks import Point
from glocalk.reproduce.config import ReproduceConfig
from glocalk.run.compose import compose
from glocalk.run.composed import Composing, compose_run
from glocalk.run.config import RunConfig
from glocalk.run.member_runs import members_of
from glocalk.run.overrides import override, quoted

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Composed:
    """A run of a plan.

    Attributes:
        config: config of the run.
        arguments: those of `glocalk train` that make it.
    """

    config: RunConfig
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Found(Composed):
    """A run whose data is there.

    Attributes:
        checksum: that of its split.
        test_ratings: number of its test ratings.
    """

    checksum: str
    test_ratings: int


def find_runs(
    config: ReproduceConfig, points: Sequence[Point] | None = None
) -> tuple[list[Found], dict[str, str]]:
    """The runs of the plan whose data is there; by data set, why the others are left out.

    Missing data is downloaded.

    Args:
        config: what to reproduce.
        points: the runs; None: those of the plan.

    Raises:
        GlocalkError: an unknown name or option, damaged data, or data missing with `strict`.
        HydraException: there is no such config or option.
    """
    composed = compose_runs(config, points)
    sources = {_data_key(run.config): build_source(run.config.data) for run in composed}
    needs = {_data_key(run.config): frozenset[Need]() for run in composed}
    for run in composed:
        needs[_data_key(run.config)] |= set(build_completer(run.config.model).needs)
    files = {key: _file_sets(source, needs[key]) for key, source in sources.items()}
    absent = _fetch([each for sets in files.values() for each in sets], config)
    names = {_data_key(run.config): run.config.data_name for run in composed}
    found: dict[str, Split] = {}
    gaps: dict[str, str] = {}
    for key, source in sources.items():
        try:
            for file_set in files[key]:
                if file_set.title in absent:
                    raise absent[file_set.title]
            split = source.split(config.data_dir)
        except MissingDataError as error:
            if config.strict:
                raise
            if names[key] not in gaps:
                _log.info("%s", error)
            gaps[names[key]] = str(error)
        else:
            found[key] = split
    return _with_inputs(composed, found, config), gaps


def _with_inputs(
    composed: Sequence[Composed], splits: Mapping[str, Split], config: ReproduceConfig
) -> list[Found]:
    """The runs whose data is there, side information included.

    A row of the plan whose model needs what the data set does not have is left out. A model that
    the user names is refused. Before a combination come the runs of its members.
    """
    found: dict[tuple[str, int], Found] = {}
    left_out: dict[tuple[str, str], str] = {}
    for run in composed:
        split = splits.get(_data_key(run.config))
        if split is None:
            continue
        completer = build_completer(run.config.model)
        lacking = split.side.lacking(completer.needs, completer.attributes)
        if lacking and config.models is None:
            left_out[run.config.model_name, run.config.data_name] = ", no ".join(lacking)
            continue
        divided = run.config.protocol.divided(split)
        for made in (*_members(run), run):
            checksum = _checksum(made.config, divided)
            key = config_hash(made.config.identity), made.config.seed
            found.setdefault(key, Found(made.config, made.arguments, checksum, len(divided.test)))
    for (model, data), lacks in left_out.items():
        _log.info("%s is left out: %s has no %s.", model, data, lacks)
    return list(found.values())


def _members(run: Composed) -> list[Composed]:
    """The runs of a combination's members, which are jobs of their own; none of another run."""
    return [
        Composed(one, (*run.arguments, f"member={one.model_name}", f"seed={one.seed}"))
        for one in members_of(run.config)
    ]


def _file_sets(source: Source, needs: Collection[Need]) -> list[FileSet]:
    """The files of the ratings, and of what is needed beside them."""
    beside = [files for need, files in source.side_file_sets().items() if need in needs]
    return [*source.file_sets(), *{files.title: files for files in beside}.values()]


def _checksum(config: RunConfig, split: Split) -> str:
    needs = build_completer(config.model).needs
    split.side.check(needs, split.train.shape, f"model={config.model_name}")
    return split.checksum_with(needs)


def compose_runs(config: ReproduceConfig, points: Sequence[Point] | None = None) -> list[Composed]:
    """The runs of the plan, each once; one that does not depend on the seed for its first seed.

    Args:
        config: what to reproduce.
        points: the runs; None: those of the plan.

    Raises:
        GlocalkError: an unknown option or an invalid value.
        HydraException: there is no such config or option.
    """
    composing = cache(compose)  # a point that changes nothing is composed often
    runs: dict[tuple[str, str], Composed] = {}
    for point in config.points() if points is None else points:
        run = _composed(config, point, composing)
        deterministic = build_completer(run.config.model).deterministic
        seed = "any" if deterministic else str(run.config.seed)
        runs.setdefault((config_hash(run.config.identity), seed), run)
    return list(runs.values())


def _composed(config: ReproduceConfig, point: Point, composing: Composing) -> Composed:
    experiment = point.experiment or config.experiment
    names = [f"experiment={experiment}", f"data={point.data}", f"model={point.model}"]
    names += [f"seed={point.seed}", *point.options]
    where = places(config.data_dir, config.runs_dir, config.force)
    where += [*config.logger, *config.trainer]
    run = compose_run([*names, *where], config.config_dirs, composing)
    if point.fixed and run.experiment == experiment:  # not the base, which has none
        names += [*point.fixed, override("variant", run.variant)]
        run = compose_run([*names, *where], config.config_dirs, composing)
    return Composed(run, (*names, *where, *search_path(config.config_dirs)))


def places(data_dir: Path, runs_dir: Path, force: bool) -> list[str]:
    """Overrides of a run that do not change its result."""
    return [override("data_dir", data_dir), override("runs_dir", runs_dir), f"force={force}"]


def search_path(config_dirs: Iterable[Path]) -> list[str]:
    """The override that makes more configs known."""
    folders = ",".join(quoted(f"file://{folder}") for folder in config_dirs)
    return [f"hydra.searchpath=[{folders}]"] if folders else []


def _data_key(run: RunConfig) -> str:
    return config_hash(run.identity["data"])


def _fetch(files: Iterable[FileSet], config: ReproduceConfig) -> Mapping[str, MissingDataError]:
    """Download all missing files; by title, what is still missing."""
    file_sets = {each.title: each for each in files}
    missing = [files for files in file_sets.values() if files.missing(config.data_dir)]
    if missing and not offline():
        titles = ", ".join(files.title for files in missing)
        _log.info("Not in '%s': %s. Checking download sources.", config.data_dir, titles)
    return fetch_missing(missing, config.data_dir)
