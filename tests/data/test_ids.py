import numpy as np
import pandas as pd
import pytest

from glocalk.data.datasets.movielens import MovieLens1M, MovieLens100K
from glocalk.data.ids import Ids, join, refuse_unrelated
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError

LARGE = 2**53 + 1  # the float of this number is its neighbor


def text(*labels):
    return np.array(labels, dtype=object)


def test_ids_are_found_and_unknown_ones_reported():
    ids = Ids(text("ann", "7", "bob"), np.array([30, 10, 20]))
    assert ids.find_users(["bob", "eve", "ann"]).tolist() == [2, -1, 0]
    assert ids.find_users([7]).tolist() == [1]
    assert ids.find_items([10, 11, 30]).tolist() == [1, -1, 0]
    assert ids.find_items(["20", "x", "10.5"]).tolist() == [2, -1, -1]
    assert ids.find_items([]).tolist() == []


@pytest.mark.parametrize(
    "items", [np.array([3, 4, 3]), text("3", "4", "3.0"), text("a", "3", "3 ")]
)
def test_ids_are_distinct(items):
    with pytest.raises(GlocalkError, match="The item id '3' occurs more than once"):
        Ids(np.arange(2), items)


def test_large_ids_are_found_exactly_whatever_stands_beside_them():
    large = 2**53
    numbers = Ids(np.array([large, large + 1, large + 2]), np.arange(1))
    texts = Ids(text(str(large), str(large + 1), "x"), np.arange(1))
    for ids in (numbers, texts):
        assert ids.find_users([str(large + 1), "y"]).tolist() == [1, -1]
        assert ids.find_users([large + 1, 5.0]).tolist() == [1, -1]
        assert ids.find_users([large + 1, str(large), 10**30]).tolist() == [1, 0, -1]
        assert ids.find_users(pd.Series([large + 1, large], dtype="Int64")).tolist() == [1, 0]


@pytest.mark.parametrize("missing", [None, float("nan"), "", " ", pd.NA])
def test_a_missing_id_is_not_an_unknown_one(missing):
    with pytest.raises(GlocalkError, match="The user id at position 1 is missing"):
        Ids(text("a", "b"), np.arange(1)).find_users(["a", missing])


# Each file has the distinct ids of a column; ids and the positions in them are written by hand.
@pytest.mark.parametrize(
    ("columns", "ids", "positions"),
    [
        ([np.array([9, 10]), np.array([8, 9])], [8, 9, 10], [[1, 2], [0, 1]]),
        ([["9.0", "10.0"], np.array([8, 9])], [8, 9, 10], [[1, 2], [0, 1]]),
        ([["9", "9.0"], ["9"]], [9], [[0, 0], [0]]),
        ([["9.0", "x"], np.array([10, 9])], ["10", "9", "x"], [[1, 2], [0, 1]]),
        ([["009", "9"], np.array([9])], ["009", "9"], [[0, 1], [1]]),
        ([["9.5", "9.0"], ["9.50"]], ["9", "9.5", "9.50"], [[1, 0], [2]]),
        (
            [["9007199254740993.0"], [f"{2**53 + 1}"]],
            *[[f"{2**53 + 1}", f"{2**53 + 1}.0"], [[1], [0]]],
        ),
    ],
)
def test_columns_of_several_files_are_joined(columns, ids, positions):
    labels, found = join(columns)
    assert labels.tolist() == ids
    assert [part.tolist() for part in found] == positions


def sample(users, items=(7, 8)):
    return Ids(*(np.array(column, dtype=object) for column in (users, items)))


