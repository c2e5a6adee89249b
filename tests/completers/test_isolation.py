"""No completer can reach a test or validation rating through what it is given."""

import functools
import weakref

import numpy as np
import pytest
import torch
from cases import NAMES, TEST, TRAIN, VALID, watched
from lightning.pytorch.loggers import CSVLogger
from reach import leaks

from glocalk.data.rating_matrix import RatingMatrix
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext


@pytest.mark.parametrize("name", NAMES)
def test_no_completer_reaches_a_test_or_validation_rating_during_its_fit(name):
    assert watched(name).leaks == []


def test_the_context_of_a_run_leads_to_no_test_or_validation_rating(tmp_path):
    monitor = Monitor(TEST, VALID)
    loggers = {"train": [CSVLogger(tmp_path)]}
    context = FitContext(observer=monitor.observer(), folder=tmp_path, loggers=loggers)
    assert leaks(context, TRAIN, secrets=(TEST, VALID)) == []


class Slotted:
    __slots__ = ("monitor",)

    def __init__(self, monitor):
        self.monitor = monitor


def closure(monitor):
    return lambda *_: monitor.test


def default(monitor):
    def epoch_ended(*_, monitor=monitor):
        return monitor

    return epoch_ended


def class_attribute(monitor):
    return type("Observer", (), {"monitor": monitor})()


WAYS = {
    "the monitor itself": lambda monitor: monitor,
    "a bound method": lambda monitor: monitor.observe,
    "a closure": closure,
    "a default": default,
    "a partial": lambda monitor: functools.partial(print, monitor),
    "a slot": Slotted,
    "a class attribute": class_attribute,
    "a property's closure": lambda monitor: type("P", (), {"p": property(closure(monitor))})(),
    "a container": lambda monitor: {"a": [(monitor,)]},
    "a weak reference": weakref.ref,
    "a generator": lambda monitor: (monitor for _ in range(2)),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_search_finds_a_monitor(way):
    monitor = Monitor(TEST, VALID)
    context = FitContext(observer=WAYS[way](monitor))
    for secret in (TEST, VALID):
        assert "RatingMatrix equals them" in leaks(context, secrets=[secret])


def dense(matrix):
    cells = np.zeros(matrix.shape)
    cells[matrix.users, matrix.items] = matrix.ratings
    return cells


COPIES = {
    "a matrix of the same ratings": lambda: RatingMatrix(
        TEST.users, TEST.items, TEST.ratings, TEST.shape, TEST.scale
    ),
    "a copy of the ratings": lambda: TEST.ratings.copy(),
    "a part of the ratings": lambda: TEST.ratings[:3],
    "the user indices in a tensor": lambda: torch.tensor(TEST.users),
    "the item indices in float32": lambda: TEST.items.astype(np.float32),
    "a dense matrix": lambda: dense(TEST),
    "a dense tensor by item": lambda: torch.tensor(dense(TEST).T),
    "a sparse tensor": lambda: torch.tensor(dense(TEST)).to_sparse(),
    "an array of objects": lambda: np.array([None, TEST], dtype=object),
}


@pytest.mark.parametrize("copy", COPIES)
def test_the_search_finds_copies_of_the_ratings(copy):
    assert leaks(FitContext(trainer={"x": COPIES[copy]()}), secrets=[TEST])
    assert not leaks(FitContext(trainer={"x": COPIES[copy]()}), secrets=[VALID])
