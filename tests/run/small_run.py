"""A run of a second, in this process or in one that is forked for it and may be killed."""

import logging
import multiprocessing
import os
import sys
import time

from glocalk.cli.main import main
from glocalk.completers.autoencoders.glocal_k import GLocalK
from glocalk.completers.baselines import Bias
from glocalk.config import BaseConfig
from glocalk.data.sources import Source
from glocalk.errors import MissingDataError
from glocalk.run.config import RunConfig
from glocalk.run.execute import execute

STAGE = {"epochs": 3, "iterations": 5, "trainer": {}}
MODEL = {
    "_target_": "glocalk.GLocalK",
    "hidden_size": 8,
    "hidden_layers": 2,
    "kernel_dimension": 5,
    "kernel_size": 3,
    "convolution_layers": 1,
    "aggregation": "weighted",
    "dot_scale": 1.0,
    "redraw_kernels": True,
    "lambda_2": 20.0,
    "lambda_s": 0.006,
    "pretrain": STAGE,
    "finetune": STAGE,
    "lbfgs": {"restart": True, "line_search": "more_thuente", "memory": 10},
    "formulation": "auto",
}
BIAS = {"_target_": "glocalk.Bias", "item_damping": 25.0, "user_damping": 10.0}


def config(runs_dir, **changes):
    """The config of a small run; `data`, `trainer` and `protocol` are laid over the defaults."""
    parts = {
        "data": {
            "_target_": "glocalk.data.datasets.synthetic.Synthetic",
            **{"users": 40, "items": 30, "rank": 5, "ratings": 300, "noise": 0.5},
            **{"scale": [1, 5], "test_share": 0.1, "seed": 0},
        },
        "trainer": {"accelerator": "cpu", "devices": 1, "precision": "32-true", "threads": 1},
        "protocol": {
            **{"valid_share": 0.05, "clip": True, "selection": "each_seed", "lowest_seed": 0}
        },
    }
    rest = {
        "experiment": "table1",
        "variant": "default",
        "settings_from": "paper",
        "data_name": "synthetic",
        "model_name": "glocal_k",
        "seed": 0,
        "train_share": 1.0,
        "model": MODEL,
        "logger": {},
        "data_dir": "data",
        "runs_dir": runs_dir,
        "force": False,
        "checkpoint_seconds": 0,
        "save_model": True,
        "progress": False,
    }
    parts = {name: {**part, **changes.pop(name, {})} for name, part in parts.items()}
    return RunConfig.check({**rest, **parts, **changes}, "")


class Validated(Bias):
    """A completer that claims to have epochs and to be reported at the validated one."""

    has_epochs = True
    schedule = {"fit": 1}  # noqa: RUF012 (as a property)
    official = "validated"


class SettledBias(Validated):
    """A completer that claims to have epochs and to be reported where they settle."""

    official = "settled"


class Settled(GLocalK):
    """GLocal-K, reported where the validation error settles."""

    official = "settled"


class NoData(Source):
    """A source whose files are missing."""

    Config = BaseConfig

    def __init__(self, config):
        self.config = config

    def split(self, data_dir):
        raise MissingDataError(f"There is no data in '{data_dir}'.")


# Children of a server process that has imported everything and started no thread.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["glocalk.run.execute", "glocalk.cli.train"])


def forked(function, *arguments, log):
    """A started process that calls `function`; `log` gets what it prints. Its exit code is 1 if
    the function raises.
    """
    process = _processes.Process(target=_call, args=(function, arguments, log))
    process.start()
    return process


def _call(function, arguments, log):
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    function(*arguments)


def run_in(folder, *arguments, **changes):
    """A process that makes a small run in `folder`."""
    return forked(execute, config(folder / "runs", **changes), *arguments, log=folder / "log")


def train_command(folder, *options):
    """A process that runs `glocalk train` in `folder`, signal handlers and all."""
    return forked(_train, folder, options, log=folder / "log")


def _train(folder, options):
    os.chdir(folder)
    sys.exit(main(["train", *options]))


def wait_for(process, folder, pattern):
    """Wait until a file of that pattern is in `folder`, while the process runs."""
    deadline = time.monotonic() + 120
    while not list(folder.glob(pattern)) and process.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.0005)
