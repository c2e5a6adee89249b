"""Shell completion of `glocalk`: commands here, the options of commands by Hydra."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence

from glocalk.cli.main import COMMANDS, ON_HYDRA, run_command


def complete(arguments: Sequence[str]) -> int:
    """Answer what the shell asks, `-sc query=bash`; returns the exit code.

    The line so far is in the environment variable COMP_LINE. Hydra's completion expects the
    options right after the name of the program, so the command is taken out of it.
    """
    line = os.environ.get("COMP_LINE", "")
    program, command, rest = _parts(line)
    if not any(argument.startswith("query=") for argument in arguments):
        return run_command("train", arguments)  # install and uninstall are the same for all
    if rest is None:
        print(" ".join(name for name in COMMANDS if name.startswith(command)))
    elif command in ON_HYDRA:
        os.environ["COMP_LINE"] = f"{program} {rest}"
        return run_command(command, arguments)
    elif command in COMMANDS:
        word = "" if not rest or rest.endswith(" ") else rest.split()[-1]
        names = importlib.import_module(f"glocalk.cli.{command}").completions()
        print(" ".join(name for name in names if name.startswith(word)))
    return 0


def _parts(line: str) -> tuple[str, str, str | None]:
    """Program, command, and what follows; None while the command is still being written."""
    program, _, after = line.lstrip().partition(" ")
    command, space, rest = after.lstrip().partition(" ")
    return program, command, rest if space else None
