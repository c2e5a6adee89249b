"""Command lines on Hydra: one sentence for an error that the user can fix, nonzero exit code."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

from hydra import version
from hydra._internal.utils import get_args_parser
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
    SearchPathException,
)
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from glocalk.cli.arguments import wants_help
from glocalk.config import did_you_mean
from glocalk.errors import GlocalkError, one_line
from glocalk.run.compose import VERSION_BASE, compose, unresolved
from glocalk.run.loader import install

_OTHER_GROUP = re.compile(r"Could not override '([^']+)'\.\s+No match in the defaults list")


def run_app(
    app: Callable[[], Any], config_name: str, show_help: Callable[[DictConfig], str]
) -> None:
    """Run a `hydra.main` application; a user's error prints one sentence and exits with 1.

    `HYDRA_FULL_ERROR=1` in the environment shows an error's whole traceback instead.

    Args:
        app: the application; its arguments are in `sys.argv`.
        config_name: name of the config that it composes.
        show_help: the help text, made from the config that the other arguments compose.
    """
    full = os.environ.get("HYDRA_FULL_ERROR", "0") != "0"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves the error to us
    install()
    version.setbase(VERSION_BASE)
    with nullcontext() if full else exit_with_sentence():
        sys.argv[1:] = overrides_first(config_name, sys.argv[1:])
        if wants_help(sys.argv[1:]):
            arguments = get_args_parser().parse_args(sys.argv[1:])
            folders = [arguments.config_dir] if arguments.config_dir else []
            name = arguments.config_name or config_name
            print(show_help(compose(name, arguments.overrides, folders)))
        else:
            app()


def overrides_first(command: str, given: Sequence[str]) -> list[str]:
    """The arguments with all overrides before the flags: Hydra reads none after a flag.

    Raises:
        GlocalkError: an unknown flag, or one without its value.
    """
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise GlocalkError(f"{message[0].upper()}{message[1:]}: see glocalk {command} --help.")

    parser.error = refuse  # type: ignore[method-assign]
    read, others = parser.parse_known_args(given)
    for flag in others:
        if flag.startswith("-"):
            refuse(f"unknown flag '{flag}'")
    overrides = [*read.overrides, *others]
    flags = list(given)
    for override in overrides:
        flags.remove(override)
    return [*overrides, *flags]


@contextmanager
def exit_with_sentence() -> Iterator[None]:
    """Print a user's error as one sentence and exit with 1.

    Used inside an application as well as around it, because Hydra adds lines of its own to an
    error that leaves the application.
    """
    try:
        yield
    except (
        GlocalkError,
        ConfigCompositionException,
        OverrideParseException,
        SearchPathException,
        OmegaConfBaseException,
    ) as error:
        print(sentence(error), file=sys.stderr)
        sys.exit(1)


def sentence(error: GlocalkError | HydraException | OmegaConfBaseException) -> str:
    """One sentence for an error of ours, or of Hydra's about the command line."""
    if isinstance(error, GlocalkError):
        return str(error)
    if isinstance(error, OmegaConfBaseException):
        return unresolved(error)
    if isinstance(error, OverrideParseException):
        return f"'{error.override}' is not name=value{_if_ratings(str(error.override))}."
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        if group == "data" and (instead := _if_ratings(name)):
            return f"Unknown {group} '{name}'{instead}."
        instead = did_you_mean(name, error.options or [])
        if group == "experiment":
            return (
                f"Unknown experiment '{name}', which is no file experiment/{name}.yaml in a folder "
                f"given with --config-dir either: {instead}"
            )
        return f"Unknown {group} '{name}': {instead}"
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        parent = cause.parent_node
        names = list(map(str, parent)) if isinstance(parent, DictConfig) else []
        known = [name for name in names if name != "_target_"]
        if str(cause.key) in known:  # the name is right, the value is not
            return unresolved(cause)
        if cause.full_key == "data.path":
            return "Option 'data.path' goes with data=csv or data=monti: name one."
        if cause.full_key == "data":  # of a plan, whose data sets are names alone
            return "An option of a data set goes with data=…, as in data=csv data.path=ratings.csv."
        if isinstance(parent, DictConfig) and not names:  # options that no config sets
            return f"Option '{cause.full_key}' has no value yet: write +{cause.full_key}=…"
        return f"Unknown option '{cause.full_key}': {did_you_mean(str(cause.key), known)}"
    elsewhere = _OTHER_GROUP.match(str(error))
    if elsewhere:
        return f"Option '{elsewhere[1]}' is not one of this command: see its --help."
    return one_line(error)


def _if_ratings(name: str) -> str:
    """How to name a file of ratings, for one that was given without its option."""
    is_file = "=" not in name and Path(name).is_file()
    return f": write data=csv {shlex.quote(f'data.path={name}')}" if is_file else ""
