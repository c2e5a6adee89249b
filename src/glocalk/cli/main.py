"""The command `glocalk`: finds the subcommand and hands it the rest of the command line."""

from __future__ import annotations

import importlib
import sys

_COMMANDS = ("train", "tune", "predict", "stats", "data", "reproduce", "report", "bench")


def main() -> int:
    """Run the command line; returns the exit code."""
    command = sys.argv[1]
    sys.argv = [f"glocalk {command}", *sys.argv[2:]]
    return importlib.import_module(f"glocalk.cli.{command}").main() or 0
