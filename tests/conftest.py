"""Real data sets in tests, and a count of the tests that had them."""

import os
from pathlib import Path

# Matrices in tests are tiny: a second thread costs more than it brings, and processes side by
# side would wait for one another. Before torch is imported, which reads it once.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest

_FOLDERS = {"ml_100k": "ml-100k/u.data", "ml_1m": "ml-1m/ratings.dat",
            "douban": "douban/training_test_dataset.mat"}  # fmt: skip


@pytest.fixture(scope="session")
def data_dir():
    """The folder of data sets: GLOCALK_DATA_DIR, or `data/` in the checkout."""
    default = Path(__file__).resolve().parents[1] / "data"
    return Path(os.environ.get("GLOCALK_DATA_DIR") or default).resolve()


@pytest.fixture
def real_data(request, data_dir):
    """The data folder, for a test marked `real_data(name)`; skips where that set is not there."""
    (name,) = request.node.get_closest_marker("real_data").args
    if not (data_dir / _FOLDERS[name]).exists():
        pytest.skip(f"no {name} in the data folder: set GLOCALK_DATA_DIR")
    return data_dir


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    """How many tests had real data; CI reads it."""
    del exitstatus, config

    def count(outcome):
        reports = terminalreporter.stats.get(outcome, [])
        return sum("real_data" in getattr(report, "keywords", {}) for report in reports)

    run = count("passed") + count("failed")
    terminalreporter.write_line(f"tests on real data: {run} run, {count('skipped')} skipped")
