"""How far a figure may move, and which records a sample has; expected values by hand."""

import math

import pytest

from glocalk.verification.bands import EXACT, Bands
from glocalk.verification.compared import compare
from glocalk.verification.sample import START_SECONDS, draw_sample, expected_seconds
from report.factory import record

# Quantiles of Student's t-distribution at 0.995, from a printed table.
T = {2: 9.925, 4: 4.604}
VERSIONS = {
    "python": "3.11.7",
    "torch": "2.13.0",
    "lightning": "2.6.4",
    "numpy": "2.1.0",
    "scipy": "1.14.0",
    "numba": "0.61.0",
}


def seeds(*values, **changes):
    return [record(last=value, seed=seed, **changes) for seed, value in enumerate(values)]


def test_the_band_is_a_prediction_interval_from_the_seeds_of_the_row():
    runs = seeds(0.90, 0.91, 0.92)
    band = Bands(runs, "other", VERSIONS).band(runs[0], "last")
    # s = 0.01 and mean 0.91; the relative deviation is applied to this seed's 0.90.
    assert band.reach == pytest.approx(T[2] * math.sqrt(2) * 0.01 / 0.91 * 0.90, rel=1e-4)
    assert band.source == "99 % band from 3 seeds of this row"


def test_a_row_with_one_seed_takes_the_pooled_spread_of_comparable_rows():
    here = record(last=2.0, variant="model.kernel_size=7")
    rows = [
        *seeds(0.90, 0.91, 0.92),
        *seeds(0.80, 0.82, 0.84, variant="model.kernel_size=5"),
        *seeds(0.5, 0.9, data="douban"),
    ]
    band = Bands([here, *rows], "other", VERSIONS).band(here, "last")
    relative = math.sqrt((2 * (0.01 / 0.91) ** 2 + 2 * (0.02 / 0.82) ** 2) / 4)
    assert band.reach == pytest.approx(T[4] * math.sqrt(2) * relative * 2.0, rel=1e-4)
    assert band.source == "one seed; 99 % band from rows of glocal_k on ml_100k"


def test_what_gives_the_same_bits_has_no_band_but_rounding():
    runs = seeds(0.90, 0.91, 0.92, cpu="this one", versions=VERSIONS)
    bands = Bands(runs, "this one", VERSIONS)
    assert bands.band(runs[0], "last").reach == pytest.approx(EXACT * 0.90)
    newer = Bands(runs, "this one", {**VERSIONS, "torch": "2.14.0"})
    assert newer.band(runs[0], "last").reach > 0.1
    fixed = record(last=0.95, deterministic=True)
    assert Bands([fixed], "other", {}).band(fixed, "last").reach == pytest.approx(EXACT * 0.95)


def test_the_sentence_names_the_protocol_that_differs_most():
    runs = seeds(0.90, 0.91, 0.92)
    bands = Bands(runs, "other", VERSIONS)
    same = compare(runs[0], runs[0], bands)
    assert same.verdict == "reproduced"
    other = record(last=0.95, validated=0.9, seed=0)
    result = compare(runs[0], other, bands)
    assert result.verdict == "reproduced"
    assert result.sentence == (
        "ml_100k glocal_k seed 0 of table1: test RMSE 0.9500 (last), recorded 0.9000, difference "
        "+0.0500 within ±0.1388 (99 % band from 3 seeds of this row): reproduced."
    )
    far = compare(runs[0], record(last=1.05, seed=0), bands)
    assert far.verdict == "not reproduced"
    lacking = compare(runs[0], record(last=0.9, held_out=None), bands)
    assert lacking.verdict == "not reproduced"
    assert lacking.sentence.endswith("because it has no result under held_out.")


def test_a_sample_fits_its_time_has_many_models_and_follows_from_its_seed():
    models = ("bias", "bias_mf", "igmc")
    records = [record(model=model, seed=seed) for model in models for seed in range(20)]

    def cost(one):
        return {"bias": 1.0, "bias_mf": 20.0, "igmc": 1000.0}[one.model]

    sample = draw_sample(records, cost, 100.0, seed=0)
    assert sum(map(cost, sample)) <= 100
    assert {one.model for one in sample} == {"bias", "bias_mf"}  # igmc alone takes longer
    assert len({id(one) for one in sample}) == len(sample) > 4
    assert draw_sample(records, cost, 100.0, seed=0) == sample
    assert draw_sample(records, cost, 100.0, seed=1) != sample
    assert draw_sample(records, cost, 0.5, seed=0) == []


def test_a_run_that_takes_an_epoch_from_another_seed_costs_both():
    one, first = record(seconds={"total": 10.0}), record(seconds={"total": 30.0})
    assert expected_seconds(one, None) == 10 + START_SECONDS
    assert expected_seconds(one, first) == 40 + 2 * START_SECONDS
