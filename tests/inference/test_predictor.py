"""Predictions under ids; expected values are computed pair by pair."""

import numpy as np
import pandas as pd
import pytest
import torch

import glocalk.inference.predictor
from glocalk.completers.baselines import Bias
from glocalk.data.ids import Ids
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError, NotFittedError
from inference.fitted import (
    EXPECTED,
    MEAN,
    NUM_ITEMS,
    NUM_USERS,
    NUMBER_IDS,
    SEEN,
    TEXT_IDS,
    TRAIN,
    expected_top,
    fitted,
)

ALL_USERS, ALL_ITEMS = np.divmod(np.arange(NUM_USERS * NUM_ITEMS), NUM_ITEMS)


@pytest.mark.parametrize("ids", [TEXT_IDS, NUMBER_IDS, None], ids=["text", "numbers", "none"])
def test_every_pair_is_predicted_under_its_ids_and_clipped(ids):
    model = fitted(ids=ids)
    labels = ids or Ids(np.arange(NUM_USERS), np.arange(NUM_ITEMS))
    assert EXPECTED.min() < 1
    assert EXPECTED.max() > 5, "nothing to clip"
    predicted = model.predict(labels.users[ALL_USERS], labels.items[ALL_ITEMS])
    assert predicted == pytest.approx(np.clip(EXPECTED, 1, 5).ravel())


def test_without_clipping_predictions_leave_the_scale():
    model = fitted(ids=None, clip=False)
    assert model.predict(ALL_USERS, ALL_ITEMS) == pytest.approx(EXPECTED.ravel())
    assert model.top(None, 1)["rating"].max() > 5


@pytest.mark.parametrize("ids", [TEXT_IDS, NUMBER_IDS], ids=["text", "numbers"])
@pytest.mark.parametrize("cells", [1, 200, 1 << 20])
@pytest.mark.parametrize("n", [1, 5, 1000])
def test_the_best_unrated_items_of_every_user(ids, cells, n, monkeypatch):
    monkeypatch.setattr(glocalk.inference.predictor, "_CELLS", cells)
    best = fitted(ids=ids).top(n=n)
    expected = expected_top(n, range(NUM_USERS))
    assert list(best.columns) == ["user", "item", "rank", "rating"]
    assert list(zip(best["user"], best["item"], best["rank"], strict=True)) == [
        (ids.users[user], ids.items[item], rank) for user, item, rank, _ in expected
    ]
    assert best["rating"].tolist() == pytest.approx([row[3] for row in expected])


def test_users_come_in_the_order_asked_for():
    order = [14, 0, 2]
    best = fitted().top(TEXT_IDS.users[order], 2)
    assert list(zip(best["user"], best["item"], strict=True)) == [
        (TEXT_IDS.users[user], TEXT_IDS.items[item]) for user, item, *_ in expected_top(2, order)
    ]


def test_equal_predictions_come_in_the_order_of_the_items():
    best = fitted(MEAN, ids=None).top([0], 3)
    assert best["item"].tolist() == [i for i in range(NUM_ITEMS) if (0, i) not in SEEN][:3]
    assert best["rating"].tolist() == pytest.approx([TRAIN.ratings.mean()] * 3)


def test_a_user_who_has_rated_everything_gets_no_items():
    users, items = np.divmod(np.arange(2 * NUM_ITEMS), NUM_ITEMS)
    train = RatingMatrix(users, items, np.full(len(users), 3.0), TRAIN.shape, (1, 5))
    model = fitted(MEAN, None, train)
    assert len(model.top([0, 1], 5)) == 0
    assert model.top([1, 2, 0], 1)["user"].tolist() == [2]


def test_what_a_completer_returns_for_a_grid_is_not_written_to(monkeypatch):
    model = fitted(ids=None)
    grid = np.clip(EXPECTED, 1, 5)
    grid.flags.writeable = False
    monkeypatch.setattr(model, "predict_grid", lambda *_: grid)
    assert len(model.top(None, 2)) == 2 * NUM_USERS


