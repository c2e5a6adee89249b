import pytest

from glocalk.report.statistics.bootstrap import Interval
from glocalk.report.statistics.verdict import Evidence, Verdict, combine, judge

HOLDS, FAILS, OPEN, MISSING = Verdict


def evidence(difference=-0.005, low=-0.007, high=-0.003, p_value=0.01, spread=0.002, error=0.0):
    return Evidence(difference, Interval(low, high), p_value, spread, error)


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (evidence(), HOLDS),
        (evidence(0.005, 0.003, 0.007), FAILS),
        (evidence(high=0.0001), OPEN),
        (evidence(0.005, -0.0001, 0.007), OPEN),
        (evidence(p_value=0.05), OPEN),
        (evidence(0.005, 0.003, 0.007, p_value=0.05), OPEN),
        (evidence(spread=0.005), OPEN),
        (evidence(0.005, 0.003, 0.007, spread=0.006), OPEN),
        (evidence(spread=0.0), HOLDS),  # two deterministic models
        (evidence(spread=None), OPEN),
        (evidence(error=0.0024), HOLDS),
        (evidence(error=0.0026), OPEN),  # .005 is less than two standard errors
        (evidence(0.005, 0.003, 0.007, error=0.0026), OPEN),
        (evidence(error=None), OPEN),
    ],
)
def test_a_difference_below_0_holds_if_interval_test_and_spread_of_seeds_agree(made, verdict):
    assert judge(made) is verdict


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (evidence(0.0002, 0.0001, 0.0003, spread=0.0005), HOLDS),  # above 0, but below .001
        (evidence(0.0002, 0.0001, 0.0003, spread=0.0009), OPEN),
        (evidence(0.0002, -0.002, 0.0012, spread=0.0005), OPEN),
        (evidence(0.005, 0.003, 0.007, spread=0.0035), FAILS),
        (evidence(0.005, 0.003, 0.007, spread=0.0045), OPEN),
        (evidence(0.005, 0.0008, 0.007, spread=0.001), OPEN),
    ],
)
def test_a_margin_takes_the_place_of_0(made, verdict):
    assert judge(made, margin=0.001) is verdict


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        ([HOLDS, HOLDS], HOLDS),
        ([HOLDS, OPEN], OPEN),
        ([OPEN, FAILS, HOLDS], FAILS),
        ([HOLDS, MISSING, FAILS], FAILS),
        ([HOLDS, MISSING], MISSING),
        ([], MISSING),
    ],
)
def test_a_claim_about_several_differences_needs_all_of_them(verdicts, together):
    assert combine(verdicts) is together
