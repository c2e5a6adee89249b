"""What every completer must do; a new one is found by its `conf/model/*.yaml`.

`test_isolation.py` has what a completer may reach, `test_completer_options.py` its options.
"""

import io

import numpy as np
import pytest
import torch
from cases import (
    ALL_ITEMS,
    ALL_USERS,
    CONFIGS,
    HELD,
    IDS,
    LABELED,
    NAMES,
    SIDE,
    TEST,
    TRAIN,
    VALID,
    new,
    unobserved,
    watched,
)

import glocalk
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.distributions import LevelDistribution
from glocalk.errors import GlocalkError, NotFittedError
from glocalk.metrics import evaluate_distribution


@pytest.fixture(params=NAMES)
def fitted(request):
    """A completer that was fitted on `TRAIN` under an observer, once for all tests."""
    return watched(request.param)


@pytest.fixture(scope="module", params=NAMES)
def refitted(request):
    """(watched completer, one restored from a changed state, its predictions before, refitted).

    The second one is fitted on the same ratings, with text ids.
    """
    first = watched(request.param)
    other = new(request.param)
    changed = {part: tensor + 1 for part, tensor in first.completer.state().items()}
    other.restore(changed, TRAIN.shape)
    before = other.predict_pairs(ALL_USERS, ALL_ITEMS)
    return first, before, other.fit(LABELED, seed=0, side=SIDE)


def test_the_baselines_and_the_paper_s_model_are_there():
    assert {"bias", "glocal_k", "global_mean"} <= set(NAMES)


def test_predictions_are_finite_for_every_user_and_item(fitted):
    assert fitted.predictions.shape == (TRAIN.num_users * TRAIN.num_items,)
    assert np.isfinite(fitted.predictions).all()


def test_a_pair_s_prediction_depends_on_the_pair_alone(fitted):
    order = np.random.default_rng(0).permutation(len(ALL_USERS))
    whole = fitted.predictions
    shuffled = fitted.completer.predict_pairs(ALL_USERS[order], ALL_ITEMS[order])
    np.testing.assert_allclose(shuffled, whole[order], rtol=0, atol=1e-5)
    one = fitted.completer.predict_pairs(ALL_USERS[:1], ALL_ITEMS[:1])
    assert one == pytest.approx(whole[:1], abs=1e-5)


def test_the_grid_equals_the_pairs(fitted):
    users, items = np.array([59, 3, 17, 3]), np.array([44, 0, 8])
    grid = fitted.completer.predict_grid(users, items)
    assert grid.shape == (4, 3)
    for row, user in enumerate(users):
        pairs = fitted.completer.predict_pairs(np.full(3, user), items)
        np.testing.assert_allclose(grid[row], pairs, rtol=0, atol=1e-5)


def rmse(completer, observed):
    error = np.clip(completer.predict_pairs(observed.users, observed.items), 1, 5)
    return np.sqrt(np.mean((error - observed.ratings) ** 2))


def test_the_error_on_planted_ratings_is_plausible(fitted):
    constant = np.sqrt(np.mean((HELD.ratings - TRAIN.ratings.mean()) ** 2))
    error = rmse(fitted.completer, HELD)
    assert error > 0.3, "below the noise: it has seen the held-out ratings"
    assert error <= constant * (1 + 1e-9 if fitted.name == "global_mean" else 1.02)


def test_the_observer_is_told_of_every_epoch_of_the_schedule(fitted):
    schedule, curves = fitted.completer.schedule, fitted.monitor.curves
    expected = [(s, e) for s, epochs in schedule.items() for e in range(1, epochs + 1)]
    assert bool(expected) == fitted.completer.has_epochs
    assert list(zip(curves.stage, curves.epoch, strict=True)) == expected
    if expected:  # the last evaluation saw what the completer predicts now
        assert curves.test_rmse[-1] == pytest.approx(rmse(fitted.completer, TEST), rel=1e-6)
        assert curves.valid_rmse[-1] == pytest.approx(rmse(fitted.completer, VALID), rel=1e-6)


def test_the_observer_changes_no_prediction(fitted):
    np.testing.assert_array_equal(unobserved(fitted.name), fitted.predictions)


def test_another_seed_gives_another_result_unless_the_completer_is_deterministic(fitted):
    other = new(fitted.name).fit(TRAIN, seed=1, side=SIDE).predict_pairs(ALL_USERS, ALL_ITEMS)
    assert np.array_equal(other, fitted.predictions) == fitted.completer.deterministic


def test_it_says_whether_it_trains_with_a_trainer(fitted):
    assert bool(fitted.trainers) == fitted.completer.uses_trainer


def test_it_has_parameters(fitted):
    assert fitted.completer.num_parameters > 0


def test_a_restored_completer_predicts_the_same(fitted):
    file = io.BytesIO()
    torch.save(dict(fitted.completer.state()), file)
    file.seek(0)
    other = new(fitted.name)
    other.restore(torch.load(file, weights_only=True), TRAIN.shape)
    np.testing.assert_allclose(
        other.predict_pairs(ALL_USERS, ALL_ITEMS), fitted.predictions, rtol=0, atol=1e-6
    )
    assert other.num_parameters == fitted.completer.num_parameters
    again = other.state()
    assert again.keys() == fitted.completer.state().keys()
    for part, tensor in fitted.completer.state().items():
        torch.testing.assert_close(again[part], tensor)