def test_text_and_whole_floats_name_the_same_whole_numbers():
    model = fitted(ids=Ids(NUMBER_IDS.users, np.arange(NUM_ITEMS)))
    expected = model.predict([595, 5], [0, 44])
    assert model.predict(["595", "5.0"], [0.0, 44.0]).tolist() == expected.tolist()
    assert model.predict(595, "0") == expected[:1]
    assert model.predict([], []).shape == (0,)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, torch.tensor])
def test_ids_may_be_lists_arrays_series_or_tensors(kind):
    model = fitted(ids=None)
    assert model.predict(kind([3, 17]), kind([5, 29])) == pytest.approx(
        np.clip(EXPECTED[[3, 17], [5, 29]], 1, 5)
    )
    assert model.top(kind([3]), 1)["user"].tolist() == [3]


def test_an_unknown_id_is_named():
    model = fitted()
    with pytest.raises(
        GlocalkError, match=r"^The user id 'eve' is not in tiny: correct it, or set the "
    ):
        model.predict(["u1", "eve"], ["item 1", "item 1"])
    with pytest.raises(
        # Right in Python, on the command line and in the body of a request.
        GlocalkError,
        match=r" 'item' is not in tiny: .* set the option 'unknown' to 'mean' for the mean rating",
    ):
        model.predict(["u1"], ["item"])
    with pytest.raises(
        GlocalkError, match=r" 'eve' is not in tiny: correct it, or leave it out\.$"
    ):
        model.top(["eve"], 3)
    with pytest.raises(GlocalkError, match="two lists of the same length, not 2 and 1"):
        model.predict(["u1", "u2"], ["item 1"])
    with pytest.raises(GlocalkError, match="must be a whole number from 1, not 0"):
        model.top(["u1"], 0)


@pytest.mark.parametrize("odd", ["x", "005", "5.5", "+5", "5e0", "inf", "1e300"])
@pytest.mark.parametrize("unknown", ["refuse", "mean"])
def test_ids_that_are_written_differently_are_refused(odd, unknown):
    with pytest.raises(GlocalkError) as error:
        fitted(ids=NUMBER_IDS).predict([odd], [2**60], unknown)
    assert str(error.value) == (
        f"None of the user ids is in tiny: write them as they are there, '595' and not '{odd}'."
    )


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda m: m.predict(True, 2), "The user id True is neither a whole number nor text"),
        (lambda m: m.predict([1, True], [2, 3]), "The user id True is neither a whole number"),
        (lambda m: m.predict(1, b"2"), "The item id b'2' is neither a whole number nor text"),
        (lambda m: m.predict(1, 2.5), "The item id 2.5 is neither a whole number nor text"),
        (lambda m: m.predict(1, 1j), "The item id 1j is neither a whole number nor text"),
        (lambda m: m.predict(1, None), "The item id at position 0 is missing"),
        (lambda m: m.predict([1, None], [2, 3], "mean"), "The user id at position 1 is missing"),
        (lambda m: m.predict([1, ""], [2, 3], "mean"), "The user id at position 1 is missing"),
        (lambda m: m.predict([[1, 2]], [[2, 3]]), "The user ids must be one-dimensional, not of"),
        (
            lambda m: m.predict(pd.DataFrame({"user": [1]}), [2]),
            "pass one column",
        ),
        (
            lambda m: m.predict({1}, [2]),
            "must be a list, an array or a Series, not set",
        ),
        (lambda m: m.predict([1, 2], 3), "two lists of the same length, not 2 and 1"),
        (lambda m: m.predict([1], [2], "drop"), "unknown='drop': choose from mean, refuse"),
        (lambda m: m.predict([1], [2], True), "unknown=True: choose from mean, refuse"),
        (lambda m: m.top(True), "The user id True is neither a whole number nor text"),
        (lambda m: m.top([[1, 2]]), "The user ids must be one-dimensional, not of shape (1, 2)"),
        (lambda m: m.top(pd.DataFrame({"user": [1]})), "pass one column"),
        (lambda m: m.top(1, 2.5), "must be a whole number from 1, not 2.5"),
        (lambda m: m.top(1, 0), "must be a whole number from 1, not 0"),
        (lambda m: m.top(1, True), "must be a whole number from 1, not True"),
    ],
)
def test_what_is_wrong_with_a_question_is_one_sentence(ask, sentence):
    with pytest.raises(GlocalkError) as error:
        ask(fitted(ids=None))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_large_ids_beside_floats_are_exact():
    model = fitted(ids=Ids(np.arange(NUM_USERS) + 2**53, np.arange(NUM_ITEMS)))
    predicted = model.predict([2**53 + 1, 2.0], [3, 3], unknown="mean")
    assert predicted[0] == pytest.approx(min(max(EXPECTED[1, 3], 1), 5))
    assert model.predict([str(2**53 + 1), "x"], [3, 3], unknown="mean")[0] == predicted[0]