@pytest.mark.parametrize(
    ("known", "asked", "sentence"),
    [
        ([1, 2], ["00001", "00002"], "'1' and not '00001'"),
        (["u1", "u2"], [1, 2], "'u1' and not '1'"),
        (["Ann", "Bob"], ["cy", "ann"], "'Ann' and not 'ann'"),
        (["07", "x"], ["y", "7"], "'07' and not '7'"),
        (["\u00e9", "x"], ["e\u0301", "y"], "'\u00e9' and not 'e\u0301'"),
        ([1, 2], ["1e0", "2e0"], "'1' and not '1e0'"),
    ],
)
def test_ids_that_are_written_differently_are_refused(known, asked, sentence):
    with pytest.raises(GlocalkError) as error:
        refuse_unrelated(sample(known), sample(asked), ("'a.csv'", "'b.csv'"))
    assert str(error.value) == (
        "None of the user ids in 'b.csv' is in 'a.csv': write them as they are there, "
        + sentence
        + "."
    )


def test_ids_without_a_common_user_and_a_common_item_are_refused():
    with pytest.raises(GlocalkError) as error:
        refuse_unrelated(sample([1, 2], [10, 20]), sample([3, 4], [11, 21]), ("tiny", "'b.csv'"))
    assert str(error.value) == (
        "No user and no item in 'b.csv' is in tiny (user '3', not '1'; item '11', not '10'): check "
        "the columns, and whether both are of one data set."
    )


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ([1, 2], [101, 102]),  # users that are all new
        (["ann", "bob"], ["cy", "dan"]),
        (["u1", 2], ["u3", "u4"]),
        ([1, 2], ["u3", 4]),
        ([1, 2], [10**30]),
        ([1, 2], ["01", 2]),  # one is known
        ([1, 2], []),
    ],
)
def test_users_that_are_all_new_are_a_fair_question(known, asked):
    refuse_unrelated(sample(known), sample(asked), ("tiny", "'b.csv'"))


def split(ids):
    def part(user, item):
        index = np.array([user]), np.array([item])
        return RatingMatrix(*index, np.array([3.0]), (2, 3), (1, 5))

    return Split("tiny", part(0, 0), part(1, 2), ids=ids)


def test_a_split_without_ids_is_numbered():
    assert split(None).ids.items.tolist() == [0, 1, 2]


def test_ids_fit_the_shape():
    with pytest.raises(
        GlocalkError, match=r"2 user ids and 2 item ids do not fit a matrix of shape \(2, 3\)"
    ):
        split(Ids(np.arange(2), np.arange(2)))


def test_a_split_keeps_its_ids():
    ids = Ids(text("a", "b"), text("x", "y", "z"))
    assert split(ids).ids is ids


def test_ids_are_equal_if_they_label_the_same_indices():
    ids = Ids(text("a", "b"), np.array([3, 4]))
    assert ids.equals(Ids(text("a", "b"), np.array([3, 4])))
    assert not ids.equals(Ids(text("b", "a"), np.array([3, 4])))
    assert not ids.equals(Ids(text("a", "b"), np.array([3, 4, 5])))
    assert ids.equals(Ids(text("a", "b"), text("3", "4.0")))
    assert not ids.equals(Ids(text("a", "b"), text("3", "04")))


@pytest.mark.data("ml-100k")
def test_ml_100k_has_the_ids_of_its_file(data_dir):
    split = MovieLens100K(MovieLens100K.Config()).split(data_dir)
    lines = (data_dir / "ml-100k" / "u1.test").read_text().splitlines()
    wanted = {tuple(map(int, line.split("\t")[:2])) for line in lines}
    labels = split.ids
    users, items = labels.users[split.test.users], labels.items[split.test.items]
    assert set(zip(users.tolist(), items.tolist(), strict=True)) == wanted


@pytest.mark.data("ml-1m")
def test_ml_1m_has_the_ids_of_its_file(data_dir):
    split = MovieLens1M(MovieLens1M.Config()).split(data_dir)
    first = (data_dir / "ml-1m" / "ratings.dat").read_text().split("\n", 1)[0].split("::")
    user, item = (int(number) for number in first[:2])
    at = split.ids.find_users([user])[0], split.ids.find_items([item])[0]
    cells = [(part.users == at[0]) & (part.items == at[1]) for part in (split.train, split.test)]
    ratings = [*split.train.ratings[cells[0]], *split.test.ratings[cells[1]]]
    assert ratings == [float(first[2])]
