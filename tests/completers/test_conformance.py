"""What every completer must keep; a new one is found by its `conf/model/*.yaml`."""

import io

import numpy as np
import pytest
import torch
from cases import CONFIGS, NAMES, changes, new

from glocalk.data.ratings import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext
from planted import planted

TRAIN, TEST = planted()
ALL_USERS = np.repeat(np.arange(TRAIN.num_users), TRAIN.num_items)
ALL_ITEMS = np.tile(np.arange(TRAIN.num_items), TRAIN.num_users)


@pytest.fixture(scope="module", params=NAMES)
def trained(request):
    """(config name, fitted completer, its monitor)."""
    completer = new(request.param)
    monitor = Monitor(TEST)
    completer.fit(TRAIN, context=FitContext(seed=0, observer=monitor.observer()))
    return request.param, completer, monitor


@pytest.fixture(scope="module")
def plain():
    """name → predictions of the completer with its quick options, fitted once."""
    made = {}

    def predictions(name):
        if name not in made:
            completer = new(name)
            completer.fit(TRAIN, seed=0)
            made[name] = completer.predict_pairs(ALL_USERS, ALL_ITEMS)
        return made[name]

    return predictions


def test_the_floors_and_the_paper_s_model_are_there():
    assert {"bias", "glocal_k", "global_mean"} <= set(NAMES)


def test_predictions_are_finite_for_every_user_and_item(trained):
    _, completer, _ = trained
    predicted = completer.predict_pairs(ALL_USERS, ALL_ITEMS)
    assert predicted.shape == (TRAIN.num_users * TRAIN.num_items,)
    assert np.isfinite(predicted).all()


def test_a_pair_s_prediction_depends_on_the_pair_alone(trained):
    _, completer, _ = trained
    order = np.random.default_rng(0).permutation(len(ALL_USERS))
    whole = completer.predict_pairs(ALL_USERS, ALL_ITEMS)
    shuffled = completer.predict_pairs(ALL_USERS[order], ALL_ITEMS[order])
    np.testing.assert_allclose(shuffled, whole[order], rtol=0, atol=1e-5)
    assert completer.predict_pairs(ALL_USERS[:1], ALL_ITEMS[:1]) == pytest.approx(
        whole[:1], abs=1e-5
    )


def test_the_error_on_planted_ratings_is_sane(trained):
    name, completer, _ = trained
    error = np.clip(completer.predict_pairs(TEST.users, TEST.items), 1, 5) - TEST.ratings
    constant = np.sqrt(np.mean((TEST.ratings - TRAIN.ratings.mean()) ** 2))
    rmse = np.sqrt(np.mean(error**2))
    assert rmse > 0.3, "below the noise: it has seen the test ratings"
    assert rmse <= constant * (1 + 1e-9 if name == "global_mean" else 1.02)


def test_the_seed_decides(trained):
    name, completer, _ = trained

    def again(seed):
        other = new(name)
        other.fit(TRAIN, seed=seed)
        return other.predict_pairs(ALL_USERS, ALL_ITEMS)

    first = completer.predict_pairs(ALL_USERS, ALL_ITEMS)
    np.testing.assert_array_equal(again(0), first)
    assert np.array_equal(again(1), first) == completer.deterministic


def test_the_test_ratings_change_no_prediction(trained):
    name, completer, _ = trained
    other = new(name)
    other.fit(TRAIN, context=FitContext(seed=0, observer=Monitor().observer()))
    np.testing.assert_array_equal(
        other.predict_pairs(ALL_USERS, ALL_ITEMS), completer.predict_pairs(ALL_USERS, ALL_ITEMS)
    )


def test_the_monitor_hears_of_every_epoch_of_the_schedule(trained):
    _, completer, monitor = trained
    expected = [(s, e) for s, epochs in completer.schedule.items() for e in range(1, epochs + 1)]
    assert bool(expected) == completer.has_epochs
    assert list(zip(monitor.curves.stage, monitor.curves.epoch, strict=True)) == expected
    if expected:  # the last one saw what the completer predicts now
        error = np.clip(completer.predict_pairs(TEST.users, TEST.items), 1, 5) - TEST.ratings
        assert monitor.curves.test_rmse[-1] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-6)


def test_it_counts_its_parameters(trained):
    _, completer, _ = trained
    assert completer.num_parameters > 0


def test_saved_and_restored_it_predicts_the_same(trained):
    name, completer, _ = trained
    file = io.BytesIO()
    torch.save(dict(completer.state()), file)
    file.seek(0)
    other = new(name)
    other.restore(torch.load(file, weights_only=True), TRAIN.shape)
    np.testing.assert_allclose(
        other.predict_pairs(ALL_USERS, ALL_ITEMS),
        completer.predict_pairs(ALL_USERS, ALL_ITEMS),
        rtol=0,
        atol=1e-6,
    )
    assert other.num_parameters == completer.num_parameters
    again = other.state()
    assert again.keys() == completer.state().keys()
    for part, tensor in completer.state().items():
        torch.testing.assert_close(again[part], tensor)


def test_a_fit_replaces_what_was_restored(trained):
    name, completer, _ = trained
    other = new(name)
    other.restore({part: tensor + 1 for part, tensor in completer.state().items()}, TRAIN.shape)
    restored = other.predict_pairs(ALL_USERS, ALL_ITEMS)
    other.fit(TRAIN, seed=0)
    expected = completer.predict_pairs(ALL_USERS, ALL_ITEMS)
    assert not np.allclose(restored, expected)
    np.testing.assert_array_equal(other.predict_pairs(ALL_USERS, ALL_ITEMS), expected)
    assert other.num_parameters == completer.num_parameters


def test_an_incomplete_state_is_refused(trained):
    name, completer, _ = trained
    for missing in completer.state():
        rest = {part: tensor for part, tensor in completer.state().items() if part != missing}
        with pytest.raises(GlocalkError, match=f"no '{missing}'"):
            new(name).restore(rest, TRAIN.shape)


def test_the_grid_is_the_pairs(trained):
    _, completer, _ = trained
    users, items = np.array([59, 3, 17, 3]), np.array([44, 0, 8])
    grid = completer.predict_grid(users, items)
    assert grid.shape == (4, 3)
    for row, user in enumerate(users):
        pairs = completer.predict_pairs(np.full(3, user), items)
        np.testing.assert_allclose(grid[row], pairs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", CONFIGS, ids=NAMES)
def test_the_config_says_what_it_is(path):
    assert path.read_text().startswith("#")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(name, options, id=f"{name}-{option}")
        for name in NAMES
        for option, options in changes(name).items()
    ],
)
def test_every_option_changes_the_predictions(name, options, plain):
    other = new(name, options)
    other.fit(TRAIN, seed=0)
    assert not np.allclose(
        other.predict_pairs(ALL_USERS, ALL_ITEMS), plain(name), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("name", [name for name in NAMES if new(name).deterministic])
def test_without_chance_the_numbering_of_users_and_items_changes_nothing(name):
    rng = np.random.default_rng(1)
    users, items = rng.permutation(TRAIN.num_users), rng.permutation(TRAIN.num_items)
    renumbered = RatingMatrix(
        users[TRAIN.users], items[TRAIN.items], TRAIN.ratings, TRAIN.shape, TRAIN.scale
    )
    first, other = new(name), new(name)
    first.fit(TRAIN, seed=0)
    other.fit(renumbered, seed=0)
    np.testing.assert_allclose(
        other.predict_pairs(users[ALL_USERS], items[ALL_ITEMS]),
        first.predict_pairs(ALL_USERS, ALL_ITEMS),
        rtol=0,
        atol=1e-8,
    )