def test_no_ids_give_no_predictions():
    assert fitted().predict([], []).shape == (0,)
    assert len(fitted().top([])) == 0


def test_unknown_ids_get_the_mean_on_request():
    users, items = ["u1", "eve", "u1", "eve"], ["item 4", "item 4", "nothing", "nothing"]
    predicted = fitted().predict(users, items, unknown="mean")
    known = min(max(EXPECTED[TEXT_IDS.users.tolist().index("u1"), 4], 1), 5)
    mean = sum(TRAIN.ratings.tolist()) / len(TRAIN)
    assert predicted.tolist() == pytest.approx([known, mean, mean, mean])


def test_a_completer_that_is_not_fitted_predicts_nothing():
    for ask in (lambda m: m.predict([0], [0]), lambda m: m.top([0]), lambda m: m.top_blocks()):
        with pytest.raises(NotFittedError, match="This Bias is not fitted: call fit first"):
            ask(Bias())


BAYESIAN = {"_target_": "glocalk.BayesianMF", "rank": 2, "samples": 20, "kept_rank": 5}


def test_standard_deviations_come_with_the_predictions():
    model = fitted(BAYESIAN)
    users, items = TEXT_IDS.users[[3, 0, 3]], TEXT_IDS.items[[2, 2, 5]]
    mean, std = model.predict(users, items, return_std=True)
    np.testing.assert_array_equal(mean, model.predict(users, items))
    distribution = model.predict_distribution(users, items)
    indices = np.array([3, 0, 3]), np.array([2, 2, 5])
    np.testing.assert_array_equal(std, model.predict_distribution_pairs(*indices).std)
    np.testing.assert_array_equal(std, distribution.std)
    np.testing.assert_array_equal(np.clip(distribution.mean, 1, 5), mean)
    (block,) = model.predict_blocks(users, items, return_std=True)
    assert list(block.columns) == ["user", "item", "rating", "std"]
    assert block["std"].tolist() == std.tolist()
    assert model.predict([], [], return_std=True)[1].shape == (0,)


def test_the_mean_is_clipped_and_the_standard_deviation_is_not():
    model = fitted(BAYESIAN)
    before = model.predict(["u1"], ["item 1"], return_std=True)[1]
    model.factors.mean += 100
    model._samples.blocks["users"][..., 0] += 100
    mean, std = model.predict(["u1"], ["item 1"], return_std=True)
    assert mean.tolist() == [5]
    assert std == pytest.approx(before, rel=1e-4)
    assert model.predict_distribution(["u1"], ["item 1"]).mean > 100


def test_a_standard_deviation_that_is_not_there_is_refused():
    with pytest.raises(GlocalkError, match="Bias predicts a mean and no distribution: leave out"):
        fitted().predict(["u1"], ["item 1"], return_std=True)
    with pytest.raises(GlocalkError, match="Pairs with an unknown id have no standard deviation"):
        fitted(BAYESIAN).predict(["eve"], ["item 1"], "mean", return_std=True)
    with pytest.raises(GlocalkError, match="'eve' is not in tiny"):
        fitted(BAYESIAN).predict_distribution(["eve"], ["item 1"])
    with pytest.raises(GlocalkError, match="no distribution"):  # before the first block
        fitted().predict_blocks(["u1"], ["item 1"], return_std=True)
