"""Interrupt small runs of every completer at random moments, and compare their results.

For each completer a run is made without interruption. Then runs of the same config are stopped
(SIGTERM, SIGINT or SIGHUP) or killed (SIGKILL) at random moments, also while they continue, and
started again until they are finished. Each stop must end with 128 plus the number of the signal, in
time. Each finished run must have the record, the model and the metrics.csv of the uninterrupted
one, and nothing else.

A program of its own, because it forks: the libraries and the compiled loops are loaded once, by a
process that was forked itself and therefore starts no threads.
"""

import argparse
import functools
import logging
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

sys.path.append(str(Path(__file__).parent / "completers"))

from cases import NAMES, case

from command import comparable, only_record
from glocalk.cli.signals import GRACE, until_stopped
from glocalk.run.composed import compose_run
from glocalk.run.execute import execute

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
IN_TIME = GRACE + 2  # seconds
DATA = ["data=synthetic", "data.users=60", "data.items=50", "data.ratings=900"]
# Their epochs take a millisecond: with so many, most interruptions meet a training.
LONGER = {
    "bayesian_mf": {"samples": 300},
    "bias_mf": {"epochs": 60},
    "bias_mf_als": {"epochs": 60},
    "llorma": {"base": {"epochs": 30}, "local": {"epochs": 30}},
    "soft_impute": {"tolerance": 1e-9},
    "svd_pp": {"epochs": 60},
}


class Campaign:
    """The interrupted runs of one completer.

    Args:
        model: its name.
        folder: where its runs go.
        rng: source of the moments.
    """

    def __init__(self, model, folder, rng):
        self.folder, self.rng = folder, rng
        leaves = [*_leaves("model", case(model)["quick"]), *_leaves("model", LONGER.get(model, {}))]
        options = [f"{name}={value}" for name, value in dict(leaves).items()]
        overrides = [f"model={model}", *DATA, *options, "checkpoint_seconds=0", "progress=false"]
        self.config = compose_run([*overrides, f"runs_dir={folder / 'whole'}"])
        self.began, self.seconds = Counter(), 0.0
        self.slowest_stop = 0.0
        _make(self.config.model_copy(update={"runs_dir": folder / "warm"}))
        assert self.finish("whole") == 0
        self.seconds = self.timed("again")
        self.expected = self.result("whole")

    def timed(self, name):
        began = time.monotonic()
        assert self.finish(name) == 0
        return time.monotonic() - began

    def start(self, name):
        """A child that makes the run `name`, once it handles signals; its process id."""
        ready, begun = os.pipe()
        child = os.fork()
        if child == 0:
            code = 70
            try:
                log = self.folder / f"{name}.log"
                log.parent.mkdir(parents=True, exist_ok=True)
                output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(output, 1)
                os.dup2(output, 2)
                config = self.config.model_copy(update={"runs_dir": self.folder / name})
                code = until_stopped(functools.partial(_begin, config, begun))
            except BaseException:
                logging.exception("failed")
            finally:
                os._exit(code)
        os.close(begun)
        os.read(ready, 1)
        os.close(ready)
        return child

    def finish(self, name):
        """Make the run `name` without interruption; its exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.start(name), 0)[1])

    def interrupt(self, name, number):
        """Start the run and send a signal at a random moment; whether it met the run."""
        child = self.start(name)
        time.sleep(self.rng.uniform(0, self.seconds))
        sent = time.monotonic()
        os.kill(child, number)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        took = time.monotonic() - sent
        if code in (0, -number) and list((self.folder / name).glob("*/record.json")):
            return False  # it had ended
        expected = -number if number == signal.SIGKILL else 128 + number
        assert code == expected, f"{self.folder / name}: exit code {code}, not {expected}"
        assert took < IN_TIME, f"{self.folder / name}: {took:.1f} s after signal {number}"
        self.slowest_stop = max(self.slowest_stop, took)
        return True

    def result(self, name):
        """What is compared of a finished run: its record and every other file in its folder."""
        (run,) = (self.folder / name).glob("*/record.json")
        files = {
            str(path.relative_to(run.parent)): path.read_bytes()
            for path in run.parent.rglob("*")
            if path.is_file() and path != run
        }
        record = comparable(only_record(self.folder / name))
        # The checkout may be worked on meanwhile.
        return {**record, "commit": None, "dirty": None}, files

    def run(self, interruptions, numbers, kind):
        """Meet as many interruptions; returns where they met the runs."""
        places, met, run = Counter(), 0, 0
        while met < interruptions:
            run += 1
            name = f"{kind}_{run}"
            # Most runs are interrupted once, some twice or more often.
            while met < interruptions and self.interrupt(name, self.rng.choice(numbers)):
                met += 1
                places[_place(self.folder / name)] += 1
                if self.rng.random() < 0.7:
                    break
            assert self.finish(name) == 0, f"{self.folder / name} did not continue"
            record, files = self.result(name)
            assert record == self.expected[0], f"{self.folder / name}: another record"
            differing = [
                file
                for file in {*files, *self.expected[1]}
                if files.get(file) != self.expected[1].get(file)
            ]
            assert not differing, f"{self.folder / name}: other {differing}"
        return places


def _begin(config, begun):
    os.write(begun, b".")
    return _make(config)


def _make(config):
    execute(config)
    return 0


def _leaves(name, value):
    """The options nested in `value`, with their full names."""
    if not isinstance(value, dict):
        return [(name, value)]
    return [leaf for key, part in value.items() for leaf in _leaves(f"{name}.{key}", part)]


def _place(runs):
    """How far an interrupted run had come."""
    if list(runs.glob("*/record.json")):
        return "finished"
    for training in ("final", "selection"):
        for path in runs.glob(f"*/{training}/*.ckpt"):
            return f"{training} {path.stem}"
    if list(runs.glob("*/selection.ckpt")):
        return "selection finished"
    return "without a checkpoint"


def in_forked_process(function):
    """Call `function` in a child of this process; the exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function()
            code = 0
        except BaseException:
            logging.exception("failed")
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", default=",".join(NAMES))
    parser.add_argument("--stops", type=int, default=30)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    stops = kills = 0
    for model in options.models.split(","):
        began = time.monotonic()
        rng = random.Random(f"{options.seed} {model}")
        campaign = Campaign(model, options.folder / model, rng)
        places = campaign.run(options.stops, STOPS, "stop")
        places += campaign.run(options.kills, [signal.SIGKILL], "kill")
        stops, kills = stops + options.stops, kills + options.kills
        print(
            f"{model}: a run of {campaign.seconds:.1f} s, slowest stop {campaign.slowest_stop:.1f} "
            f"s, {time.monotonic() - began:.0f} s;",
            dict(sorted(places.items())),
            flush=True,
        )
    print(f"{stops} stops and {kills} kills: every result is that of the uninterrupted run.")


if __name__ == "__main__":
    sys.exit(in_forked_process(main))
