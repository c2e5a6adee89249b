"""The cost of reading two million rows, beside that of `pandas.read_csv` told all types.

`pytest -m slow -s tests/data/formats/test_reading_speed.py` prints the figures.
"""

import time

import numpy as np
import pandas as pd
import pytest

from glocalk.bench.process import in_own_process
from glocalk.data.datasets.table import RatingTable
from glocalk.data.formats.table import read_columns
from glocalk.run.provenance import peak_memory_mb

pytestmark = pytest.mark.slow

ROWS, USERS, ITEMS = 2_000_000, 138_493, 26_744  # the last two as in MovieLens 20M
CHOICES = {"user": None, "item": None, "rating": None}
REPEATS = 3
KINDS = {"whole numbers": (np.int64, ""), "text": (str, "u")}


@pytest.fixture(scope="module", params=KINDS)
def table(request, tmp_path_factory):
    """(path, types of the columns) of a table of 50 MB in random order."""
    kind, prefix = KINDS[request.param]
    draw = np.random.default_rng(0)
    cells = draw.choice(USERS * ITEMS, ROWS + ROWS // 100, replace=True, shuffle=False)
    users, items = np.divmod(draw.permutation(np.unique(cells))[:ROWS], ITEMS)
    frame = pd.DataFrame(
        {
            "userId": users,
            "movieId": items,
            "rating": draw.integers(1, 11, size=ROWS) / 2,
            "timestamp": draw.integers(789_652_004, 1_427_784_002, size=ROWS),
        }
    )
    for name in ("userId", "movieId"):
        frame[name] = prefix + frame[name].astype(str)
    path = tmp_path_factory.mktemp("table") / "ratings.csv"
    frame.to_csv(path, index=False)
    types = {"userId": kind, "movieId": kind, "rating": np.float64, "timestamp": np.int64}
    return path, types


def cost(task):
    """(lowest CPU seconds of some calls, MB by which the first raised the peak of memory)."""
    before, seconds, peak = peak_memory_mb(), [], None
    for _ in range(REPEATS):
        start = time.process_time()
        result = task()
        seconds.append(time.process_time() - start)
        peak = peak_memory_mb() - before if peak is None else peak
        del result
    return min(seconds), peak


def cost_of_reading(path):
    return cost(lambda: read_columns(path, CHOICES))


def cost_of_split(path):
    source = RatingTable(RatingTable.Config(path=path))
    return cost(lambda: source.split(path.parent))


def cost_of_pandas(path, types):
    return cost(lambda: pd.read_csv(path, dtype=types))


def test_reading_costs_at_most_three_times_pandas_and_300_mb(table, capsys):
    path, types = table
    rows = {
        "pandas": in_own_process(cost_of_pandas, path, types),
        "columns": in_own_process(cost_of_reading, path),
        "split": in_own_process(cost_of_split, path),
    }
    with capsys.disabled():
        print(f"\n{ROWS} rows, {path.stat().st_size / 2**20:.0f} MB, {types['userId'].__name__}")
        for name, (seconds, peak) in rows.items():
            times = seconds / rows["pandas"][0]
            print(f"  {name:8} {seconds:5.2f} s CPU ({times:.1f} × pandas), +{peak:.0f} MB")
    assert rows["columns"][0] <= 3 * rows["pandas"][0]
    assert rows["columns"][1] <= 300
    assert rows["split"][1] <= 300
