"""The rule in conftest.py: if the data is there, a data test that skips fails the session."""

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
    ("dodge", "processes", "outcomes"),
    [
        (False, [], {"passed": 2, "skipped": 1}),
        (True, [], {"passed": 1, "skipped": 1, "failed": 1}),
        (True, ["-n", "2"], {"passed": 1, "skipped": 1, "failed": 1}),
    ],
)
def test_skipping_although_the_data_is_there_fails(
    dodge, processes, outcomes, pytester, monkeypatch
):
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers = data: real data")
    pytester.makepyfile(TESTS.format(dodge=dodge))
    pytester.mkdir("here")
    monkeypatch.setenv("GLOCALK_DATA_DIR", str(pytester.path))
    # In this process xdist's settings would be those of this session.
    run = pytester.runpytest_subprocess if processes else pytester.runpytest_inprocess
    result = run(*processes)
    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines(["data tests: 2 run, 1 skipped"])
    assert result.ret == (1 if dodge else 0)
