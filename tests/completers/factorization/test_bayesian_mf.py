import platform
import warnings

import numpy as np
import pytest

from glocalk.completers.blocks.sampling.posterior import PosteriorMean
from glocalk.completers.factorization.bayesian_mf import BayesianMF, BayesianMFConfig
from glocalk.completers.factorization.factors import Factors
from glocalk.completers.factorization.gibbs import GibbsSampler
from glocalk.data.rating_matrix import RatingMatrix
from planted import planted

TRAIN, TEST = planted(num_users=14, num_items=11)
USERS, ITEMS = TRAIN.shape
ALL = np.repeat(np.arange(USERS), ITEMS), np.tile(np.arange(ITEMS), USERS)


def fit(train=TRAIN, seed=0, **options):
    defaults = {"rank": 2, "burn_in": 5, "samples": 30, "kept_rank": 11}
    completer = BayesianMF(BayesianMFConfig.check({**defaults, **options}, "model"))
    completer.fit(train, seed=seed)
    return completer


def myfm_samples(ratings, iterations, seed=0, rank=2, train=TRAIN):
    """(w₀, w, v) of every sample, from the library on a dense matrix built pair by pair."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "pkg_resources is deprecated")  # myfm imports it
        import myfm

    features = np.zeros((len(train), USERS + ITEMS))
    for row, (user, item) in enumerate(zip(train.users, train.items, strict=True)):
        features[row, user] = features[row, USERS + item] = 1
    machine = myfm.MyFMRegressor(rank, random_seed=seed)
    machine.fit(
        features, ratings, n_iter=iterations, n_kept_samples=iterations, group_shapes=[USERS, ITEMS]
    )
    return machine.w0_samples, machine.w_samples, machine.V_samples


def test_it_predicts_the_mean_of_the_samples_after_the_burn_in():
    completer = fit(seed=3)
    mean = TRAIN.ratings.mean()
    w0, w, v = myfm_samples(TRAIN.ratings - mean, 35, seed=3)
    for user, item in [(0, 0), (4, 7), (USERS - 1, 2), (3, ITEMS - 1)]:
        expected = mean + np.mean(
            [w0[s] + w[s, user] + w[s, USERS + item] + v[s, user] @ v[s, USERS + item]
             for s in range(5, 35)]
        )  # fmt: skip
        assert completer.predict_pairs(np.array([user]), np.array([item])) == pytest.approx(
            [expected]
        )


def random_samples(number, rank=3, seed=0):
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(), rng.normal(size=USERS + ITEMS), rng.normal(size=(USERS + ITEMS, rank)))
        for _ in range(number)
    ]


def factors_of(posterior, mean):
    constant, *rest = posterior.means()
    return Factors(mean + constant, *rest)


def mean_product(samples):
    return sum(v[:USERS] @ v[USERS:].T for _, _, v in samples) / len(samples)


@pytest.mark.parametrize("kept_rank", [11, 14, 40])
@pytest.mark.parametrize("number", [1, 2, 30])
def test_the_kept_mean_is_exact_with_as_many_columns_as_items(kept_rank, number):
    samples = random_samples(number)
    posterior = PosteriorMean(TRAIN.shape, kept_rank)
    for sample in samples:
        posterior.add(*sample)
    factors = factors_of(posterior, 3.0)
    expected = mean_product(samples)
    expected += 3 + np.mean([constant for constant, _, _ in samples])
    biases = np.mean([w for _, w, _ in samples], axis=0)
    expected += biases[:USERS, None] + biases[USERS:]
    np.testing.assert_allclose(
        factors.predict_pairs(*ALL).reshape(USERS, ITEMS), expected, atol=1e-12
    )
    assert factors.user_factors.shape == (USERS, kept_rank)


def test_fewer_columns_keep_the_nearest_product_of_their_rank():
    # Truncated once, at the end: 2 samples of 3 columns fit until then.
    samples = random_samples(2)
    posterior = PosteriorMean(TRAIN.shape, 4)
    for sample in samples:
        posterior.add(*sample)
    factors = factors_of(posterior, 0.0)
    u, values, vt = np.linalg.svd(mean_product(samples))
    np.testing.assert_allclose(
        factors.user_factors @ factors.item_factors.T, (u[:, :4] * values[:4]) @ vt[:4], atol=1e-12
    )


def test_the_signal_survives_many_truncations():
    # Samples of one matrix of rank 3, each rotated and noisy: 4 columns separate it from the noise.
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(USERS, 3)), rng.normal(size=(ITEMS, 3))
    posterior = PosteriorMean(TRAIN.shape, 4)
    for _ in range(300):
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        vectors = np.vstack([left @ rotation, right @ rotation])
        noise = 0.1 * rng.normal(size=vectors.shape)
        posterior.add(0.0, np.zeros(USERS + ITEMS), vectors + noise)
    factors = factors_of(posterior, 0.0)
    error = factors.user_factors @ factors.item_factors.T - left @ right.T
    assert np.sqrt(np.mean(error**2)) < 0.02  # that of one sample is about .25


def test_shifted_ratings_shift_the_predictions():
    shifted = RatingMatrix(TRAIN.users, TRAIN.items, TRAIN.ratings + 40, TRAIN.shape, (41, 45))
    np.testing.assert_allclose(
        fit(shifted).predict_pairs(*ALL), fit().predict_pairs(*ALL) + 40, atol=1e-6
    )


def test_sampling_prints_nothing(capfd):
    fit()
    assert capfd.readouterr() == ("", "")


def test_a_large_seed_is_accepted():
    fit(seed=2**40 + 3, samples=2)


def test_the_number_of_parameters_is_that_of_one_sample():
    assert fit(kept_rank=7).num_parameters == 1 + (USERS + ITEMS) * (1 + 2)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the library adds up in another order")
@pytest.mark.parametrize(("rank", "seed"), [(1, 0), (2, 3), (5, 2**31 - 1)])
@pytest.mark.parametrize("ratings", [1, 2, 3, 4, 5, 62])  # all remainders of four
def test_samples_have_the_bits_of_the_library(rank, seed, ratings):
    train = TRAIN.select(np.arange(len(TRAIN)) < ratings)
    targets = train.ratings - train.ratings.mean()
    w0, w, v = myfm_samples(targets, 25, seed, rank, train)
    sampler = GibbsSampler(train, rank, seed)
    for s in range(25):
        sampler.draw()
        assert sampler.constant == w0[s]
        np.testing.assert_array_equal(sampler.biases, w[s])
        np.testing.assert_array_equal(sampler.vectors.T, v[s])


def test_a_posterior_mean_continues_from_its_state_with_the_same_bits():
    samples = random_samples(20)
    whole = PosteriorMean(TRAIN.shape, 4)
    for sample in samples:
        whole.add(*sample)
    expected = factors_of(whole, 3.5).state()
    for k in range(20):
        first, second = PosteriorMean(TRAIN.shape, 4), PosteriorMean(TRAIN.shape, 4)
        for sample in samples[:k]:
            first.add(*sample)
        second.restore(first.state(3))
        for sample in samples[k:]:
            second.add(*sample)
        found = factors_of(second, 3.5).state()
        for name, tensor in expected.items():
            assert found[name].equal(tensor)
