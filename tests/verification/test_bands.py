"""How far a figure may move, and which records a sample has; expected values by hand."""

import math

import pytest

from glocalk.verification.bands import EXACT, TIES, Bands
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


def test_the_band_is_a_prediction_interval_from_the_other_seeds_of_the_row():
    runs = seeds(5.0, 0.89, 0.90, 0.91, 0.92, 0.93)  # 5.0 tells nothing of the spread
    band = Bands(runs, "other", VERSIONS).band(runs[0], "last")
    # s² = (0.02² + 0.01² + 0.01² + 0.02²) / 4, mean 0.91; relative to this seed's 5.0.
    relative = math.sqrt(0.001 / 4) / 0.91
    assert band.reach == pytest.approx(T[4] * math.sqrt(2) * relative * 5.0, rel=1e-4)
    assert band.source == "99 % band from 5 other seeds of this row"


def test_a_gpu_gives_other_bits_each_time():
    made = {"cpu": "here", "versions": VERSIONS}
    plain, on_gpu = (
        seeds(0.90, 0.91, 0.92, 0.93, 0.94, 0.95, **made, device=device)
        for device in ("cpu", "A GPU")
    )
    assert Bands(plain, "here", VERSIONS).band(plain[0], "last").reach == EXACT * 0.90
    assert Bands(on_gpu, "here", VERSIONS).band(on_gpu[0], "last").reach > 0.01


@pytest.mark.parametrize("number", [2, 3, 5, 15])
def test_a_changed_figure_is_found_in_a_row_of_any_number_of_seeds(number):
    # Unless its own row had no say in its band, a change of any size would be within it.
    rows = [
        seeds(*(0.9 + 0.001 * (seed % 3) for seed in range(number)), variant=variant)
        for variant in ("default", "model.kernel_size=5", "model.kernel_size=7")
    ]
    made = rows[0][0]
    changed = record(best=made.protocols["best_test"].rmse, last=0.95, seed=0)
    bands = Bands([changed, *(run for row in rows for run in row if run is not made)], "other", {})
    assert compare(changed, made, bands).verdict == "not reproduced"
    unchanged = Bands([run for row in rows for run in row], "other", {})
    again = record(best=made.protocols["best_test"].rmse, last=0.902, seed=0)
    assert compare(made, again, unchanged).verdict == "reproduced"


@pytest.mark.parametrize("figure", ["rmse", "mae", "ndcg"])
def test_every_figure_is_compared(figure):
    made = record(deterministic=True)
    results = dict(made.protocols)
    value = getattr(results["last"], figure)
    results["last"] = results["last"].model_copy(update={figure: value + 0.01})
    result = compare(made.model_copy(update={"protocols": results}), made, Bands([], "other", {}))
    assert result.verdict == "not reproduced"
    assert (
        f"test {figure.upper()} {value:.4f} (last), recorded {value + 0.01:.4f}" in result.sentence
    )


def test_a_row_with_few_other_seeds_pools_the_spread_of_comparable_rows():
    here = record(last=2.0, variant="model.kernel_size=7")
    rows = [
        *seeds(0.90, 0.91, 0.92),
        *seeds(0.80, 0.82, 0.84, variant="model.kernel_size=5"),
        *seeds(0.5, 0.9, data="douban"),
    ]
    band = Bands([here, *rows], "other", VERSIONS).band(here, "last")
    relative = math.sqrt((2 * (0.01 / 0.91) ** 2 + 2 * (0.02 / 0.82) ** 2) / 4)
    assert band.reach == pytest.approx(T[4] * math.sqrt(2) * relative * 2.0, rel=1e-4)
    assert band.source == "99 % band from rows of glocal_k on ml_100k"
    # The two other seeds of a row with three are pooled, too: 1 + 2 + 1 degrees of freedom.
    more = seeds(1.9, 1.0, 1.02, variant="model.kernel_size=7")
    others = [run for run in rows if run.data == "ml_100k"][:3] + seeds(0.7, 0.72, variant="b")
    band = Bands([*more, *others], "other", VERSIONS).band(more[0], "last")
    own, third = 0.02 / math.sqrt(2) / 1.01, 0.02 / math.sqrt(2) / 0.71
    relative = math.sqrt((own**2 + 2 * (0.01 / 0.91) ** 2 + third**2) / 4)
    assert band.reach == pytest.approx(T[4] * math.sqrt(2) * relative * 1.9, rel=1e-4)


def test_a_row_that_spreads_more_than_comparable_ones_has_a_band_of_its_own_spread():
    runs = seeds(1.0, 0.9, 1.1)
    rows = [run for name in "abc" for run in seeds(0.9, 0.901, 0.902, variant=name)]
    band = Bands([*runs, *rows], "other", VERSIONS).band(runs[0], "last")
    own = 0.2 / math.sqrt(2)  # mean 1; with the rows, 1 + 6 degrees of freedom
    assert band.reach == pytest.approx(3.4995 * math.sqrt(2) * own, rel=1e-4)


def test_what_gives_the_same_bits_has_no_band_but_rounding():
    runs = seeds(0.90, 0.91, 0.92, cpu="this one", versions=VERSIONS)
    bands = Bands(runs, "this one", VERSIONS)
    assert bands.band(runs[0], "last").reach == pytest.approx(EXACT * 0.90)
    newer = Bands(runs, "this one", {**VERSIONS, "torch": "2.14.0"})
    assert newer.band(runs[0], "last").reach > 0.1
    fixed = record(last=0.95, deterministic=True)
    elsewhere = Bands([fixed], "other", {})
    assert elsewhere.band(fixed, "last").reach == pytest.approx(EXACT * 0.95)
    # The factory's NDCG is 0.9; two items that are predicted alike may change places.
    assert elsewhere.band(fixed, "last", "ndcg").reach == pytest.approx(TIES * 0.9)


def test_the_sentence_names_the_figure_that_differs_most():
    # last, MAE = RMSE - 0.2 in the factory: the spread of the RMSE is the same, of a larger mean.
    runs = seeds(1.0, 0.89, 0.90, 0.91, 0.92, 0.93)
    bands = Bands(runs, "other", VERSIONS)
    same = compare(runs[0], runs[0], bands)
    assert same.verdict == "reproduced"
    reach = T[4] * math.sqrt(2) * math.sqrt(0.001 / 4) / 0.71 * 0.8  # of the MAE
    result = compare(runs[0], record(last=1.05, seed=0), bands)
    assert result.verdict == "reproduced"
    assert result.sentence == (
        "ml_100k glocal_k seed 0 of table1: test RMSE 1.0500 (last), recorded 1.0000, difference "
        f"+0.0500 within ±{T[4] * math.sqrt(2) * math.sqrt(0.001 / 4) / 0.91:.4f} "
        "(99 % band from 5 other seeds of this row): reproduced."
    )
    far = compare(runs[0], record(last=1.0 + 1.01 * reach, seed=0), bands)
    assert far.verdict == "not reproduced"
    lacking = compare(runs[0], record(last=1.0, held_out=None), bands)
    assert lacking.verdict == "not reproduced"
    assert lacking.sentence.endswith("because it has no RMSE under held_out.")


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
