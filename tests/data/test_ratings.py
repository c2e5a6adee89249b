import doctest

import numpy as np
import pandas as pd
import pytest
import torch

import glocalk.data.ids
import glocalk.data.rating_matrix
import glocalk.data.ratings
import glocalk.data.splits
from glocalk.data.ids import Ids
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.ratings import Ratings
from glocalk.errors import GlocalkError

USERS, ITEMS, VALUES = [30, 10, 30, 20], [7, 7, 5, 6], [4, 2, 5, 3]
# The same by hand: users 10, 20, 30 and items 5, 6, 7 in ascending order, sorted by user and item.
TRIPLES = [(0, 2, 2.0), (1, 1, 3.0), (2, 0, 5.0), (2, 2, 4.0)]


def triples(ratings):
    return list(
        zip(ratings.users.tolist(), ratings.items.tolist(), ratings.ratings.tolist(), strict=True)
    )


def refusal(users=USERS, items=ITEMS, ratings=VALUES, scale=None):
    with pytest.raises(GlocalkError) as error:
        Ratings.from_arrays(users, items, ratings, scale=scale)
    sentence = str(error.value)
    assert len(sentence.splitlines()) == 1
    return sentence


def frame(**columns):
    return pd.DataFrame({"user": USERS, "item": ITEMS, "rating": VALUES, "extra": "x", **columns})


@pytest.mark.parametrize(
    "convert",
    [
        list,
        tuple,
        np.array,
        lambda x: np.array(x, dtype=np.uint8),
        lambda x: np.array(x, dtype=np.float32),
        lambda x: np.array(x, dtype=object),
        pd.Series,
        lambda x: pd.Series(x, index=[9, 8, 7, 6]),
        lambda x: pd.Series(x, dtype="Int64"),
        lambda x: pd.Series(x, dtype="Float64"),
        lambda x: pd.Series(x, dtype="category"),
        pd.Index,
        torch.tensor,
        lambda x: torch.tensor(x, dtype=torch.int32),
        lambda x: torch.tensor(x, dtype=torch.float32, requires_grad=True),
        lambda x: [torch.tensor(value) for value in x],
    ],
)
def test_inputs_of_any_kind_give_the_same_ratings(convert):
    ratings = Ratings.from_arrays(convert(USERS), convert(ITEMS), convert(VALUES))
    assert triples(ratings) == TRIPLES
    assert (ratings.shape, ratings.scale) == ((3, 3), (2, 5))
    assert (ratings.ids.users.dtype, ratings.ids.items.dtype) == (np.int64, np.int64)
    assert ratings.ids.users.tolist() == [10, 20, 30]
    assert ratings.ids.items.tolist() == [5, 6, 7]


def test_a_frame_gives_the_same_ratings_under_any_column_names():
    assert triples(Ratings.from_frame(frame())) == TRIPLES
    renamed = frame().rename(columns={"user": "u", "item": 0, "rating": "stars"})
    assert triples(Ratings.from_frame(renamed, user="u", item=0, rating="stars")) == TRIPLES


def test_the_arrays_given_are_left_alone():
    users, values = np.array(USERS), np.array(VALUES, dtype=float)
    ratings = Ratings.from_arrays(users, ITEMS, values)
    users[0], values[0] = 99, 99
    assert triples(ratings) == TRIPLES


@pytest.mark.parametrize(
    "users",
    [
        ["cy", "al", "cy", "bo"],
        np.array(["cy", "al", "cy", "bo"]),
        pd.Series(["cy", "al", "cy", "bo"]),
        pd.Series(["cy", "al", "cy", "bo"], dtype="string"),
        pd.Series(["cy", "al", "cy", "bo"], dtype="category"),
    ],
)
def test_ids_may_be_text(users):
    ratings = Ratings.from_arrays(users, ITEMS, VALUES)
    assert triples(ratings) == TRIPLES
    assert ratings.ids.users.tolist() == ["al", "bo", "cy"]
    assert ratings.ids.users.dtype == object


@pytest.mark.parametrize(
    ("users", "labels"),
    [
        ([2, "b", 2, "a"], ["2", "a", "b"]),  # mixed ids are text
        (["10", "9", "10", "b"], ["10", "9", "b"]),  # text is sorted as text
        (["10", "9", "10", "9.0"], ["10", "9"]),
        ([2**63, 5, 2**63, 2**70], [str(2**70), "5", "9223372036854775808"]),
    ],
)
def test_other_ids_become_text(users, labels):
    users = np.array(users, dtype=object)
    ratings = Ratings.from_arrays(users, ITEMS, VALUES)
    assert ratings.ids.users.tolist() == labels


