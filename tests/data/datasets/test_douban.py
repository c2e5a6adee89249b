"""Orientation above all: Douban is square, so that transposing it raises no error."""

import hashlib

import h5py
import numpy as np
import pytest

from glocalk.data.datasets.monti_sets import DOUBAN, Douban
from glocalk.errors import GlocalkError


def triples(ratings):
    return list(
        zip(ratings.users.tolist(), ratings.items.tolist(), ratings.ratings.tolist(), strict=True)
    )


@pytest.fixture(scope="module")
def split(data_dir):
    return Douban(Douban.Config()).split(data_dir)


@pytest.mark.data("douban")
def test_douban(split):
    assert (split.train.shape, split.train.scale) == ((3000, 3000), (1, 5))
    assert (len(split.train), len(split.test)) == (123_202, 13_689)


@pytest.mark.data("douban")
@pytest.mark.parametrize(("part", "mask"), [("train", "Otraining"), ("test", "Otest")])
def test_douban_against_raw_hdf5(part, mask, split, data_dir):
    # Rows as HDF5 gives them are items: MATLAB's columns.
    with h5py.File(data_dir / "douban" / "training_test_dataset.mat") as file:
        matrix, chosen = file["M"][()], file[mask][()]
    expected = [(int(u), int(i), matrix[i, u]) for i, u in np.argwhere(chosen)]
    assert triples(getattr(split, part)) == sorted(expected)


@pytest.mark.data("douban")
def test_douban_users_are_those_of_the_social_graph(split, data_dir):
    # Independent of the ratings' own orientation: both sides of W_users, the friendships, are
    # users, and friends rate the same items more often than strangers do.
    with h5py.File(data_dir / "douban" / "training_test_dataset.mat") as file:
        friends = file["W_users"][()] != 0
    train = split.train

    def shared_by_friends(rows, columns):
        rated = np.zeros((3000, 3000), dtype=np.float32)
        rated[rows, columns] = 1
        rated /= np.sqrt(np.maximum(rated.sum(axis=1, keepdims=True), 1))
        shared = rated @ rated.T
        np.fill_diagonal(shared, 0)
        return shared[friends].mean() / shared.mean()

    assert shared_by_friends(train.users, train.items) > 1.5
    assert shared_by_friends(train.items, train.users) < 1.5


@pytest.mark.data("douban")
def test_truncated_douban_names_both_checksums(data_dir, tmp_path):
    name = "training_test_dataset.mat"
    content = (data_dir / "douban" / name).read_bytes()[:-1000]
    (tmp_path / "douban").mkdir()
    (tmp_path / "douban" / name).write_bytes(content)
    with pytest.raises(GlocalkError) as error:
        Douban(Douban.Config()).split(tmp_path)
    assert DOUBAN.files[name].expected in str(error.value)
    assert hashlib.sha256(content).hexdigest() in str(error.value)
