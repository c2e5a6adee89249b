"""Predictions from several threads at once, and in forked processes, are the same."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cases import LABELED, NAMES, SIDE, TEST, new_short

from glocalk.completers.registry import load

TESTS = Path(__file__).parents[1]
SCRIPT = """
import multiprocessing
import numpy as np, torch
torch.set_num_threads(2)
from cases import LABELED, NAMES, SIDE, TEST, new_short

def predict(name):
    return fitted[name].predict_pairs(TEST.users, TEST.items)

def train(name):
    return new_short(name).fit(LABELED, seed=0, side=SIDE).predict_pairs(TEST.users, TEST.items)

fitted = {name: new_short(name).fit(LABELED, seed=0, side=SIDE) for name in NAMES}
here = {name: predict(name) for name in NAMES}
with multiprocessing.get_context("fork").Pool(2) as pool:
    for what in (predict, train):
        there = pool.map_async(what, NAMES).get(timeout=120)
        for name, values in zip(NAMES, there):
            print(what.__name__, name, abs(values - here[name]).max())
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_model_predicts_the_same_from_several_threads_at_once(name, tmp_path):
    new_short(name).fit(LABELED, seed=0, side=SIDE).save(tmp_path / "model.pt")
    model = load(tmp_path / "model.pt")
    users, items = LABELED.ids.users[TEST.users], LABELED.ids.items[TEST.items]
    alone = model.predict(users, items)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: model.predict(users, items), range(12)))
    assert all(np.array_equal(alone, each) for each in found)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_predicts_and_trains_after_its_parent_used_threads():
    paths = os.pathsep.join([str(TESTS), str(TESTS / "completers")])
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    found = [line.split() for line in done.stdout.splitlines()]
    assert [words[:2] for words in found] == [[w, n] for w in ("predict", "train") for n in NAMES]
    # On one thread, sums are taken in another order.
    assert {name: error for _, name, error in found if float(error) > 1e-5} == {}
