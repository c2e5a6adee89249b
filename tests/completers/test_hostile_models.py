"""Damaged and hostile model files: each is refused in one sentence or predicts finite ratings on
the scale; nothing is written, executed or imported.
"""

import random
from collections import Counter

import numpy as np
import pytest
import torch
from cases import LABELED, SIDE, new_short

import glocalk
import hostile

FEW = 25
ENTRIES = {
    "scale": [(5.0, 1.0), (float("nan"), 5.0), (1.0, float("inf")), (1.0,)],
    "class_name": hostile.CLASSES,
    "shape": [(10**9, 10**9), (0, 0), (-1, 3)],
    "format": [1, 3],
}


def read_model(path):
    """Whether the file is a model whose predictions are finite and on the scale."""
    model = hostile.attempt(glocalk.load, path)
    if model is None:
        return False
    ids = model.trained_on.ids
    users, items = np.resize(ids.users, 60), np.resize(ids.items, 60)
    predicted = hostile.attempt(model.predict, users, items)
    if predicted is None:  # finite weights whose products are not
        return False
    lowest, highest = model.trained_on.scale
    assert ((predicted >= lowest) & (predicted <= highest) | (not model.clip)).all()
    return hostile.attempt(model.top, ids.users[:2], 3) is not None


@pytest.mark.parametrize(
    ("name", "count"),
    [
        *((name, FEW) for name in ("bias", "item_knn")),
        *(
            pytest.param(name, 60, marks=pytest.mark.slow)
            for name in ("bias", "i_autorec", "item_knn", "svd_pp", "graphrec", "gc_mc", "llorma")
        ),
        *(pytest.param(name, 90, marks=pytest.mark.slow) for name in ("igmc", "soft_impute")),
    ],
)
def test_damaged_model_files_are_refused_or_read_right(name, count, tmp_path):
    box = hostile.Box(tmp_path)
    box.clear()
    path = box.root / "model.pt"
    new_short(name).fit(LABELED, side=SIDE).save(path)
    content, good = torch.load(path, weights_only=True), path.read_bytes()
    assert read_model(path), "the good file is refused"
    rng = random.Random(name)
    mutated = hostile.archive_mutations(rng, content, ENTRIES)
    damaged = hostile.damages(rng, good, hostile.sealed({"state": {}}))
    outcomes = Counter()
    for number in range(count):
        what, changed = next(damaged if number % 3 == 0 else mutated)
        is_sealed = number % 3 != 0 or number % 2 == 0
        path.write_bytes(hostile.reseal(changed[:-32]) if number % 6 == 0 else changed)
        with hostile.Watch(box.root) as watch:
            read = read_model(path)
        assert is_sealed or not read, f"damaged, and read: {what}"
        assert not watch.seen, f"{what}: {watch.seen[:3]}"
        outcomes[read] += 1
    assert box.outside() == box.before
    assert outcomes[False] > outcomes[True]
