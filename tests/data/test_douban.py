"""Orientation above all: Douban is square, so that turning it the wrong way raises no error."""

import hashlib

import h5py
import numpy as np
import pytest

from glocalk.data.douban import DOUBAN, Douban, read_monti
from glocalk.errors import GlocalkError

# As MATLAB would show them: 3 users × 2 items.
M = np.array([[5, 0], [1, 2], [0, 4]])
TRAIN = np.array([[1, 0], [0, 1], [0, 1]])
TEST = np.array([[0, 0], [1, 0], [0, 0]])


def write_full(file, name, matrix):
    """MATLAB stores columns first, which HDF5 takes for rows."""
    columns_first = matrix.flatten(order="F").reshape(matrix.shape[1], matrix.shape[0])
    file.create_dataset(name, data=columns_first.astype(float))


def write_sparse(file, name, matrix):
    """Values and rows column after column, and where each column starts."""
    group = file.create_group(name)
    group.attrs["MATLAB_sparse"] = np.uint64(matrix.shape[0])
    values, rows, starts = [], [], [0]
    for column in range(matrix.shape[1]):
        for row in range(matrix.shape[0]):
            if matrix[row, column]:
                values.append(float(matrix[row, column]))
                rows.append(row)
        starts.append(len(rows))
    if rows:
        group["data"], group["ir"] = values, np.array(rows, dtype=np.uint64)
    group["jc"] = np.array(starts, dtype=np.uint64)


def write(path, write_matrix=write_full, matrix=M, train=TRAIN, test=TEST):
    with h5py.File(path, "w") as file:
        for name, content in (("M", matrix), ("Otraining", train), ("Otest", test)):
            write_matrix(file, name, content)
    return path


def triples(ratings):
    return list(
        zip(ratings.users.tolist(), ratings.items.tolist(), ratings.ratings.tolist(), strict=True)
    )


@pytest.mark.parametrize("write_matrix", [write_full, write_sparse])
def test_rows_of_matlab_are_users(write_matrix, tmp_path):
    split = read_monti(write(tmp_path / "a.mat", write_matrix), scale=(1, 5))
    assert split.name == "monti"
    assert split.train.shape == (3, 2)
    assert triples(split.train) == [(0, 0, 5), (1, 1, 2), (2, 1, 4)]
    assert triples(split.test) == [(1, 0, 1)]


@pytest.mark.parametrize(
    ("matrix", "scale"), [(M / 2, (0.5, 5)), (M * 20, (1, 100))], ids=["half stars", "1 to 100"]
)
def test_other_scales(matrix, scale, tmp_path):
    split = read_monti(write(tmp_path / "a.mat", write_sparse, matrix=matrix), scale)
    assert split.train.scale == scale
    assert split.train.ratings.tolist() == [matrix[0, 0], matrix[1, 1], matrix[2, 1]]


@pytest.mark.parametrize("write_matrix", [write_full, write_sparse])
def test_empty_test_set(write_matrix, tmp_path):
    path = write(tmp_path / "a.mat", write_matrix, test=0 * TEST)
    with pytest.raises(GlocalkError, match="The test set of split 'monti' has no ratings"):
        read_monti(path, (1, 5))


def test_mask_over_no_rating(tmp_path):
    path = write(tmp_path / "a.mat", test=np.array([[0, 1], [0, 0], [0, 0]]))
    with pytest.raises(GlocalkError, match="The rating 0 of user 0, item 1 is not on the scale"):
        read_monti(path, (1, 5))


def test_overlapping_masks(tmp_path):
    with pytest.raises(GlocalkError, match="must not be trained on"):
        read_monti(write(tmp_path / "a.mat", test=TRAIN), (1, 5))


def test_matrices_of_several_shapes(tmp_path):
    path = write(tmp_path / "a.mat", test=TEST.T)
    with pytest.raises(GlocalkError, match=r"differ in shape: \(3, 2\), \(3, 2\) and \(2, 3\)\.$"):
        read_monti(path, (1, 5))


def test_missing_matrix(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        write_full(file, "M", M)
    with pytest.raises(GlocalkError, match=r"no MATLAB 7\.3 file with the matrices M, Otraining"):
        read_monti(tmp_path / "a.mat", (1, 5))


def test_no_hdf5(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(500))
    with pytest.raises(GlocalkError, match=r"is no MATLAB 7\.3 file"):
        read_monti(tmp_path / "a.mat", (1, 5))


@pytest.mark.data("douban")
def test_douban(data_dir):
    split = Douban(Douban.Config()).split(data_dir)
    assert (split.train.shape, split.train.scale) == ((3000, 3000), (1, 5))
    assert (len(split.train), len(split.test)) == (123_202, 13_689)


@pytest.mark.data("douban")
@pytest.mark.parametrize(("part", "mask"), [("train", "Otraining"), ("test", "Otest")])
def test_douban_against_raw_hdf5(part, mask, data_dir):
    # Rows as HDF5 gives them are items: MATLAB's columns.
    with h5py.File(data_dir / "douban" / "training_test_dataset.mat") as file:
        matrix, chosen = file["M"][()], file[mask][()]
    expected = [(int(u), int(i), matrix[i, u]) for i, u in np.argwhere(chosen)]
    split = Douban(Douban.Config()).split(data_dir)
    assert triples(getattr(split, part)) == sorted(expected)


@pytest.mark.data("douban")
def test_douban_users_are_those_of_the_social_graph(data_dir):
    # Independent of the ratings' own orientation: W_users, the friendships, has users on both
    # sides, and friends rate the same items more often than strangers do.
    with h5py.File(data_dir / "douban" / "training_test_dataset.mat") as file:
        friends = file["W_users"][()] != 0
    train = Douban(Douban.Config()).split(data_dir).train

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