def test_large_whole_numbers_are_exact():
    users = [2**62 + 1, 2**62, -(2**63), 2**63 - 1]
    assert Ratings.from_arrays(users, ITEMS, VALUES).ids.users.tolist() == sorted(users)


def test_unsigned_numbers_beyond_the_signed_ones_become_text():
    users = np.array([2**64 - 1, 1, 2**64 - 1, 2**63], dtype=np.uint64)
    assert Ratings.from_arrays(users, ITEMS, VALUES).ids.users.tolist() == [
        *("1", "18446744073709551615", "9223372036854775808")
    ]


@pytest.mark.parametrize(
    ("users", "shown"),
    [
        ([1.5, 2, 3, 4], "1.5"),
        ([1, 2, float("inf"), 4], "inf"),
        (np.array([1, 2, 3, 4.5], dtype=object), "4.5"),
        ([True, False, True, True], "True"),
        (pd.Series([True, False, True, True], dtype="boolean"), "True"),
        (torch.tensor([True, False, True, True]), "True"),
        ([b"a", b"b", b"c", b"d"], "b'a'"),
    ],
)
def test_ids_are_whole_numbers_or_text(users, shown):
    assert refusal(users=users) == (
        f"The user id {shown} is neither a whole number nor text: convert the ids to one of them."
    )


@pytest.mark.parametrize(
    "items",
    [
        [7, 7, None, 6],
        [7, 7, float("nan"), 6],
        ["a", "b", None, "c"],
        ["a", "b", float("nan"), "c"],
        pd.Series([7, 7, None, 6]),
        pd.Series([7, 7, pd.NA, 6], dtype="Int64"),
        pd.Series(["a", "b", pd.NA, "c"], dtype="string"),
        pd.Series(["a", "b", None, "c"], dtype="category"),
        np.array([7, 7, pd.NA, 6], dtype=object),
        torch.tensor([7, 7, float("nan"), 6]),
    ],
)
def test_a_missing_id_is_refused(items):
    assert refusal(items=items) == (
        "The item id at position 2 is missing: remove its row, or give it an id."
    )


@pytest.mark.parametrize(
    "ratings",
    [
        [4, 2, None, 3],
        [4, 2, float("nan"), 3],
        pd.Series([4, 2, None, 3]),
        pd.Series([4, 2, pd.NA, 3], dtype="Int64"),
        np.array([4, 2, pd.NA, 3], dtype=object),
        torch.tensor([4, 2, float("nan"), 3]),
    ],
)
@pytest.mark.parametrize("scale", [None, (1, 5)])
def test_a_missing_rating_is_refused_by_its_ids(ratings, scale):
    assert refusal(users=["cy", "al", "bo", "bo"], ratings=ratings, scale=scale) == (
        "The rating nan of user bo, item 5 is not a finite number."
    )


def test_ratings_that_are_all_missing():
    nothing = [float("nan")] * 4
    assert refusal(ratings=nothing) == "The rating nan of user 30, item 7 is not a finite number."


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_an_infinite_rating_is_refused(value):
    assert refusal(ratings=[4, 2, value, 3]) == (
        f"The rating {value} of user 30, item 5 is not a finite number."
    )


def test_a_rating_may_be_the_text_of_a_number():
    assert triples(Ratings.from_arrays(USERS, ITEMS, ["4", "2.0", "5", "3"])) == TRIPLES
    assert "A rating is not a number (" in refusal(ratings=["4", "good", "5", "3"])


def test_the_scale_is_that_of_the_ratings_unless_it_is_given():
    assert Ratings.from_arrays(USERS, ITEMS, VALUES).scale == (2, 5)
    assert Ratings.from_frame(frame(), scale=(0.5, 5)).scale == (0.5, 5)
    assert refusal(users=["cy", "al", "cy", "bo"], scale=(1, 4)) == (
        "The rating 5 of user cy, item 5 is not on the scale 1 … 4."
    )


def test_a_pair_is_rated_once():
    assert refusal(users=["al", "bo", "al", "al"], items=[7, 7, 7, 5]) == (
        "There is more than one rating of user al, item 7: keep one rating per pair."
    )


