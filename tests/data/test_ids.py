import numpy as np
import pytest

from glocalk.data.datasets.movielens import MovieLens1M, MovieLens100K
from glocalk.data.ids import Ids
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError


def text(*labels):
    return np.array(labels, dtype=object)


def test_ids_are_found_and_unknown_ones_reported():
    ids = Ids(text("ann", "7", "bob"), np.array([30, 10, 20]))
    assert ids.find_users(["bob", "eve", "ann"]).tolist() == [2, -1, 0]
    assert ids.find_users([7]).tolist() == [1]
    assert ids.find_items([10, 11, 30]).tolist() == [1, -1, 0]
    assert ids.find_items(["20", "x", "10.5"]).tolist() == [2, -1, -1]
    assert ids.find_items([]).tolist() == []


def test_ids_are_distinct():
    with pytest.raises(GlocalkError, match="The item id '3' occurs more than once"):
        Ids(np.arange(2), np.array([3, 4, 3]))


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
    assert not ids.equals(Ids(text("a", "b"), text("3", "4")))


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
