import numpy as np
import pytest
from references import (
    ALL_ITEMS,
    ALL_USERS,
    DAYS,
    FEATURES,
    ITEMS,
    SIDE,
    TRAIN,
    USERS,
    design_of,
    myfm_fit,
)
from scipy.special import ndtr

import glocalk
from glocalk.completers.bayesian_fm.bayesian_fm import BayesianFM
from glocalk.completers.bayesian_fm.dates import PairDates
from glocalk.completers.bayesian_fm.design import item_block, user_block
from glocalk.completers.bayesian_fm.posterior import MeanScores, SampledLevels
from glocalk.completers.blocks.sampling.posterior import Means
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.side import RatingDates, SideInformation
from glocalk.data.side.encode import FeatureConfig
from glocalk.errors import GlocalkError

ALL = ALL_USERS, ALL_ITEMS
FULL = {"user_features": FEATURES, "item_features": FEATURES, "dates": True}


def fit(train=TRAIN, side=SIDE, seed=0, **options):
    defaults = {"rank": 2, "samples": 25, "kept_rank": ITEMS}
    return BayesianFM(**{**defaults, **options}).fit(train, side=side, seed=seed)


def test_it_predicts_the_mean_of_the_samples_that_are_kept():
    mean = TRAIN.ratings.mean()
    machine = myfm_fit("MyFMRegressor", TRAIN.ratings - mean, 22, 3, 2)
    # Where a user or an item has no ratings, the library has no implicit features.
    known = np.isin(ALL_USERS, TRAIN.users) & np.isin(ALL_ITEMS, TRAIN.items)
    pairs = ALL_USERS[known], ALL_ITEMS[known]
    features, _ = design_of(*pairs)
    samples = machine.predictor_.samples
    scores = np.array([sample.predict_score(features, []) for sample in samples])
    # Of 22 samples, 4 are left out, and of the rest every third is kept: the 7th, 10th … 22nd.
    expected = mean + scores[[6, 9, 12, 15, 18, 21]].mean(axis=0)
    model = fit(seed=3, burn_in=4, samples=6, thinning=3, **FULL)
    np.testing.assert_allclose(model.predict_pairs(*pairs), expected, atol=1e-8)


def test_without_side_information_it_is_bayesian_mf():
    plain = glocalk.BayesianMF(rank=2, burn_in=0, samples=25, kept_rank=ITEMS)
    plain.fit(TRAIN, seed=4)
    model = fit(side=SideInformation(), seed=4, implicit_items=False, implicit_users=False)
    assert model.needs == ()
    np.testing.assert_allclose(model.predict_pairs(*ALL), plain.predict_pairs(*ALL), atol=1e-8)
    assert model.num_parameters == plain.num_parameters


def test_predicted_scores_are_sums_over_all_pairs_of_user_item_and_date():
    rng = np.random.default_rng(0)

    def drawn(rows, columns):
        shapes = rows, columns, (rows, 5), (columns, 5)
        return Means(3.0, *(rng.normal(size=shape) for shape in shapes))

    pairs, dated = drawn(USERS, ITEMS), drawn(DAYS, USERS + ITEMS)
    found = MeanScores(pairs, dated).predict(np.array([3]), np.array([7]), np.array([2]))
    expected = 3 + pairs.row_biases[3] + pairs.column_biases[7] + dated.row_biases[2]
    expected += pairs.left[3] @ pairs.right[7]
    expected += dated.left[2] @ dated.right[3] + dated.left[2] @ dated.right[USERS + 7]
    assert found == pytest.approx([expected])


def test_probabilities_are_means_over_samples():
    rng = np.random.default_rng(0)
    of_dates, of_users, of_items = (
        rng.normal(size=(size, 4, 3)).astype(np.float32) for size in (2, 3, 2)
    )
    cuts, levels = np.sort(rng.normal(size=(4, 2)), axis=1), np.array([1.0, 2.5, 4.0])
    model = SampledLevels(levels, cuts, of_dates, of_users, of_items)
    users, items, dates = np.array([2, 0]), np.array([1, 0]), np.array([1, 0])
    for dated in (True, False):
        expected = np.zeros((2, 3))
        for n in range(2):
            for s in range(4):
                parts = [of_users[users[n], s], of_items[items[n], s]]
                parts += [of_dates[dates[n], s]] * dated
                score = sum(float(part[0]) for part in parts)
                for a in range(len(parts)):
                    score += sum(float(parts[a][1:] @ parts[b][1:]) for b in range(a))
                below = ndtr(np.concatenate([cuts[s], [np.inf]]) - score)
                expected[n] += np.diff(below, prepend=0) / 4
        found = model.probabilities(users, items, dates if dated else None)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        predicted = model.predict(users, items, dates if dated else None)
        np.testing.assert_allclose(predicted, expected @ levels, atol=1e-5)


def test_probabilities_sum_to_one_and_predictions_are_their_means():
    model = fit(likelihood="probit", **FULL)
    probabilities = model.probabilities(*ALL)
    assert probabilities.shape == (USERS * ITEMS, len(np.unique(TRAIN.ratings)))
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    expected = probabilities @ np.unique(TRAIN.ratings)
    np.testing.assert_allclose(model.predict_pairs(*ALL), expected, atol=1e-12)


def test_only_ordered_probit_has_probabilities():
    with pytest.raises(GlocalkError, match=r"^Only likelihood=probit has probabilities"):
        fit().probabilities(*ALL)


