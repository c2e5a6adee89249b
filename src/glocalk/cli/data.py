"""`glocalk data status|fetch|verify [NAME…]`: the files in the data folder."""

from __future__ import annotations

import importlib.resources
import logging
import os
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import OmegaConf
from pydantic import Field

from glocalk.cli.arguments import read_arguments, wants_help
from glocalk.cli.help import Help, fields
from glocalk.config import BaseConfig, did_you_mean
from glocalk.errors import GlocalkError

if TYPE_CHECKING:
    from glocalk.data.fetch.files import FileSet

_VERBS = {
    "status": "show which files exist, whether they are intact, their origin and license",
    "fetch": "download what is missing",
    "verify": "exit with 1 if a file is damaged, or if the ratings of a named set are missing",
}

_HELP = Help(
    command="data",
    does="show, fetch or verify the files of data sets. NAME is the config name of a data set, "
    "as in data=NAME; without one, all data sets.",
    usage=["data status|fetch|verify [NAME ...] [data_dir=FOLDER]"],
    examples={
        "data fetch ml_100k douban": "download two data sets",
        "data status data_dir=/data": "a table of all files in another folder",
    },
    flags={},
)


class DataConfig(BaseConfig):
    """Location of the files."""

    data_dir: Path = Field(
        default_factory=lambda: Path(os.environ.get("GLOCALK_DATA_DIR", "data")),
        description="folder with the files; default: $GLOCALK_DATA_DIR, or data",
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code."""
    if not arguments or wants_help(arguments):
        print(_HELP.text(("Commands", _VERBS.items()), ("Options", fields(DataConfig))))
        return 0
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        problems = _run(*read_arguments("data", arguments))
    except GlocalkError as error:
        problems = [str(error)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def completions() -> list[str]:
    """What the shell may complete an argument to."""
    return [*_VERBS, *known_file_sets(), "data_dir="]


def _run(words: Sequence[str], options: Mapping[str, str]) -> list[str]:
    """Run the command that the first of `words` names; returns a sentence for each problem."""
    data_dir = DataConfig.check(options, "").data_dir
    verb, *names = words or ["status"]
    if verb not in _VERBS:
        raise GlocalkError(f"Unknown command 'data {verb}': {did_you_mean(verb, _VERBS)}")
    chosen = _choose(names)
    if verb == "status":
        print(_status(chosen, data_dir))
        return []
    if verb == "fetch":
        return _fetch(chosen, data_dir)
    return _verify(chosen, data_dir, missing_too=bool(names))


def known_file_sets() -> dict[str, tuple[FileSet, ...]]:
    """The files that each `conf/data/*.yaml` reads, by its name."""
    known = {}
    configs = (importlib.resources.files("glocalk.conf") / "data").iterdir()
    for config in sorted(configs, key=lambda config: config.name):
        name, _, suffix = config.name.rpartition(".")
        if suffix == "yaml":
            # The class alone: its options may have no value before a command line gives one.
            target = OmegaConf.select(
                OmegaConf.create(config.read_text(encoding="utf-8")), "_target_"
            )
            source = pkgutil.resolve_name(target)
            beside = {files.title: files for files in source.side_file_sets().values()}
            known[name] = (*source.file_sets(), *beside.values())
    return known


def _choose(names: Sequence[str]) -> Mapping[str, tuple[FileSet, ...]]:
    known = known_file_sets()
    for name in names:
        if name not in known:
            raise GlocalkError(f"Unknown data '{name}': {did_you_mean(name, known)}")
    return {name: known[name] for name in names} if names else known


def _status(chosen: Mapping[str, tuple[FileSet, ...]], data_dir: Path) -> str:
    """A table of the files: state, places, license."""
    rows = [("data", "file", "checksum", "comes from", "license")]
    for name, file_sets in chosen.items():
        for file_set in file_sets:
            places = ", ".join(place.name for place in file_set.places) or file_set.address
            for file in file_set.files:
                path = file_set.path(data_dir, file)
                state = _state(file_set, data_dir, file)
                rows.append((name, str(path), state, places, file_set.license))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def _state(file_set: FileSet, data_dir: Path, file: str) -> str:
    if not file_set.path(data_dir, file).is_file():
        return "missing"
    try:
        return "damaged" if file_set.damage(data_dir, file) else "ok"
    except GlocalkError:
        return "unreadable"


def _fetch(chosen: Mapping[str, tuple[FileSet, ...]], data_dir: Path) -> list[str]:
    """Download what is missing; returns a sentence for each set still missing or damaged."""
    from glocalk.data.fetch.download import fetch_missing

    wanted = [file_set for file_sets in chosen.values() for file_set in file_sets]
    gaps = fetch_missing(wanted, data_dir)
    problems = [str(gap) for gap in gaps.values()]
    for file_set in wanted:
        for file in file_set.files:
            if file_set.path(data_dir, file).is_file():
                if damage := file_set.damage(data_dir, file):
                    problems.append(damage)
                else:
                    print(f"'{file_set.path(data_dir, file)}' exists and is intact.")
    return problems


def _verify(
    chosen: Mapping[str, tuple[FileSet, ...]], data_dir: Path, missing_too: bool
) -> list[str]:
    """Check the existing files; returns a sentence for each damaged file.

    Args:
        chosen: the data sets.
        data_dir: the data folder.
        missing_too: whether a missing file is a problem as well, unless it is optional.
    """
    problems = []
    for name, file_sets in chosen.items():
        for file_set in file_sets:
            for file in file_set.files:
                path = file_set.path(data_dir, file)
                if path.is_file():
                    if damage := file_set.damage(data_dir, file):
                        problems.append(damage)
                    else:
                        print(f"'{path}' is intact.")
                elif missing_too and not file_set.is_optional:
                    problems.append(f"There is no '{path}': get it with glocalk data fetch {name}.")
                else:
                    print(f"'{path}' does not exist.")
    return problems
