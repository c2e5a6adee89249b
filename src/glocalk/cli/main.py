"""The command `glocalk`: finds the subcommand and hands it the rest of the command line."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from glocalk.cli.lean import import_torchmetrics
from glocalk.cli.signals import until_stopped
from glocalk.cli.streams import with_output

COMMANDS = {
    "train": "Train a completer on a data set and write the record of its test errors.",
    "tune": "Search a completer's hyperparameters on held-out training ratings.",
    "predict": "Predict ratings, or the best unrated items, with the model of a run.",
    "serve": "Predict over HTTP with the model of a run.",
    "split": "Write the split of a data set as files for other libraries.",
    "evaluate": "Score predictions made elsewhere, and compare them with the committed rows.",
    "stats": "Describe a data set.",
    "data": "Show, fetch or verify the files of data sets.",
    "reproduce": "Train the rows of the paper's table and compare them with its figures.",
    "verify": "Train committed records again and compare their errors.",
    "report": "Make tables and figures from records; promote or migrate records.",
    "bench": "Measure the speed and memory of evaluations and trainings.",
}
"""Each command with a sentence on what it does."""

ON_HYDRA = ("train", "tune", "split", "evaluate", "stats", "reproduce")
"""Commands that compose a config with Hydra."""

_SHELL_COMPLETION = ("-sc", "--shell-completion")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of the process; returns the exit code.

    A signal to stop ends it with 128 plus the number of the signal, see `glocalk.cli.signals`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    return with_output(lambda: until_stopped(lambda: _run(given)))


def entry() -> NoReturn:
    """The program `glocalk`."""
    code = main()
    if code > 128:  # a signal: freeing what the libraries hold takes seconds on a busy machine
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run_command(command: str, arguments: Sequence[str]) -> int:
    """Run a subcommand; returns the exit code."""
    folder = str(Path.cwd())
    if folder not in sys.path and "" not in sys.path:
        # So that `model._target_=mypackage.MyModel` finds a package in the working directory. At
        # the end, so that nothing in there takes the place of another package.
        sys.path.append(folder)
    if command in ON_HYDRA:
        completes = not set(_SHELL_COMPLETION).isdisjoint(arguments)
        if command not in ("stats", "split"):
            import_torchmetrics()
        sys.argv = ["glocalk" if completes else f"glocalk {command}", *arguments]
        importlib.import_module(f"glocalk.cli.{command}").main()
        return 0
    code: int = importlib.import_module(f"glocalk.cli.{command}").main(arguments)
    return code


def _run(given: Sequence[str]) -> int:
    if not given or given[0] in ("-h", "--help"):
        print(_help())
        return 0
    if given[0] == "--version":
        print(_versions())
        return 0
    if given[0] in _SHELL_COMPLETION:
        from glocalk.cli.completion import complete

        return complete(given)
    command, *arguments = given
    if command not in COMMANDS:
        print(_unknown(command), file=sys.stderr)
        return 2
    return run_command(command, arguments)


def _versions() -> str:
    """Versions of glocalk, Python and torch, on one line."""
    import platform
    from importlib.metadata import version

    # From the metadata, because importing torch takes seconds.
    found = {name: version(name) for name in ("glocalk", "torch")}
    python = platform.python_version()
    return f"glocalk {found['glocalk']}, Python {python}, torch {found['torch']}"


def _unknown(command: str) -> str:
    from glocalk.config import did_you_mean

    if command.startswith("-"):
        return f"Unknown flag '{command}': flags of a command follow it, see glocalk --help."
    if "=" in command:
        return f"'{command}' comes after a command, as in glocalk train {command}."
    return f"Unknown command '{command}': {did_you_mean(command, COMMANDS)}"


def _help() -> str:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {says}" for name, says in COMMANDS.items())
    return f"""\
glocalk: a benchmark of rating prediction whose figures can be checked.

Usage
  glocalk COMMAND [name=value ...]
  glocalk COMMAND --help

Commands
{listed}

Flags
  -h, --help  This text, or that of a command.
  --version   The versions of glocalk, Python and torch.

Examples
  glocalk train model=bias_mf data=ml_100k seed=0
      One training under every protocol; its record and its model go to runs/.
  glocalk reproduce data_sets=[ml_100k]
      The paper's table for one data set, beside its published figures.

Shell completion: eval "$(glocalk train -sc install=bash)\""""