def test_ratings_of_one_level_are_predicted_by_ordered_probit():
    train = RatingMatrix(TRAIN.users, TRAIN.items, np.full(len(TRAIN), 2.0), TRAIN.shape, (1, 5))
    np.testing.assert_allclose(fit(train, likelihood="probit").predict_pairs(*ALL), 2)


def test_more_levels_than_allowed_are_refused_by_ordered_probit_alone():
    users, items = ALL
    train = RatingMatrix(users, items, np.arange(len(users)) / 100, TRAIN.shape, (0, 5))
    with pytest.raises(GlocalkError, match="there are 154 distinct ones and at most 100"):
        fit(train, likelihood="probit")
    fit(train, samples=2)


def test_it_needs_what_its_options_name():
    assert BayesianFM().needs == ()
    assert BayesianFM(**FULL).needs == ("user attributes", "item attributes", "rating dates")
    assert BayesianFM(item_features=None).needs == ("item attributes",)
    with pytest.raises(GlocalkError, match="BayesianFM needs rating dates beside the ratings"):
        BayesianFM(dates=True).fit(TRAIN)


def test_all_attributes_are_taken_by_their_form():
    given = [*FEATURES[:2], {**FEATURES[2], "center": 0.0, "divide_by": 1.0}]
    blocks = [
        user_block(TRAIN, SIDE, features, False).groups
        for features in (None, [FeatureConfig(**feature) for feature in given])
    ]
    assert [part.shape[1] for part in blocks[0]] == [USERS, 3, 3, 1]
    for taken, named in zip(blocks[0][:3], blocks[1][:3], strict=True):
        np.testing.assert_array_equal(taken.toarray(), named.toarray())
    scaled = blocks[0][3].toarray()
    assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1))


@pytest.mark.parametrize("likelihood", ["normal", "probit"])
def test_predictions_of_a_restored_model_need_no_side_information(likelihood):
    model = fit(likelihood=likelihood, **FULL)
    other = BayesianFM(model.config)
    other.restore(model.state(), TRAIN.shape)
    np.testing.assert_array_equal(other.predict_pairs(*ALL), model.predict_pairs(*ALL))


def dates_of(days, pairs=ALL):
    users, items = pairs
    return RatingDates(users * ITEMS + items, np.broadcast_to(days, users.shape), ITEMS)


def test_a_date_is_a_day_and_other_pairs_have_row_0():
    first, second = TRAIN.select([0]), TRAIN.select([1])
    two = TRAIN.select([0, 1])
    lookup = dates_of([100.99, 37.0], (two.users, two.items))
    dates = PairDates.of(two, lookup)
    assert dates.size == 3
    assert dates.rows(two.users, two.items).tolist() == [2, 1]
    assert dates.rows(ALL_USERS, ALL_ITEMS).sum() == 3
    # The date of a pair that is not a training rating is none that it was fitted on.
    one = PairDates.of(first, lookup)
    assert one.size == 2
    assert one.rows(second.users, second.items).tolist() == [0]
    same = PairDates.of(first, dates_of(100.5))
    assert same.rows(*ALL).tolist() == [1] * len(ALL_USERS)


def test_training_uses_no_date_of_other_pairs():
    cells = TRAIN.users * ITEMS + TRAIN.items
    days = SIDE.dates.of(TRAIN.users, TRAIN.items)
    fewer = SideInformation({"rating dates": RatingDates(cells, days, ITEMS)})
    trained = (TRAIN.users, TRAIN.items)
    both = [fit(side=side, dates=True).predict_pairs(*trained) for side in (SIDE, fewer)]
    np.testing.assert_array_equal(*both)


def test_dates_that_do_not_ascend_are_refused():
    model = fit(dates=True, samples=2)
    state = {**model.state(), "dates": model.state()["dates"].flip(0)}
    with pytest.raises(GlocalkError, match="'dates' do not ascend"):
        BayesianFM(model.config).restore(state, TRAIN.shape)


def test_a_large_seed_is_accepted():
    fit(seed=2**40 + 3, samples=2)


@pytest.mark.data("ml-100k")
def test_the_features_of_ml_100k_are_those_of_the_library_s_notebook():
    config = glocalk.make_completer("bayesian_fm", data="ml_100k").config
    split = glocalk.load_split("ml_100k")
    users = user_block(split.train, split.side, config.user_features, True)
    items = item_block(split.train, split.side, config.item_features, True)
    # One-hot, age, occupation, first character of the zip code, rated items.
    assert [part.shape[1] for part in users.groups] == [943, 11, 21, 19, 1682]
    # One-hot, year (of ten percentiles, seven differ), genres, users who rated the item.
    assert [part.shape[1] for part in items.groups] == [1682, 8, 19, 943]
    # User 1 is 24, a technician, of 85711, and has 135 training ratings.
    one = [part.toarray()[0] for part in users.groups]
    assert [part.sum() for part in one[:4]] == [1, 1, 1, 1]
    assert np.count_nonzero(one[4]) == 135
    assert one[4].max() == pytest.approx(135**-0.5)
    # Toy Story: Animation, Children's, Comedy.
    genres = items.groups[2].toarray()[0]
    np.testing.assert_allclose(genres[genres > 0], 3**-0.5)
    dates = PairDates.of(split.train, split.side.dates)
    assert dates.rows(split.test.users, split.test.items).min() >= 0
