"""Distributions for users and items without training ratings: means are the predictions there."""

import numpy as np
import pytest
from cases import SIDE, TRAIN, new_short

from glocalk.data.rating_matrix import RatingMatrix

LAST_USER, LAST_ITEM = TRAIN.num_users - 1, TRAIN.num_items - 1
RATED = (TRAIN.users != LAST_USER) & (TRAIN.items != LAST_ITEM)
PARTIAL = RatingMatrix(
    TRAIN.users[RATED], TRAIN.items[RATED], TRAIN.ratings[RATED], TRAIN.shape, TRAIN.scale
)


@pytest.mark.parametrize("name", ["gc_mc", "gc_mc_extra", "imc_gae", "f_eae", "cf_nade"])
def test_means_are_predictions(name):
    model = new_short(name).fit(PARTIAL, side=SIDE)
    users = np.array([LAST_USER, LAST_USER, 0, 0])
    items = np.array([0, LAST_ITEM, LAST_ITEM, 0])
    distribution = model.predict_distribution_pairs(users, items)
    predicted = model.predict_pairs(users, items)
    np.testing.assert_allclose(distribution.mean, predicted, atol=1e-5)
    assert (distribution.probabilities > 0).all()


def test_a_user_without_ratings_has_the_tilted_uniform_distribution_of_gc_mc():
    model = new_short("gc_mc").fit(PARTIAL)
    found = model.predict_distribution_pairs(np.array([LAST_USER]), np.array([0])).probabilities[0]
    assert found @ np.arange(1.0, 6) == pytest.approx(PARTIAL.ratings.mean(), abs=1e-5)
    slopes = np.diff(np.log(found))
    np.testing.assert_allclose(slopes, np.full(4, slopes[0]), rtol=1e-4)
