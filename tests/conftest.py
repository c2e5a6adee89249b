"""Where real data lies, and the rule that no test may skip it where it is there."""

import os
import signal
from pathlib import Path

# Matrices in tests are tiny: a second thread costs more than it brings, and processes side by
# side would wait for one another. Set before torch is imported, which reads it once.
os.environ["OMP_NUM_THREADS"] = "1"
# No test asks the network for data, nor does a command line that one starts.
os.environ["GLOCALK_OFFLINE"] = "1"

import pytest

# A shell ignores SIGINT in what it starts in the background, and nohup ignores SIGHUP. Programs
# that the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The sdist has neither reports/ nor website/, .ci/ and .github/: without a checkout, the tests that
# read them are left out, some of which could not even be imported.
if not (Path(__file__).resolve().parents[1] / "reports" / "records").is_dir():
    collect_ignore = [
        "documentation",
        "report/page/test_page.py",
        "report/page/test_page_browser.py",
        "report/test_committed.py",
        "report/test_render.py",
        "reproduce/test_experiments.py",
        "run/test_compose.py",
        "test_community.py",
        "test_hostile_files.py",
        "test_supply_chain.py",
        "test_wheel.py",
        "verification/test_verify.py",
    ]

DATA_DIR = Path(os.environ.get("GLOCALK_DATA_DIR", "data")).absolute()


@pytest.fixture(scope="session")
def data_dir():
    return DATA_DIR


def pytest_runtest_setup(item):
    """Skip a test marked `data("ml-100k", …)` where one of these folders is not there."""
    if marker := item.get_closest_marker("data"):
        item.user_properties.append(("data", True))  # the folder tests/data is a keyword, too
        if missing := [name for name in marker.args or (".",) if not (DATA_DIR / name).is_dir()]:
            pytest.skip(f"no real data: '{DATA_DIR / missing[0]}' is not there (GLOCALK_DATA_DIR)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Fail a data test that skips although its data are there."""
    report = yield
    marker = item.get_closest_marker("data")
    if marker and report.skipped and not hasattr(report, "wasxfail"):
        folders = [DATA_DIR / name for name in marker.args or (".",)]
        if "GLOCALK_DATA_DIR" in os.environ and all(folder.is_dir() for folder in folders):
            report.outcome = "failed"
            report.longrepr = f"skipped although its data are in '{DATA_DIR}': {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter):
    reports = [
        report
        for outcome in ("passed", "failed", "skipped")
        for report in terminalreporter.stats.get(outcome, [])
        # A module that is skipped as a whole has no properties.
        if ("data", True) in getattr(report, "user_properties", ())
    ]
    skipped = sum(report.skipped for report in reports)
    run = len({report.nodeid for report in reports if not report.skipped})
    terminalreporter.write_line(f"data tests: {run} run, {skipped} skipped")
