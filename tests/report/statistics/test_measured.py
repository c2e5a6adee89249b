import numpy as np
import pytest

from glocalk.errors import GlocalkError
from glocalk.report.load import cell_of
from glocalk.report.statistics.measured import Measured
from report.claims.runs import run

RUNS = [run(rmse, seed=seed) for seed, rmse in enumerate((0.89, 0.90, 0.94))]
RIVALS = [run(rmse, model="igmc", seed=seed, shift=0.1) for seed, rmse in enumerate((0.91, 0.92))]
OURS, THEIRS = cell_of(RUNS[0]), cell_of(RIVALS[0])


def test_a_sample_takes_the_seeds_asked_for():
    measured = Measured([*RUNS, *RIVALS])
    assert measured.cells == [OURS, THEIRS]
    assert measured.sample(OURS, "validated").rmse == pytest.approx([0.89, 0.90, 0.94])
    assert measured.sample(OURS, "validated", {0, 2}).rmse == pytest.approx([0.89, 0.94])
    assert measured.sample(OURS, "validated", ()) is None
    assert measured.sample(OURS._replace(data="douban"), "validated") is None


def test_only_runs_with_a_protocol_count():
    measured = Measured([*RUNS, run(0.5, seed=8, without=("validated",))])
    assert measured.seeds(OURS, "validated") == [0, 1, 2]
    assert measured.seeds(OURS, "last") == [0, 1, 2, 8]
    assert measured.seeds(OURS, "validated", "last") == [0, 1, 2]
    assert measured.seeds(THEIRS, "last") == []
    assert measured.sample(OURS, "validated").seeds == 3


def test_an_interval_is_that_of_the_mean_over_seeds():
    measured = Measured(RUNS)
    sample = measured.sample(OURS, "validated")
    low, high = measured.interval(sample)
    assert low < sample.mean < high
    # The errors of the seeds are proportional: so are their intervals.
    alone = measured.interval(measured.sample(OURS, "validated", {0}))
    assert np.divide((low, high), alone) == pytest.approx([sample.mean / 0.89] * 2)


def test_the_interval_of_a_difference_is_paired():
    measured = Measured([*RUNS, *RIVALS])
    ours, theirs = (measured.sample(cell, "validated") for cell in (OURS, THEIRS))
    difference = measured.difference([(1, ours), (-1, theirs)])
    assert difference.estimate == pytest.approx(0.91 - 0.915)
    paired = difference.interval.high - difference.interval.low
    alone = [measured.interval(sample) for sample in (ours, theirs)]
    # Users share most of the errors: unpaired, the variances would add up.
    assert paired < np.hypot(*(high - low for low, high in alone)) / 2
    opposite = measured.difference([(1, theirs), (-1, ours)])
    assert opposite.interval == pytest.approx((-difference.interval.high, -difference.interval.low))
    assert opposite.p_value == pytest.approx(difference.p_value)


def test_a_run_does_not_differ_from_itself():
    measured = Measured(RUNS)
    sample = measured.sample(OURS, "validated")
    difference = measured.difference([(1, sample), (-1, sample)])
    assert (difference.estimate, difference.interval, difference.p_value) == (0, (0, 0), 1)


def test_other_runs_do_not_move_an_interval():
    alone, beside = Measured(RUNS), Measured([*RIVALS, run(0.7, data="douban"), *RUNS])
    first, second = (one.interval(one.sample(OURS, "last")) for one in (alone, beside))
    assert first == second


def test_samples_of_different_splits_are_refused():
    measured = Measured([*RUNS, run(0.7, model="igmc", data_checksum="e1e1")])
    ours, theirs = (measured.sample(cell, "last") for cell in (OURS, THEIRS))
    with pytest.raises(GlocalkError, match="of glocal_k on ml_100k and of igmc on ml_100k cannot"):
        measured.difference([(1, ours), (-1, theirs)])
    assert measured.interval(theirs).low < 0.7  # each for itself
