"""The rule in conftest.py: where the data are, a data test that skips fails the session."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
    import pytest

    @pytest.mark.data("here")
    def test_runs(): ...

    @pytest.mark.data("not-here")
    def test_has_no_data(): ...

    @pytest.mark.data("here")
    def test_dodges():
        if {dodge}:
            pytest.skip("no time")
"""


@pytest.mark.parametrize(
    ("dodge", "outcomes", "line"),
    [
        (False, {"passed": 2, "skipped": 1}, "data tests: 2 run, 1 skipped"),
        (True, {"passed": 1, "skipped": 1, "failed": 1}, "data tests: 2 run, 1 skipped"),
    ],
)
def test_skipping_where_the_data_are_fails(dodge, outcomes, line, pytester, monkeypatch):
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers = data: real data")
    pytester.makepyfile(TESTS.format(dodge=dodge))
    pytester.mkdir("here")
    monkeypatch.setenv("GLOCALK_DATA_DIR", str(pytester.path))
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines([line])
    assert result.ret == (1 if dodge else 0)