# Only fold-in or distributions need it, and files of older versions lack it.
OPTIONAL = {
    ("svd_pp", "implicit_factors"),
    *(("global_mean", "levels"), ("bayesian_mf", "noise"), ("bayesian_fm", "noise")),
    ("bayesian_svd_pp", "noise"),
}


def test_an_incomplete_state_is_rejected(fitted):
    state = fitted.completer.state()
    for missing in state:
        if (fitted.name, missing) in OPTIONAL:
            continue
        rest = {part: tensor for part, tensor in state.items() if part != missing}
        with pytest.raises(GlocalkError, match=f"no '{missing}'"):
            new(fitted.name).restore(rest, TRAIN.shape)


def test_the_mean_of_a_distribution_is_the_prediction(fitted):
    completer = fitted.completer
    if not completer.gives_distribution:
        with pytest.raises(GlocalkError, match="predicts a mean and no distribution"):
            completer.predict_distribution_pairs(ALL_USERS, ALL_ITEMS)
        return
    distribution = completer.predict_distribution_pairs(ALL_USERS, ALL_ITEMS)
    np.testing.assert_allclose(distribution.mean, fitted.predictions, rtol=0, atol=1e-5)
    low, high = distribution.interval(0.95)
    assert (low <= high).all()
    assert (distribution.std > 0).all()
    # It is worth something: the reference is the distribution of all training ratings.
    observed = completer.predict_distribution_pairs(HELD.users, HELD.items)
    levels, counts = np.unique(TRAIN.ratings, return_counts=True)
    reference = LevelDistribution(levels, np.tile(counts, (len(HELD), 1)))
    scores, least = (
        evaluate_distribution(each, HELD.ratings, levels) for each in (observed, reference)
    )
    assert scores.crps < 1.02 * least.crps
    assert scores.coverage["95"] > 0.8


def test_a_distribution_survives_saving(fitted):
    if not fitted.completer.gives_distribution:
        return
    other = new(fitted.name)
    other.restore(fitted.completer.state(), TRAIN.shape)
    before, after = (
        completer.predict_distribution_pairs(ALL_USERS, ALL_ITEMS)
        for completer in (fitted.completer, other)
    )
    np.testing.assert_allclose(after.std, before.std, atol=1e-6)
    np.testing.assert_allclose(after.mean, before.mean, atol=1e-6)


def test_a_fit_replaces_what_was_restored(refitted):
    first, before, completer = refitted
    assert not np.allclose(before, first.predictions)
    np.testing.assert_array_equal(completer.predict_pairs(ALL_USERS, ALL_ITEMS), first.predictions)
    assert completer.num_parameters == first.completer.num_parameters


def test_predictions_under_text_ids_are_those_of_the_indices(refitted):
    first, _, completer = refitted
    np.testing.assert_array_equal(
        completer.predict(IDS.users[ALL_USERS], IDS.items[ALL_ITEMS]),
        np.clip(first.predictions, *TRAIN.scale),
    )


def test_a_saved_and_loaded_completer_predicts_the_same_under_the_ids(refitted, tmp_path):
    _, _, completer = refitted
    completer.save(tmp_path / "model.pt")
    loaded = glocalk.load(tmp_path / "model.pt")
    assert type(loaded) is type(completer)
    assert loaded.config == completer.config
    ids = IDS.users[ALL_USERS], IDS.items[ALL_ITEMS]
    np.testing.assert_allclose(loaded.predict(*ids), completer.predict(*ids), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_an_unfitted_completer_says_so(name, tmp_path):
    some = np.array([0, 1])
    for ask in (
        lambda c: c.predict_pairs(some, some),
        lambda c: c.predict_grid(some, some),
        lambda c: c.state(),
        lambda c: c.num_parameters,
        lambda c: c.predict([0], [0]),
        lambda c: c.top([0]),
        lambda c: c.save(tmp_path / "model.pt"),
        lambda c: c.predict([0], [0], return_std=True),
        lambda c: c.predict_distribution([0], [0]),
    ):
        with pytest.raises(NotFittedError, match="is not fitted: call fit first"):
            ask(new(name))


@pytest.mark.parametrize("path", CONFIGS, ids=NAMES)
def test_the_config_file_begins_with_a_description(path):
    assert path.read_text().startswith("#")


@pytest.mark.parametrize("name", [name for name in NAMES if new(name).deterministic])
def test_renumbering_users_and_items_does_not_change_a_deterministic_result(name):
    rng = np.random.default_rng(1)
    users, items = rng.permutation(TRAIN.num_users), rng.permutation(TRAIN.num_items)
    renumbered = RatingMatrix(
        users[TRAIN.users], items[TRAIN.items], TRAIN.ratings, TRAIN.shape, TRAIN.scale
    )
    other = new(name).fit(renumbered, seed=0, side=SIDE)
    np.testing.assert_allclose(
        other.predict_pairs(users[ALL_USERS], items[ALL_ITEMS]),
        unobserved(name),
        rtol=0,
        atol=1e-8,
    )
