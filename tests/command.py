"""Command lines for tests: a small run, and what it prints."""

import os
import subprocess
import sys

from glocalk.records.run import Record

# GLocal-K of a size that trains in a second.
SMALL = [
    "data=synthetic",
    "data.users=40",
    "data.items=30",
    "data.ratings=300",
    "model.hidden_size=8",
    "model.pretrain.epochs=3",
    "model.finetune.epochs=3",
    "checkpoint_seconds=0",
]
VARIANT = ",".join(sorted(SMALL[1:-1]))


def command(module, *overrides):
    return [sys.executable, "-m", "glocalk", module, *overrides]


def run(module, *overrides, cwd, **environment):
    """The finished process, its output as text."""
    return subprocess.run(
        command(module, *overrides),
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def only_record(runs):
    """The record of the one run in a runs folder."""
    (path,) = runs.glob("*/record.json")
    return Record.read(path)


def comparable(record):
    """The record without what depends on time and memory."""
    return record.model_dump(exclude={"seconds", "peak_rss_mb"})
