import itertools
import math
import statistics

import pytest
from study import base, csv_rows, other, table

from glocalk.records.benchmark import Bench
from glocalk.report.parts import Sources
from glocalk.report.seeds import chance_of_mean, seeds_files, seeds_of, share_of_means


def files(*records):
    return seeds_files(Sources(list(records), [], Bench()))


def douban(best, seed, make=base, **changes):
    return make(best=best, data="douban", seed=seed, **changes)


RECORDS = [
    douban(0.7200, 0),
    douban(0.7214, 1),
    *(
        douban(best, seed, other, experiment="kernels")
        for best, seed in ((0.5, 0), (0.7300, 2), (0.7242, 3))
    ),
    douban(0.4, 4, other, experiment="kernels", variant="model.kernel=scalar"),
    base(best=0.89),  # one seed of ML-100K is no distribution
]


def test_one_run_a_seed_the_one_of_table_1_first():
    point = seeds_of(RECORDS, "douban")
    assert point.by_seed("best_test") == {0: 0.7200, 1: 0.7214, 2: 0.7300, 3: 0.7242}


def test_where_the_published_figure_stands():
    best, last = table(files(*RECORDS)["seeds.md"])
    # .7200, .7214, .7242, .7300: mean .7239; deviations −39, −25, 3 and 61 e-4.
    sd = ((39**2 + 25**2 + 3**2 + 61**2) / 3) ** 0.5 * 1e-4
    assert best[:7] == [
        *("Douban", "`best_test`", "4", f".7239 ± .{round(sd * 1e4):04d}"),
        *(".7200", ".7300", ".721"),
    ]
    assert best[7:9] == ["1 of 4", "2 of 4"]  # .7214 is .721 when rounded
    assert last[1:3] == ["`last`", "4"]


def test_the_share_of_means_is_that_of_all_draws():
    errors = [0.7200, 0.7214, 0.7240, 0.7300]
    draws = [statistics.fmean(draw) for draw in itertools.product(errors, repeat=5)]
    for limit in (0.721, 0.7215, 0.725):
        expected = sum(mean <= limit + 1e-12 for mean in draws) / 4**5
        assert share_of_means(errors, limit) == pytest.approx(expected, abs=1e-12)
    assert 0 < share_of_means(errors, 0.7215) < share_of_means(errors, 0.725) < 1


def test_limits_that_the_errors_reach_exactly_count():
    assert share_of_means([0.721, 0.721], 0.721) == 1
    assert share_of_means([0.7, 0.8], 0.7) == pytest.approx(1 / 32)


def test_the_csv_has_the_shares():
    (best, _) = csv_rows(files(*RECORDS)["seeds.csv"])
    assert (best["seeds"], best["published"]) == ("0 1 2 3", "0.721")
    assert (best["share_at_or_below"], best["share_rounded_at_or_below"]) == ("0.2500", "0.5000")


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([0.7200, 0.7202], "within what our runs give"),
        ([0.7200, 0.7240], "but within chance over seeds"),
        ([0.7240, 0.7300], "but within chance over seeds"),  # no draw is below, but two tell little
        ([0.7240, 0.7242, 0.7244, 0.7246], "Chance over seeds hardly explains"),
    ],
)
def test_what_it_means_for_five_runs_averaged(errors, said):
    text = files(*(douban(error, seed) for seed, error in enumerate(errors)))["seeds.md"]
    assert said in text.splitlines()[-2]


def test_the_chance_of_a_mean_counts_that_seeds_are_few():
    # Two errors: mean .7, standard deviation .02 / √2, of the difference .02 / √2 · √(1/5 + 1/2);
    # Student's t with one degree of freedom is Cauchy's distribution.
    t = -0.01 / (0.02 / math.sqrt(2) * math.sqrt(0.7))
    expected = 0.5 + math.atan(t) / math.pi
    assert chance_of_mean([0.69, 0.71], 0.69) == pytest.approx(expected)
    assert chance_of_mean([0.7, 0.7], 0.69) == 0
    assert chance_of_mean([0.7, 0.7], 0.7) == 1


def test_nothing_is_made_of_one_seed():
    assert files(base()) == {}
