from math import hypot, sqrt

import pytest

from glocalk.errors import GlocalkError
from glocalk.report.claims.judged import judge_claim
from glocalk.report.claims.listed import Case, Claim, Comparison
from glocalk.report.load import CellKey
from glocalk.report.statistics.measured import Measured
from glocalk.report.statistics.verdict import Verdict
from report.claims.runs import PROTOCOLS, run


def key(model="glocal_k", variant="default", experiment="table1", share=1.0, data="ml_100k"):
    return CellKey(experiment, data, share, model, variant)


def against(other, ours=None):
    return Comparison(other.model, ((1, ours or key()), (-1, other)), published=None)


def claim(*cases, margin=0.0):
    """A claim; each case is one comparison or a tuple of several."""
    several = [case if isinstance(case, tuple) else (case,) for case in cases]
    rows = tuple(Case("ml_100k", comparisons, "others") for comparisons in several)
    return Claim("claim", "It is better", "Section 1", margin, rows)


def judged(made, *runs, protocol="validated"):
    """The judgments of a protocol, in order of the cases."""
    judgments = judge_claim(made, Measured(runs))
    assert [one.protocol for one in judgments] == [name for name in PROTOCOLS for _ in made.cases]
    return [one for one in judgments if one.protocol == protocol]


RIVAL = key("sparse_fc")
OURS = [run(0.89, last=0.95, seed=0), run(0.90, last=0.96, seed=1)]
RIVALS = [run(rmse, model="sparse_fc", seed=seed) for seed, rmse in enumerate((0.92, 0.93, 0.94))]


def test_the_difference_is_that_of_the_means_over_all_seeds():
    (one,) = judged(claim(against(RIVAL)), *OURS, *RIVALS)
    assert one.verdict is Verdict.HOLDS
    assert one.finding.difference.estimate == pytest.approx(0.895 - 0.93)
    assert one.finding.seeds == (2, 3)
    # Standard deviations of .89 and .90, and of .92, .93 and .94.
    assert one.finding.spread == pytest.approx(hypot(0.01 / sqrt(2), 0.01))
    # Variances over numbers of seeds: .00005 / 2 and .0001 / 3.
    assert one.finding.error == pytest.approx(sqrt(0.000025 + 0.0001 / 3))
    assert not one.finding.lent
    low, high = one.finding.difference.interval
    assert low < one.finding.difference.estimate < high < 0


def test_each_protocol_has_its_own_verdict():
    (one,) = judged(claim(against(RIVAL)), *OURS, *RIVALS, protocol="last")
    assert one.finding.difference.estimate == pytest.approx(0.955 - 0.93)
    assert one.verdict is Verdict.FAILS


def test_without_records_there_is_no_verdict():
    (one,) = judged(claim(against(RIVAL)), *OURS)
    assert (one.verdict, one.finding) == (Verdict.MISSING, None)
    without = [run(0.92, model="sparse_fc", without=("validated",))]
    (one,) = judged(claim(against(RIVAL)), *OURS, *without)
    assert one.verdict is Verdict.MISSING


def test_variants_of_one_model_are_compared_at_the_seeds_that_they_share():
    variant = key(variant="model.kernel_size=5", experiment="table2")
    labels = {"variant": variant.variant, "experiment": "table2"}
    runs = [*OURS, run(0.99, seed=2), run(0.91, seed=0, **labels), run(0.93, seed=1, **labels)]
    (one,) = judged(claim(against(variant)), *runs)
    assert one.finding.seeds == (2, 2)
    assert one.finding.difference.estimate == pytest.approx(0.895 - 0.92)
    (one,) = judged(claim(against(variant)), *OURS, run(0.9, seed=7, **labels))
    assert one.verdict is Verdict.MISSING


def test_a_difference_of_differences():
    shares = [
        run(rmse, model=model, seed=seed, train_share=0.2, experiment="fig2")
        for model, rmse in (("glocal_k", 1.0), ("sparse_fc", 1.09))
        for seed in (0, 1)
    ]
    few = {model: key(model, experiment="fig2", share=0.2) for model in ("glocal_k", "sparse_fc")}
    terms = ((1, few["glocal_k"]), (-1, few["sparse_fc"]), (-1, key()), (1, RIVAL))
    made = claim(Comparison("all", terms, None))
    (one,) = judged(made, *shares, *OURS, *RIVALS)
    # The variants of SparseFC share seeds 0 and 1, whose mean is .925.
    assert one.finding.difference.estimate == pytest.approx((1.0 - 1.09) - (0.895 - 0.925))
    assert one.finding.seeds == (2, 2, 2, 2)