def test_the_same_id_as_a_number_and_as_text_is_one_id():
    mixed = [1, "1", "b", "c"]
    assert "more than one rating of user 1, item 7" in refusal(users=mixed)


@pytest.mark.parametrize(
    ("users", "items", "ratings", "shapes"),
    [
        ([1], [1, 2], [3, 4], "(1,), (2,) and (2,)"),
        ([1, 2], [1, 2], [3, float("nan"), 4], "(2,), (2,) and (3,)"),
        ([], [], [3], "(0,), (0,) and (1,)"),
        ([1, 2], [1, 2], [[3, 4]], "(2,), (2,) and (1, 2)"),
        ([1], [1], 3, "(1,), (1,) and ()"),
    ],
)
def test_lengths_that_differ(users, items, ratings, shapes):
    assert refusal(users, items, ratings) == (
        f"Users, items and ratings must have the same length, not the shapes {shapes}."
    )


def test_no_ratings():
    assert refusal([], [], []) == "There are no ratings: pass at least one."
    with pytest.raises(GlocalkError, match=r"^There are no ratings: pass at least one\.$"):
        Ratings.from_frame(frame().head(0))


@pytest.mark.parametrize(
    ("users", "sentence"),
    [
        ([[1, 2], [3, 4]], "The user ids must be one-dimensional, not of shape (2, 2)."),
        (7, "The user ids must be a list, an array or a Series, not int."),
        ([[1], [2, 3]], "The user ids cannot be converted to an array (setting an array element"),
    ],
)
def test_ids_in_another_shape(users, sentence):
    assert refusal(users=users).startswith(sentence)


def test_a_frame_without_a_column():
    with pytest.raises(GlocalkError) as error:
        Ratings.from_frame(frame().drop(columns="item"))
    assert str(error.value) == (
        "The table has no column 'item' (it has user, rating, extra): name the columns with user=, "
        "item= and rating=."
    )


def test_a_column_in_the_index_and_a_name_that_is_a_list():
    with pytest.raises(GlocalkError) as error:
        Ratings.from_frame(frame().set_index(["user", "item"]))
    assert str(error.value) == (
        "The table has no column 'user' (it has rating, extra): it is an index, so call "
        "reset_index first."
    )
    with pytest.raises(GlocalkError, match=r"^The table has no column '\['user'\]' \(it has"):
        Ratings.from_frame(frame(), user=["user"])


def test_a_masked_rating_is_refused():
    ratings = np.ma.array(VALUES, mask=[False, True, False, False])
    assert refusal(ratings=ratings) == "The rating nan of user 10, item 7 is not a finite number."


def test_a_column_that_exists_twice():
    twice = pd.concat([frame(), frame()[["user"]]], axis=1)
    with pytest.raises(
        GlocalkError, match=r"user ids must be one-dimensional, not of shape \(4, 2"
    ):
        Ratings.from_frame(twice)


def test_selected_ratings_keep_ids_shape_and_scale():
    ratings = Ratings.from_arrays(USERS, ITEMS, VALUES)
    chosen = ratings.select([2, 0])
    assert isinstance(chosen, Ratings)
    assert triples(chosen) == [TRIPLES[0], TRIPLES[2]]
    assert (chosen.ids, chosen.shape, chosen.scale) == (ratings.ids, (3, 3), (2, 5))


def test_ids_do_not_change_the_checksum():
    ratings = Ratings.from_arrays(USERS, ITEMS, VALUES)
    users, items, values = (np.array(column) for column in zip(*TRIPLES, strict=True))
    plain = RatingMatrix(users.astype(int), items.astype(int), values, (3, 3), (2, 5))
    assert ratings.checksum == plain.checksum
    labeled = Ratings.of(plain, Ids.numbered((3, 3)))
    assert labeled.ids.users.tolist() == [0, 1, 2]
    assert triples(labeled) == TRIPLES


def test_ids_fit_the_shape():
    plain = RatingMatrix(np.array([0]), np.array([1]), np.array([3.0]), (2, 3), (1, 5))
    with pytest.raises(GlocalkError, match=r"3 user ids and 3 item ids do not fit .* \(2, 3\)\.$"):
        Ratings.of(plain, Ids.numbered((3, 3)))


@pytest.mark.parametrize(
    "module",
    [glocalk.data.ids, glocalk.data.ratings, glocalk.data.rating_matrix, glocalk.data.splits],
    ids=lambda module: module.__name__,
)
def test_the_examples_of_the_documentation(module):
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
