"""`glocalk data status|fetch|verify [sets…]`: the files in the data folder."""

from __future__ import annotations

import argparse
import importlib.resources
import logging
import os
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from glocalk.config import did_you_mean
from glocalk.data.fetch.download import fetch_missing
from glocalk.data.fetch.files import FileSet
from glocalk.errors import GlocalkError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        chosen = _choose(options.sets)
        if options.command == "status":
            print(_status(chosen, options.data_dir))
            return 0
        problems = (
            _fetch(chosen, options.data_dir)
            if options.command == "fetch"
            else _verify(chosen, options.data_dir, bool(options.sets))
        )
    except GlocalkError as error:
        problems = [str(error)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def known_file_sets() -> dict[str, tuple[FileSet, ...]]:
    """The files that each `conf/data/*.yaml` reads, by its name."""
    known = {}
    configs = (importlib.resources.files("glocalk.conf") / "data").iterdir()
    for config in sorted(configs, key=lambda config: config.name):
        name, _, suffix = config.name.rpartition(".")
        if suffix == "yaml":
            # The class alone, and not its options: they may be for a command line to give.
            target = OmegaConf.select(OmegaConf.create(config.read_text()), "_target_")
            known[name] = pkgutil.resolve_name(target).file_sets()
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
    """Get what is missing; returns a sentence for each set that cannot be had, or is damaged."""
    wanted = [file_set for file_sets in chosen.values() for file_set in file_sets]
    gaps = fetch_missing(wanted, data_dir)
    problems = [str(gap) for gap in gaps.values()]
    for file_set in wanted:
        for file in file_set.files:
            if file_set.path(data_dir, file).is_file():
                if damage := file_set.damage(data_dir, file):
                    problems.append(damage)
                else:
                    print(f"'{file_set.path(data_dir, file)}' is there and whole.")
    return problems


def _verify(
    chosen: Mapping[str, tuple[FileSet, ...]], data_dir: Path, missing_too: bool
) -> list[str]:
    """Check what is there; returns a sentence for each damaged file.

    Args:
        chosen: the data sets.
        data_dir: the data folder.
        missing_too: whether a missing file is a problem as well.
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
                        print(f"'{path}' is whole.")
                elif missing_too:
                    problems.append(f"There is no '{path}': get it with glocalk data fetch {name}.")
                else:
                    print(f"'{path}' is not there.")
    return problems


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glocalk data", description="The files in the data folder."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, does in {
        "status": "show what is there, whether it is whole, where it comes from, its license",
        "fetch": "get what is missing",
        "verify": "exit with 1 where a file is damaged, or one of the sets named is missing",
    }.items():
        command = commands.add_parser(name, help=does, description=f"{does.capitalize()}.")
        command.add_argument("sets", nargs="*", help="as in conf/data; all where none is named")
        command.add_argument(
            "--data-dir",
            type=Path,
            default=Path(os.environ.get("GLOCALK_DATA_DIR", "data")),
            help="default: GLOCALK_DATA_DIR, or data",
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
