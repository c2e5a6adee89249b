"""What the conformance tests try each completer with.

Every `conf/model/*.yaml` names a completer. `options/<model>.yaml` may say, all optional:

    quick: options that make it fast on small matrices
    short: options over `quick` where only the effect of single options is tested
    change: values to change options to, where the automatic ones do not fit
    cold: options over `quick` where users and items without training ratings are predicted
    neutral: names of options that decide how the result is computed, not which result
"""

from __future__ import annotations

import functools
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import glocalk.conf
import lightning
import numpy as np
from omegaconf import OmegaConf
from reach import leaks

from glocalk.completers.base import Completer
from glocalk.completers.registry import build_completer, completer_class
from glocalk.config import BaseConfig
from glocalk.data.ids import Ids
from glocalk.data.ratings import Ratings
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext
from planted import planted
from sides import side_of

CONFIGS = sorted((Path(glocalk.conf.__path__[0]) / "model").glob("*.yaml"))
NAMES = [path.stem for path in CONFIGS]

TRAIN, HELD = planted()
TEST, VALID = HELD.select(np.arange(len(HELD)) % 2 == 0), HELD.select(np.arange(len(HELD)) % 2 == 1)
ALL_USERS, ALL_ITEMS = np.indices(TRAIN.shape).reshape(2, -1)
# Text ids in an order of their own, and the training ratings under them.
IDS = Ids(
    *(
        np.array([f"{kind}{k * 7 % size}" for k in range(size)], dtype=object)
        for kind, size in zip("ui", TRAIN.shape, strict=True)
    )
)
LABELED = Ratings.of(TRAIN, IDS)
SIDE = side_of(TRAIN.shape)


def _read(path):
    return OmegaConf.to_container(OmegaConf.load(path), resolve=True)


def case(name):
    path = Path(__file__).parent / "options" / f"{name}.yaml"
    said = _read(path) if path.exists() else {}
    return {"quick": {}, "short": {}, "change": {}, "cold": {}, "neutral": [], **said}


def config_of(name):
    """The content of `conf/model/<name>.yaml`, which states what differs from the class."""
    return _read(CONFIGS[NAMES.index(name)])


def class_of(name):
    return completer_class(config_of(name))


def new(name, options=None):
    """An unfitted completer as `conf/model/<name>.yaml` has it, made quick, with `options`."""
    merged = OmegaConf.merge(config_of(name), case(name)["quick"], options or {})
    return build_completer(OmegaConf.to_container(merged))


def new_short(name, options=None):
    """The same, with a training as short as the effect of an option needs."""
    return new(name, OmegaConf.merge(case(name)["short"], options or {}))


@dataclass
class Watched:
    """A completer fitted under an observer.

    Attributes:
        name: of its config.
        completer: fitted on `TRAIN` with seed 0.
        monitor: what observed it, with `TEST` and `VALID`.
        leaks: test and validation ratings that it could reach during its fit.
        trainers: number of Trainers that its fit made.
    """

    name: str
    completer: Completer
    monitor: Monitor
    leaks: list[str]
    trainers: int

    @property
    def predictions(self):
        return self.completer.predict_pairs(ALL_USERS, ALL_ITEMS)


class _Walker:
    """Looks in the last stage's first epoch for ratings that the completer reaches."""

    def __init__(self, completer, found):
        self.completer, self.found = completer, found

    def epoch_ended(self, stage, epoch, *_, **__):
        if (stage, epoch) == (list(self.completer.schedule)[-1], 1):
            self.found += leaks(self.completer, secrets=(TEST, VALID))


@functools.cache
def watched(name):
    """The completer `name`, fitted once for all tests."""
    completer, found = new(name), []
    fit_matrix = completer.fit_matrix

    def spy(train, context):
        found.extend(leaks(train, context, secrets=(TEST, VALID)))
        del completer.fit_matrix
        fit_matrix(train, context)

    completer.fit_matrix = spy
    monitor = Monitor(TEST, VALID, listeners=[_Walker(completer, found)])
    with mock.patch("lightning.Trainer", wraps=lightning.Trainer) as trainer:
        context = FitContext(seed=0, observer=monitor.observer(), side=SIDE)
        completer.fit(TRAIN, context=context)
    found += leaks(completer, secrets=(TEST, VALID))
    return Watched(name, completer, monitor, found, trainer.call_count)


@functools.cache
def unobserved(name):
    """Predictions [users · items] of the completer fitted as a user does, without observer."""
    return new(name).fit(TRAIN, seed=0, side=SIDE).predict_pairs(ALL_USERS, ALL_ITEMS)


def changes(name):
    """{option: options that change it} for each option that decides what is computed."""
    said = case(name)
    given = dict(leaves(said["change"]))
    found = {}
    for path, (annotation, value) in _options(new_short(name).config):
        if path in said["neutral"] or any(path.startswith(f"{n}.") for n in said["neutral"]):
            continue
        if isinstance(value, dict):  # a choice of its entries
            inner = [option for option in given if option.startswith(f"{path}.")]
            found |= {option: nested(option, given[option]) for option in inner}
            continue
        found[path] = nested(path, given[path] if path in given else _other(annotation, value))
    return found


def nested(path, value):
    """Options {a: {b: value}} of the path `a.b`."""
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


def leaves(options: dict[str, Any], prefix=""):
    """(path, value) of every option that is not a dict of options itself."""
    for name, value in options.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _options(config, prefix=""):
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, BaseConfig):
            yield from _options(value, f"{prefix}{name}.")
        else:
            yield prefix + name, (field.annotation, value)


def _other(annotation, value):
    """Another value of the option's type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.5 + (value == 0)
    if typing.get_origin(annotation) is typing.Literal:
        return next(choice for choice in typing.get_args(annotation) if choice != value)
    raise ValueError(f"options/*.yaml must say what to change an option of {annotation} to.")
