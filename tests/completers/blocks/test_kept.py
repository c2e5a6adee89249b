"""The variance of normal ratings from kept samples, against all samples of the same chain."""

import numpy as np
import pytest

import glocalk
from glocalk.completers.blocks.sampling.kept import KEPT, SampleKeeper
from glocalk.completers.factorization.gibbs import GibbsSampler
from glocalk.errors import GlocalkError
from planted import planted

TRAIN, _ = planted(num_users=14, num_items=11)
USERS, ITEMS = TRAIN.shape
ALL = np.repeat(np.arange(USERS), ITEMS), np.tile(np.arange(ITEMS), USERS)


def chain(samples, burn_in=5, seed=3):
    """Scores [samples, pairs] and α [samples] of the sampler itself."""
    sampler = GibbsSampler(TRAIN, 2, seed)
    scores, alphas = [], []
    for number in range(burn_in + samples):
        sampler.draw()
        if number >= burn_in:
            u, i = ALL[0], USERS + ALL[1]
            products = (sampler.vectors[:, u] * sampler.vectors[:, i]).sum(axis=0)
            scores.append(sampler.constant + sampler.biases[u] + sampler.biases[i] + products)
            alphas.append(sampler.alpha)
    return np.array(scores), np.array(alphas)


def test_with_all_samples_kept_it_is_the_variance_of_the_mixture():
    scores, alphas = chain(KEPT)
    model = glocalk.BayesianMF(rank=2, burn_in=5, samples=KEPT, kept_rank=ITEMS).fit(TRAIN, seed=3)
    found = model.predict_distribution_pairs(*ALL)
    expected = np.mean(1 / alphas) + scores.var(axis=0)
    np.testing.assert_allclose(found.std**2, expected, rtol=1e-5)
    np.testing.assert_allclose(found.mean, TRAIN.ratings.mean() + scores.mean(axis=0), atol=1e-8)


def test_with_some_of_them_it_is_close():
    scores, alphas = chain(400)
    model = glocalk.BayesianMF(rank=2, burn_in=5, samples=400, kept_rank=ITEMS).fit(TRAIN, seed=3)
    spread = model.predict_distribution_pairs(*ALL).std ** 2 - np.mean(1 / alphas)
    # The standard error of the mean over pairs is less than that of a pair.
    assert np.mean(spread / scores.var(axis=0)) == pytest.approx(1, abs=np.sqrt(2 / KEPT))


def test_the_machine_without_side_information_has_the_same_distribution():
    plain = glocalk.BayesianMF(rank=2, burn_in=0, samples=25, kept_rank=ITEMS).fit(TRAIN, seed=4)
    machine = glocalk.BayesianFM(
        rank=2, samples=25, kept_rank=ITEMS, implicit_items=False, implicit_users=False
    ).fit(TRAIN, seed=4)
    np.testing.assert_allclose(
        machine.predict_distribution_pairs(*ALL).std, plain.predict_distribution_pairs(*ALL).std,
        rtol=1e-4,
    )  # fmt: skip


def test_samples_are_spaced_evenly_and_dates_are_a_third_kind():
    rng = np.random.default_rng(0)
    sizes = {"dates": 2, "users": 3, "items": 4}
    keeper, drawn = SampleKeeper(sizes, 2, 48), []
    for _ in range(48):
        drawn.append((rng.normal(), rng.normal(size=9), rng.normal(size=(9, 2)), 2.0))
        keeper.add(*drawn[-1])
    rows = {"dates": np.array([1]), "users": np.array([2]), "items": np.array([0])}
    at = [1, 2 + 2, 5 + 0]
    scores = [
        3 + constant + biases[at].sum()
        + sum(vectors[at[a]] @ vectors[at[b]] for a in range(3) for b in range(a))
        for constant, biases, vectors, _ in drawn[2::3]
    ]  # fmt: skip
    found = keeper.finish(3.0).distribution(rows, np.array([2.5]))
    expected = 1 / 2 + np.mean((np.array(scores) - 2.5) ** 2)
    assert found.std == pytest.approx([np.sqrt(expected)], rel=1e-5)


@pytest.mark.parametrize("name", ["BayesianMF", "BayesianFM"])
def test_a_file_of_an_older_version_predicts_and_refuses_a_distribution(name, tmp_path):
    model = getattr(glocalk, name)(rank=2, samples=20, kept_rank=ITEMS).fit(TRAIN)
    state = {
        part: tensor
        for part, tensor in model.state().items()
        if part != "noise" and not part.startswith("samples_")
    }
    model.restore(state, TRAIN.shape)
    model.save(tmp_path / "old.pt")
    old = glocalk.load(tmp_path / "old.pt")
    assert old.predict([0], [0]) == pytest.approx(model.predict([0], [0]))
    with pytest.raises(GlocalkError, match=f"This {name} was saved by a version") as error:
        old.predict([0], [0], return_std=True)
    assert str(error.value).count(".") == 1


def test_a_saved_noise_below_0_is_refused():
    model = glocalk.BayesianMF(rank=2, samples=20, kept_rank=ITEMS).fit(TRAIN)
    state = dict(model.state())
    state["noise"] = -state["noise"]
    with pytest.raises(GlocalkError, match="'noise' is not above 0"):
        model.restore(state, TRAIN.shape)
