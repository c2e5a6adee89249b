"""The ordered probit against scipy, finite differences, and the library's posterior means."""

import math

import numpy as np
import pytest
from references import (
    ALL_ITEMS,
    ALL_USERS,
    FEATURES,
    ITEMS,
    SIDE,
    TRAIN,
    USERS,
    design_of,
    myfm_fit,
)
from scipy import integrate
from scipy.special import log_ndtr, ndtr
from scipy.stats import truncnorm

from glocalk.completers.bayesian_fm.bayesian_fm import BayesianFM
from glocalk.completers.bayesian_fm.likelihoods import OrderedProbit
from glocalk.completers.bayesian_fm.probit import interval, log_likelihood, truncated_normal
from glocalk.completers.blocks.sampling.draws import twister
from glocalk.data.rating_matrix import RatingMatrix

PHI = 1 / math.sqrt(2 * math.pi)


@pytest.mark.parametrize(
    ("lower", "upper"),
    [(-1.0, 0.5), (-3.0, -1.0), (0.2, 4.0), (-math.inf, -1.0), (1.5, math.inf), (-0.0, 2.0)],
)
def test_an_interval_s_probability_and_densities_are_those_of_scipy(lower, upper):
    p = ndtr(upper) - ndtr(lower)
    log_p, at_upper, at_lower = interval(lower, upper)
    assert log_p == pytest.approx(math.log(p), rel=1e-12)
    assert at_upper == pytest.approx(PHI * math.exp(-upper * upper / 2) / p, rel=1e-12)
    assert at_lower == pytest.approx(PHI * math.exp(-lower * lower / 2) / p, rel=1e-12)


@pytest.mark.parametrize("lower", [5.0, 20.0, 34.0, 36.0, 60.0, 1e4])
@pytest.mark.parametrize("width", [0.5, math.inf])
@pytest.mark.parametrize("sign", [1, -1])
def test_far_intervals_keep_their_digits(lower, width, sign):
    ends = (lower, lower + width) if sign > 0 else (-lower - width, -lower)
    log_p, *densities = interval(*ends)
    near, far = densities if sign < 0 else densities[::-1]
    # P / φ(lower), by quadrature of exp(−lower t − t²/2).
    share, _ = integrate.quad(
        lambda t: math.exp(-lower * t - t * t / 2), 0, min(width, 60 / lower), epsabs=0
    )
    assert log_p == pytest.approx(math.log(share * PHI) - lower * lower / 2, rel=1e-10)
    assert near == pytest.approx(1 / share, rel=1e-6)
    assert far == pytest.approx(math.exp(-lower * width - width * width / 2) / share, rel=1e-6)
    if width == math.inf:
        assert log_p == pytest.approx(log_ndtr(-lower), rel=1e-12)


def test_an_interval_without_width_has_no_probability():
    assert interval(1.0, 1.0) == (-math.inf, 0.0, 0.0)
    assert interval(-2.0, -3.0)[0] == -math.inf


def test_the_likelihood_s_derivatives_are_those_of_finite_differences():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=40), rng.integers(0, 4, 40)
    cuts = np.array([-1.0, 0.3, 1.1])

    def value(cuts):
        return log_likelihood(scores, labels, cuts, np.zeros(3), np.zeros((3, 3)))

    ends = np.concatenate([[-np.inf], cuts, [np.inf]])
    literal = np.log(ndtr(ends[labels + 1] - scores) - ndtr(ends[labels] - scores)).sum()
    assert value(cuts) == pytest.approx(literal, rel=1e-12)
    gradient, hessian = np.zeros(3), np.zeros((3, 3))
    log_likelihood(scores, labels, cuts, gradient, hessian)
    step = 1e-4 * np.eye(3)
    for a in range(3):
        slope = (value(cuts + step[a]) - value(cuts - step[a])) / 2e-4
        assert gradient[a] == pytest.approx(slope, rel=1e-6)
        for b in range(3):
            bend = (
                value(cuts + step[a] + step[b])
                - value(cuts + step[a] - step[b])
                - value(cuts - step[a] + step[b])
                + value(cuts - step[a] - step[b])
            ) / 4e-8
            assert hessian[a, b] == pytest.approx(bend, abs=1e-4)