TABLE1, FIRST, SECOND = {}, {"variant": "a=1"}, {"variant": "a=2"}
MOST, HALF = {"train_share": 0.9}, {"train_share": 0.5}
OTHER_DATA, OTHER_MODEL = {"data": "douban"}, {"model": "igmc"}


@pytest.mark.parametrize(
    ("relatives", "spread"),
    [
        ([(TABLE1, (0.93, 0.94)), (FIRST, (0.8, 0.9))], 0.01),  # Table 1's before a variant's
        ([(FIRST, (0.8, 0.9)), (SECOND, (0.8, 0.82))], 0.1),  # the largest of several variants
        ([(HALF, (0.8, 0.9)), (MOST, (0.8, 0.83))], 0.03),  # the nearest share before others
        ([(OTHER_DATA, (0.8, 0.9)), (FIRST, (0.8, 0.81))], 0.01),  # the same data before others
        ([(FIRST, (0.8, 0.81)), (HALF, (0.8, 0.9))], 0.1),  # unchanged options before a near share
        ([(OTHER_DATA, (0.7, 0.72))], 0.02),
        ([(FIRST, (0.8,))], None),
        ([(OTHER_MODEL, (0.8, 0.9))], None),
    ],
)
def test_a_side_with_one_seed_takes_the_spread_of_the_most_similar_runs(relatives, spread):
    variant = key("sparse_fc", variant="model.x=1", experiment="table2")
    single = run(0.95, model="sparse_fc", variant=variant.variant, experiment="table2")
    others = [
        run(rmse, seed=seed, **{"model": "sparse_fc", "experiment": experiment, **labels})
        for labels, figures in relatives
        for experiment in ["table2" if "variant" in labels else "table1"]
        for seed, rmse in enumerate(figures)
    ]
    (one,) = judged(claim(against(variant)), single, *others, run(0.89, deterministic=True))
    assert one.finding.lent
    if spread is None:
        assert (one.finding.spread, one.verdict) == (None, Verdict.OPEN)
    else:
        assert one.finding.spread == pytest.approx(spread / sqrt(2))


def test_p_values_are_adjusted_for_all_comparisons_of_the_claim():
    other = [run(0.91, model="igmc", seed=seed, shift=0.1) for seed in (0, 1)]
    runs = [*OURS, *RIVALS, *other]
    alone = [judged(claim(against(cell)), *runs)[0].finding for cell in (RIVAL, key("igmc"))]
    both = [one.finding for one in judged(claim(against(RIVAL), against(key("igmc"))), *runs)]
    small, large = sorted(finding.p_value for finding in alone)
    assert 0 < small < large
    adjusted = sorted(finding.p_value for finding in both)
    assert adjusted == pytest.approx([2 * small, max(large, 2 * small)])


def test_a_case_against_several_needs_all_and_shows_the_nearest():
    igmc = [run(rmse, model="igmc", seed=seed) for seed, rmse in enumerate((0.895, 0.905))]
    several = (against(RIVAL), against(key("igmc")))
    (one,) = judged(claim(several), *OURS, *RIVALS, *igmc)
    assert one.finding.comparison.against == "igmc"
    assert one.verdict is Verdict.OPEN  # −.005, less than the spread of seeds
    (one,) = judged(claim(several), *OURS, *RIVALS)
    assert (one.verdict, one.finding) == (Verdict.MISSING, None)


@pytest.mark.parametrize(("ours", "verdict"), [(0.918, "holds"), (0.922, "cannot be told")])
def test_one_seed_against_one_needs_twice_the_spread(ours, verdict):
    single = key("igmc", variant="a=1")
    runs = [run(rmse, model="igmc", seed=seed) for seed, rmse in enumerate((0.93, 0.94))]
    runs += [run(0.935, model="igmc", variant="a=1"), run(ours, deterministic=True)]
    (one,) = judged(claim(against(single)), *runs)
    # Lent from seeds .93 and .94: .0071, once more than .013 and than .017, twice only than .013.
    assert one.finding.spread == one.finding.error == pytest.approx(0.01 / sqrt(2))
    assert one.verdict == verdict


def test_a_margin_allows_a_worse_result_within_it():
    igmc = [run(rmse, model="igmc", seed=seed) for seed, rmse in enumerate((0.893, 0.893))]
    ours = [run(0.8932, deterministic=True)]
    (without,) = judged(claim(against(key("igmc"))), *ours, *igmc)
    (within,) = judged(claim(against(key("igmc")), margin=0.001), *ours, *igmc)
    assert (without.verdict, within.verdict) == (Verdict.FAILS, Verdict.HOLDS)


def test_runs_on_another_split_are_refused():
    other = run(0.92, model="sparse_fc", data_checksum="e1e1")
    with pytest.raises(GlocalkError, match="sparse_fc on ml_100k cannot be compared"):
        judged(claim(against(RIVAL)), *OURS, other)
