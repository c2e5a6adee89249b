"""Kill a small run at random moments, start it again, and compare its record: see --help.

A program of its own, because it forks: the libraries are loaded once, and no thread runs yet.
"""

import argparse
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from command import SMALL, comparable, only_record
from glocalk.run.composed import compose_run
from glocalk.run.execute import execute


def start(config):
    """A child that makes the run; its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            execute(config)
            code = 0
        finally:
            os._exit(code)
    return child


def where(runs):
    """Training and stage that a killed run had reached."""
    for training in ("final", "selection"):
        for stage in ("finetune", "pretrain"):
            if list(runs.glob(f"*/{training}/{stage}.ckpt")):
                return f"{training} {stage}"
    return "before the first checkpoint"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    rng = random.Random(options.seed)

    def config(name):
        # Longer than what it takes to begin, so that most kills meet a training.
        longer = ["model.pretrain.epochs=20", "model.finetune.epochs=20"]
        overrides = [*SMALL, *longer, f"runs_dir={options.folder / name}", "progress=false"]
        return compose_run(overrides)

    began = time.monotonic()
    assert os.waitpid(start(config("whole")), 0)[1] == 0
    duration = time.monotonic() - began
    expected = comparable(only_record(options.folder / "whole"))
    places = Counter()
    number = 0
    while sum(places.values()) < options.kills:
        number += 1
        mine = config(f"run_{number}")
        child = start(mine)
        time.sleep(rng.uniform(0, duration))
        os.kill(child, signal.SIGKILL)
        if os.waitpid(child, 0)[1] != signal.SIGKILL:
            continue  # it had ended
        places[where(mine.runs_dir)] += 1
        assert os.waitpid(start(mine), 0)[1] == 0, f"run {number} did not resume"
        assert comparable(only_record(mine.runs_dir)) == expected, f"run {number} differs"
        left = [path for path in mine.runs_dir.rglob(".*.*") if ".locks" not in path.parts]
        assert not left, f"run {number} leaves {left}"
    print(f"{sum(places.values())} kills, every record the same:", dict(sorted(places.items())))


if __name__ == "__main__":
    sys.exit(main())