def test_the_posterior_of_the_steps_has_its_derivatives_and_its_mode():
    rng = np.random.default_rng(1)
    scores, labels = rng.normal(size=60), np.arange(60) % 5
    probit = OrderedProbit(labels)
    steps = np.array([-0.7, -0.4, 0.1, -0.2])
    _, gradient, hessian = probit._log_posterior(steps, scores)
    for a in range(4):
        step = 1e-5 * np.eye(4)[a]
        above, below = (probit._log_posterior(steps + s, scores) for s in (step, -step))
        assert gradient[a] == pytest.approx((above[0] - below[0]) / 2e-5, abs=1e-5)
        np.testing.assert_allclose(hessian[a], (above[1] - below[1]) / 2e-5, atol=1e-5)
    mode, curvature, _ = probit._mode(scores)
    best, gradient, hessian = probit._log_posterior(mode, scores)
    np.testing.assert_allclose(gradient, 0, atol=1e-3)
    np.testing.assert_allclose(curvature, -hessian)
    for near in mode + 0.05 * rng.normal(size=(20, 4)):
        assert probit._log_posterior(near, scores)[0] < best


def test_cut_points_start_at_the_shares_of_the_levels():
    probit = OrderedProbit(np.array([0, 0, 1, 2, 2, 2, 2, 2]))
    np.testing.assert_allclose(ndtr(probit.cut_points), [2 / 8, 3 / 8])


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        (-1.0, 0.5), (-4.0, 3.0), (0.5, 0.9), (0.5, math.inf), (-math.inf, -2.0), (-3.0, -2.5),
        (-math.inf, 1.0), (6.0, 7.0), (30.0, math.inf), (-0.1, math.inf),
    ],
)  # fmt: skip
def test_truncated_normal_values_have_their_distribution(lower, upper):
    words, at = twister(3)
    drawn = np.array([truncated_normal(words, at, lower, upper) for _ in range(2000)])
    assert ((lower <= drawn) & (drawn <= upper)).all()
    shares = np.sort(truncnorm.cdf(drawn, lower, upper))
    assert np.abs(shares - (np.arange(2000) + 0.5) / 2000).max() < 1.63 / math.sqrt(2000)  # 1 %


def test_cut_points_are_drawn_from_their_posterior():
    # One cut point, scores held: its posterior by quadrature.
    scores, labels = np.array([0.3, -0.5, 0.1, 1.2, -1.0, 0.4]), np.array([0, 0, 1, 1, 0, 1])
    grid = np.linspace(-6, 6, 4001)
    log_p = -0.5 * grid**2
    for score, label in zip(scores, labels, strict=True):
        log_p = log_p + log_ndtr((grid - score) * (1 if label == 0 else -1))
    weights = np.exp(log_p - log_p.max())
    weights /= weights.sum()
    mean = grid @ weights
    deviation = math.sqrt((grid - mean) ** 2 @ weights)
    probit, (words, at) = OrderedProbit(labels), twister(0)
    drawn = []
    for _ in range(4000):
        probit.draw(words, at, scores)
        drawn.append(probit.cut_points[0])
    assert np.mean(drawn) == pytest.approx(mean, abs=4 * deviation / math.sqrt(2000))
    assert np.std(drawn) == pytest.approx(deviation, rel=0.06)


def test_posterior_means_are_those_of_the_library():
    # Many ratings, with effects of users and items as large as the noise: else chains mix slowly.
    rng = np.random.default_rng(2)
    chosen = rng.random(len(ALL_USERS)) < 0.8
    users, items = ALL_USERS[chosen], ALL_ITEMS[chosen]
    latent = 0.7 * rng.normal(size=USERS)[users] + 0.7 * rng.normal(size=ITEMS)[items]
    labels = np.digitize(latent + rng.normal(size=len(users)), [-0.8, 0.0, 0.8])
    train = RatingMatrix(users, items, 1.0 + labels, TRAIN.shape, (1, 5))
    pairs = np.arange(USERS), np.arange(USERS) % ITEMS
    features, _ = design_of(*pairs, train)

    def library_s(seed):
        machine = myfm_fit("MyFMOrderedProbit", labels, 500, seed, 1, kept=450, train=train)
        return machine.predict_proba(features)

    def ours(seed):
        model = BayesianFM(
            likelihood="probit", rank=1, burn_in=50, samples=450, dates=True,
            user_features=FEATURES, item_features=FEATURES,
        )  # fmt: skip
        return model.fit(train, side=SIDE, seed=seed).probabilities(*pairs)

    first, second = (np.array([made(seed) for seed in range(3)]) for made in (library_s, ours))
    # The means of both differ by no more than chains of the same sampler let expect.
    spread = np.sqrt(np.mean([np.var(means, axis=0, ddof=1) for means in (first, second)]))
    between = np.sqrt(np.mean((first.mean(axis=0) - second.mean(axis=0)) ** 2))
    assert spread < 0.05 < 0.2 < np.std(first[0], axis=0).max()
    assert between < 1.5 * spread * math.sqrt(2 / 3)
