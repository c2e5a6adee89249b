"""Every completer predicts something sensible for users and items without training ratings."""

import numpy as np
import pytest
from cases import NAMES, case, new

from cold_start import planted_cold_start, relative_errors
from glocalk.completers.autoencoders.autorec import AutoRec
from glocalk.data.rating_matrix import RatingMatrix

# Where the official code predicts a constant for items without training ratings, it stays: the test
# ratings behind the published figures have such items. Films without a rating are rated low there:
# on those of ML-100K's u1 (32 test ratings), the constant 3 has an RMSE of 1.60 and the training
# mean 1.91; on those of ML-1M (13), .62 and .80.
OFFICIAL_CONSTANT = {
    "gc_mc": "the mean of the levels",
    "i_autorec": "the middle of the scale",
    "u_autorec": "the middle of the scale",
}

TOLERANCE = 1e-6  # float32
# Error of the mean of 512 samples.
SAMPLING = {
    **{"bayesian_fm": 0.01, "bayesian_fm_probit": 0.01, "bayesian_mf": 0.01},
    **{"bayesian_svd_pp": 0.01, "bayesian_svd_pp_probit": 0.01},
}


@pytest.fixture(scope="module", params=NAMES)
def errors(request):
    """(name, errors relative to those of the training mean)."""
    completer = new(request.param, case(request.param)["cold"])
    return request.param, relative_errors(completer, planted_cold_start())


def test_cold_users_are_predicted_no_worse_than_by_the_mean(errors):
    name, relative = errors
    assert relative["users"] <= 1 + SAMPLING.get(name, TOLERANCE)


def test_cold_items_are_predicted_no_worse_than_by_the_mean(errors):
    name, relative = errors
    if name in OFFICIAL_CONSTANT:
        train, _, part, _ = planted_cold_start().values()
        constant, mean = 3, train.ratings.mean()
        squares = np.mean((part.ratings - [[constant], [mean]]) ** 2, axis=1)
        assert relative["items"] == pytest.approx(np.sqrt(squares[0] / squares[1]), rel=1e-5)
    else:
        assert relative["items"] <= 1 + SAMPLING.get(name, TOLERANCE)


def test_pairs_that_are_cold_on_both_sides_are_predicted_no_worse_than_by_the_mean(errors):
    name, relative = errors
    assert relative["both"] <= 1 + SAMPLING.get(name, TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in OFFICIAL_CONSTANT])
@pytest.mark.parametrize("scale", [(-2, 2), (0, 4)])
def test_cold_pairs_on_other_scales_are_predicted_no_worse_than_by_the_mean(name, scale):
    parts = planted_cold_start(scale)
    relative = relative_errors(new(name, case(name)["cold"]), parts)
    assert max(relative.values()) <= 1 + SAMPLING.get(name, TOLERANCE)


@pytest.mark.parametrize("rows", ["items", "users"])
@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
def test_auto_rec_predicts_the_mean_for_users_and_the_middle_for_items(rows, activation):
    train = RatingMatrix(
        np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([5.0, 4.0, 5.0]), (3, 3), (1, 5)
    )
    model = AutoRec(rows=rows, output_activation=activation, hidden_size=2, train={"epochs": 1})
    grid = model.fit(train, seed=0).predict_grid(np.arange(3), np.arange(3))
    np.testing.assert_allclose(grid[2], 14 / 3, rtol=1e-5)
    np.testing.assert_allclose(grid[:2, 2], 3, rtol=1e-5)


@pytest.mark.parametrize("rows", ["items", "users"])
def test_auto_rec_of_constant_ratings_predicts_them_for_cold_users(rows):
    train = RatingMatrix(np.array([0, 1]), np.array([0, 0]), np.array([5.0, 5.0]), (3, 2), (5, 5))
    model = AutoRec(rows=rows, output_activation="sigmoid", hidden_size=2, train={"epochs": 1})
    np.testing.assert_allclose(model.fit(train, seed=0).predict([2], [0]), 5, rtol=1e-6)
