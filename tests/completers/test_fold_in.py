"""New users and items without training: what every completer must do, or refuse in one sentence."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cases import ALL_ITEMS, ALL_USERS, HELD, NAMES, TRAIN, class_of, new, watched

import glocalk
from glocalk.completers.igmc.igmc import IGMC
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError

FOLDING = [name for name in NAMES if new(name).folds_in]
REFUSING = [name for name in NAMES if name not in FOLDING]
BOTH = {"users", "items"}

# Users with as many ratings as there are, and with one.
OLD = np.array([3, 8, 20, 41])
NEW_USERS = 60 + np.arange(4)  # `TRAIN` has the users 0 … 59 and the items 0 … 44
NEW_ITEMS = 45 + np.arange(4)


def frame(users, items, ratings):
    return pd.DataFrame({"user": users, "item": items, "rating": ratings})


def as_new(kind, old=OLD):
    """The training ratings of some users (items), as if they were those of new ones."""
    own, first = (TRAIN.users, 60) if kind == "users" else (TRAIN.items, 45)
    parts = []
    for position, one in enumerate(old):
        of_one = TRAIN.select(own == one)
        renamed = np.full(len(of_one), first + position)
        pairs = (renamed, of_one.items) if kind == "users" else (of_one.users, renamed)
        parts.append(frame(*pairs, of_one.ratings))
    return pd.concat(parts, ignore_index=True)


def grid_of(model, kind, which=None):
    """Predictions [newcomers, others] of the newcomers for everything known."""
    if kind == "users":
        return model.predict_grid(NEW_USERS if which is None else which, np.arange(45))
    return model.predict_grid(np.arange(60), NEW_ITEMS if which is None else which).T


CASES = [(name, kind) for name in FOLDING for kind in sorted(new(name).folds_in)]


@pytest.fixture(scope="module", params=CASES, ids=[f"{name}-{kind}" for name, kind in CASES])
def case(request):
    """(fitted completer, `users` or `items`, the ratings of four new ones, folded in)."""
    name, kind = request.param
    model = watched(name).completer
    return model, kind, as_new(kind), model.fold_in(as_new(kind))


def test_the_completers_whose_form_allows_it_fold_in():
    users = {name for name in FOLDING if "users" in new(name).folds_in}
    items = {name for name in FOLDING if "items" in new(name).folds_in}
    both = {
        "global_mean", "bias", "user_knn", "item_knn", "bias_mf", "bias_mf_als", "svd_pp",
        "soft_impute", "igmc",
    }  # fmt: skip
    assert users >= both | {"u_autorec"}
    assert items >= both | {"i_autorec", "glocal_k", "sparse_fc"}
    assert "glocal_k_permuted" in REFUSING


@pytest.mark.parametrize("name", REFUSING)
def test_the_others_refuse_in_one_sentence_that_says_what_to_do(name):
    model = new(name)
    model.trained_on = watched("global_mean").completer.trained_on
    with pytest.raises(GlocalkError) as error:
        model.fold_in(as_new("users"))
    assert str(error.value) == (
        f"{class_of(name).__name__} cannot predict for new users or items without training: fit "
        "the model again with these ratings among the training ratings."
    )


def test_predictions_for_newcomers_are_finite_and_better_than_the_mean(case):
    model, kind, _, folded = case
    predicted = grid_of(folded, kind)
    assert predicted.shape == (4, 45 if kind == "users" else 60)
    assert np.isfinite(predicted).all()
    # Tested on the ratings that were held out of the training, in the name of the newcomers.
    own, other = (HELD.users, HELD.items) if kind == "users" else (HELD.items, HELD.users)
    chosen = np.isin(own, OLD)
    rows, columns = np.searchsorted(OLD, own[chosen]), other[chosen]
    off = np.clip(predicted[rows, columns], 1, 5) - HELD.ratings[chosen]
    from_mean = TRAIN.ratings.mean() - HELD.ratings[chosen]
    if type(model) is glocalk.GlobalMean:
        np.testing.assert_allclose(off, from_mean)
    else:
        assert np.mean(off**2) < np.mean(from_mean**2)


def test_the_fitted_model_does_not_change(case):
    model, kind, ratings, _ = case
    before = {name: part.clone() for name, part in model.state().items()}
    predicted, known = model.predict_pairs(ALL_USERS, ALL_ITEMS), model.trained_on
    model.fold_in(ratings)
    assert model.trained_on is known
    after = model.state()
    assert after.keys() == before.keys()
    assert all((after[name] == part).all() for name, part in before.items())
    np.testing.assert_array_equal(model.predict_pairs(ALL_USERS, ALL_ITEMS), predicted)
    with pytest.raises(GlocalkError, match="not in the training ratings"):
        model.predict([60] if kind == "users" else [0], [0] if kind == "users" else [45])


def test_predictions_for_known_pairs_stay(case):
    model, _, _, folded = case
    if type(model) is IGMC:  # new ratings are in their subgraphs
        pytest.skip("predictions of IGMC depend on all ratings nearby")
    np.testing.assert_array_equal(
        folded.predict_pairs(ALL_USERS, ALL_ITEMS), model.predict_pairs(ALL_USERS, ALL_ITEMS)
    )


def test_newcomers_do_not_depend_on_their_company_or_order(case):
    model, kind, ratings, folded = case
    column = kind[:-1]
    two = ratings[column] < ratings[column].min() + 2
    one_way = model.fold_in(ratings[two]).fold_in(ratings[~two])
    other_way = model.fold_in(ratings[~two]).fold_in(ratings[two][::-1])
    others = np.arange(45 if kind == "users" else 60)
    # IGMC draws neighbors by their numbers, which `other_way` gives in another order.
    for extended in (one_way, other_way) if type(model) is not IGMC else (one_way,):
        ids = getattr(extended.trained_on.ids, kind).tolist()
        assert sorted(ids) == list(range(len(ids)))
        which = np.array([ids.index(one) for one in (NEW_USERS if kind == "users" else NEW_ITEMS)])
        np.testing.assert_allclose(
            grid_of(extended, kind, which)[:, others], grid_of(folded, kind), rtol=0, atol=1e-5
        )


def test_a_loaded_model_folds_in_and_a_folded_one_is_saved_and_loaded(case, tmp_path):
    model, kind, ratings, folded = case
    model.save(tmp_path / "model.pt")
    from_file = glocalk.load(tmp_path / "model.pt").fold_in(ratings)
    np.testing.assert_allclose(grid_of(from_file, kind), grid_of(folded, kind), rtol=0, atol=1e-5)
    folded.save(tmp_path / "folded.pt")
    again = glocalk.load(tmp_path / "folded.pt")
    np.testing.assert_allclose(grid_of(again, kind), grid_of(folded, kind), rtol=0, atol=1e-5)
    assert again.num_parameters == folded.num_parameters
    users = [60] if kind == "users" else [0, 3]
    pd.testing.assert_frame_equal(again.top(users, 60), folded.top(users, 60), atol=1e-5)
    rated = set(zip(ratings.user, ratings.item, strict=True))
    listed = folded.top(users, 60)
    assert not rated & set(zip(listed.user, listed.item, strict=True))
    assert len(listed) == len(users) * len(folded.trained_on.ids.items) - sum(
        folded.trained_on.counts[user] for user in users
    )


def test_both_sides_at_once_are_those_one_after_the_other():
    for name in FOLDING:
        if new(name).folds_in != BOTH or name == "igmc":
            continue
        model = watched(name).completer
        users, items = as_new("users"), as_new("items")
        at_once = model.fold_in(pd.concat([users, items]))
        in_turn = model.fold_in(items).fold_in(users)
        for kind in BOTH:
            np.testing.assert_allclose(grid_of(at_once, kind), grid_of(in_turn, kind), atol=1e-9)
        cross = NEW_USERS, NEW_ITEMS
        np.testing.assert_allclose(
            at_once.predict_grid(*cross), in_turn.predict_grid(*cross), atol=1e-9, err_msg=name
        )


def test_a_known_id_without_training_ratings_is_a_newcomer():
    model = watched("bias").completer
    folded = model.fold_in(frame([59, 59], [0, 1], [5, 5]))  # `TRAIN` has no rating of user 59
    assert folded.trained_on.ids.users.tolist() == list(range(60))
    expected = model.fold_in(frame([60, 60], [0, 1], [5, 5]))
    np.testing.assert_array_equal(folded.predict([59], [7]), expected.predict([60], [7]))


def test_part_of_a_split_is_folded_in_under_its_ids():
    ratings = glocalk.Ratings.from_frame(
        as_new("users").assign(user=lambda f: "u" + f.user.map(str))
    )
    model = watched("bias").completer
    folded = model.fold_in(ratings.select(ratings.users < 2))
    assert folded.trained_on.ids.users[-3:].tolist() == ["59", "u60", "u61"]
    np.testing.assert_array_equal(
        folded.predict(["u60"], [0]), model.fold_in(as_new("users")).predict([60], [0])
    )


REFUSED = [
    (
        "bias",
        frame([60, 60], [0, 99], [3, 3]),
        "Neither the user '60' nor the item '99' has a training rating",
    ),
    (
        "bias",
        frame([0], [TRAIN.items[0]], [3]),
        "The user '0' and the item '.*' both have training",
    ),
    ("bias", frame([60], [0], [9]), "The rating 9 of user 60, item 0 is not on the scale 1 … 5"),
    ("bias", frame([60, 60], [0, 0], [3, 4]), "more than one rating of user 60, item 0"),
    ("bias", frame([60], [99], [3]), "No user and no item in the ratings to fold in is in the"),
    ("bias", frame(["ann"], ["i0"], [3]), "None of the user ids in the ratings to fold in is in"),
    ("bias", frame([60], [0], [3]).iloc[:0], "There are no ratings: pass at least one"),
    ("bias", [3, 4], "fold_in takes ratings, not list"),
    ("i_autorec", frame([60], [0], [3]), "AutoRec folds in new items alone, but the user '60' has"),
    (
        "u_autorec",
        frame([60], [99], [3]),
        "AutoRec folds in new users alone, but the item '99' has",
    ),
    ("u_autorec", frame([60], ["i0"], [3]), "None of the item ids is in the training ratings"),
    ("igmc", frame([60], [0], [2.5]), "IGMC has no weights for the rating 2.5"),
]


@pytest.mark.parametrize(("name", "ratings", "sentence"), REFUSED)
def test_what_cannot_be_folded_in_is_named_in_one_sentence(name, ratings, sentence):
    with pytest.raises(GlocalkError, match=sentence) as error:
        watched(name).completer.fold_in(ratings)
    assert str(error.value).count(". ") == 0


def test_no_ratings_at_all_are_refused():
    empty = RatingMatrix(np.arange(0), np.arange(0), np.zeros(0), TRAIN.shape, TRAIN.scale)
    with pytest.raises(GlocalkError, match="There are no ratings to fold in"):
        watched("bias").completer.fold_in(empty)


def test_an_unfitted_completer_folds_nothing_in():
    with pytest.raises(glocalk.NotFittedError):
        new("bias").fold_in(as_new("users"))


def test_a_completer_that_declares_it_without_defining_it_says_so():
    class Declared(glocalk.GlobalMean):
        folds_in = frozenset({"users"})
        fold_in_matrix = glocalk.Completer.fold_in_matrix

    with pytest.raises(NotImplementedError, match=r"Declared\.folds_in is not empty"):
        Declared().fit(TRAIN).fold_in(as_new("users"))


@pytest.mark.parametrize("name", ["i_autorec", "glocal_k", "svd_pp"])
def test_a_file_of_an_older_version_predicts_but_does_not_fold_in(name):
    model = watched(name).completer
    state = {
        part: tensor
        for part, tensor in model.state().items()
        if not part.startswith(("encoder_", "implicit_factors"))
    }
    assert state.keys() < model.state().keys()
    old = new(name)
    old.restore(state, TRAIN.shape)
    old.trained_on = model.trained_on
    np.testing.assert_allclose(
        old.predict_pairs(ALL_USERS, ALL_ITEMS),
        model.predict_pairs(ALL_USERS, ALL_ITEMS),
        atol=1e-6,
    )
    assert old.state().keys() == state.keys()
    with pytest.raises(GlocalkError, match="without fold_in and lacks what it takes"):
        old.fold_in(as_new(min(old.folds_in - {"users"})))


@pytest.mark.data("ml-100k")
def test_the_example_of_the_documentation_recommends_to_a_new_user():
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (code,) = (block for block in blocks if "model.fold_in(" in block)
    names = {}
    exec(code, names)
    best = names["best"]
    assert best["user"].tolist() == ["ann"] * 10
    assert not {50, 172, 181} & set(best["item"])
    assert "ann" not in set(names["model"].trained_on.ids.users)
