"""Orientation above all: a square matrix that is transposed by mistake raises no error."""

import h5py
import numpy as np
import pytest
import scipy.io

from data.matlab import write_full, write_mat, write_sparse
from glocalk.data.datasets.monti import Monti, read_monti
from glocalk.errors import GlocalkError, MissingDataError

# As MATLAB would show them: 3 users × 2 items.
M = np.array([[5, 0], [1, 2], [0, 4]])
TRAIN = np.array([[1, 0], [0, 1], [0, 1]])
TEST = np.array([[0, 0], [1, 0], [0, 0]])


def write(path, write_matrix=write_full, matrix=M, train=TRAIN, test=TEST, **graphs):
    return write_mat(path, {"M": matrix, "Otraining": train, "Otest": test, **graphs}, write_matrix)


def triples(ratings):
    return list(
        zip(ratings.users.tolist(), ratings.items.tolist(), ratings.ratings.tolist(), strict=True)
    )


def refusal(path, scale=None):
    """The error message, with `a.mat` in place of its path."""
    with pytest.raises(GlocalkError) as error:
        read_monti(path, scale)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence.replace(str(path), path.name)


@pytest.mark.parametrize("write_matrix", [write_full, write_sparse])
def test_rows_of_matlab_are_users(write_matrix, tmp_path):
    split = read_monti(write(tmp_path / "a.mat", write_matrix), scale=(1, 5))
    assert split.name == "monti"
    assert split.train.shape == (3, 2)
    assert triples(split.train) == [(0, 0, 5), (1, 1, 2), (2, 1, 4)]
    assert triples(split.test) == [(1, 0, 1)]


@pytest.mark.parametrize("write_matrix", [write_full, write_sparse])
@pytest.mark.parametrize(
    ("matrix", "scale"),
    [(M / 2, (0.5, 2.5)), (1 + 24.75 * (M - 1.0) * (M > 0) - (M == 0), (1, 100))],
    ids=["half stars", "1 to 100"],
)
def test_the_scale_is_read_from_the_ratings(write_matrix, matrix, scale, tmp_path):
    split = read_monti(write(tmp_path / "a.mat", write_matrix, matrix=matrix))
    assert split.train.scale == split.test.scale == scale
    assert split.train.ratings.tolist() == [matrix[0, 0], matrix[1, 1], matrix[2, 1]]


def test_the_scale_is_checked_where_it_is_given(tmp_path):
    path = write(tmp_path / "a.mat", matrix=M / 2)
    split = Monti(Monti.Config.check({"path": str(path), "scale": [0.5, 5]}, "data")).split(
        tmp_path
    )
    assert split.train.scale == (0.5, 5)
    assert "The rating 0.5 of user index 1, item index 0 is not on the scale 1 … 5." in refusal(
        path, (1, 5)
    )


def test_an_entry_of_m_that_no_mask_marks_is_not_a_rating(tmp_path):
    matrix = M.copy()
    matrix[0, 1] = 77
    split = read_monti(write(tmp_path / "a.mat", matrix=matrix))
    assert split.train.scale == (1, 5)
    assert len(split.train) + len(split.test) == 4


def test_full_and_sparse_matrices_may_be_mixed(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        write_full(file, "M", M)
        write_sparse(file, "Otraining", TRAIN)
        file["Otest"] = TEST.T.astype(np.uint8)  # MATLAB's logical
    split = read_monti(tmp_path / "a.mat")
    assert triples(split.train) == [(0, 0, 5), (1, 1, 2), (2, 1, 4)]
    assert triples(split.test) == [(1, 0, 1)]


@pytest.mark.parametrize("write_matrix", [write_full, write_sparse])
def test_graphs_change_nothing(write_matrix, tmp_path):
    plain = read_monti(write(tmp_path / "a.mat", write_matrix))
    graphs = {"W_users": np.eye(3), "W_movies": np.eye(2)}
    assert read_monti(write(tmp_path / "b.mat", write_matrix, **graphs)).checksum == plain.checksum


@pytest.mark.parametrize("write_matrix", [write_full, write_sparse])
@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        ("W_users", (2, 2), "W_users of 'a.mat' has shape (2, 2), not (3, 3): its nodes are the u"),
        (
            "W_movies",
            (2, 3),
            "W_movies of 'a.mat' has shape (2, 3), not (2, 2): its nodes are the i",
        ),
        (
            "W_tracks",
            (3, 3),
            "W_tracks of 'a.mat' has shape (3, 3), not (2, 2): its nodes are the i",
        ),
    ],
)
def test_graphs_of_a_wrong_size(write_matrix, name, size, sentence, tmp_path):
    path = write(tmp_path / "a.mat", write_matrix, **{name: np.ones(size)})
    assert sentence in refusal(path)


@pytest.mark.parametrize("write_matrix", [write_full, write_sparse])
def test_empty_test_set(write_matrix, tmp_path):
    path = write(tmp_path / "a.mat", write_matrix, test=0 * TEST)
    assert refusal(path) == "The test set of split 'monti' has no ratings."


@pytest.mark.parametrize("write_matrix", [write_full, write_sparse])
def test_mask_over_no_rating(write_matrix, tmp_path):
    path = write(tmp_path / "a.mat", write_matrix, test=np.array([[0, 1], [0, 0], [0, 0]]))
    assert refusal(path) == (
        "Otest of 'a.mat' marks user 0, item 1 (counted from 0), where M has no rating."
    )


@pytest.mark.parametrize("write_matrix", [write_full, write_sparse])
def test_overlapping_masks(write_matrix, tmp_path):
    test = np.array([[0, 0], [1, 0], [0, 1]])
    assert refusal(write(tmp_path / "a.mat", write_matrix, test=test)) == (
        "Otraining and Otest of 'a.mat' both mark user 2, item 1 (counted from 0): a test rating "
        "must not be used for training."
    )


def test_matrices_of_several_shapes(tmp_path):
    assert refusal(write(tmp_path / "a.mat", test=TEST.T)) == (
        "The matrices M, Otraining and Otest of 'a.mat' differ in shape: (3, 2), (3, 2) and (2, 3)."
    )


def test_missing_matrix(tmp_path):
    assert refusal(write_mat(tmp_path / "a.mat", {"M": M, "Otraining": TRAIN})) == (
        "'a.mat' has no matrix Otest: it must contain M, Otraining and Otest, and contains M, "
        "Otraining."
    )


def test_a_rating_that_is_not_a_number(tmp_path):
    assert refusal(write(tmp_path / "a.mat", matrix=M * [np.nan, 1])) == (
        "M of 'a.mat' contains the rating nan, which is not a finite number: fix the file."
    )


def test_a_variable_that_is_not_a_matrix_of_numbers(tmp_path):
    path = write_mat(tmp_path / "a.mat", {"M": M, "Otraining": TRAIN})
    with h5py.File(path, "r+") as file:
        file["Otest"] = "text"
    assert refusal(path) == "'Otest' in 'a.mat' is not a matrix of numbers."


def test_a_file_of_an_older_matlab(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"M": M, "Otraining": TRAIN, "Otest": TEST})
    assert refusal(tmp_path / "a.mat") == (
        "'a.mat' has an older MATLAB format: save it with -v7.3."
    )


def test_a_file_that_is_not_hdf5(tmp_path):
    (tmp_path / "a.mat").write_text("user,item,rating\n1,2,3\n")
    assert refusal(tmp_path / "a.mat") == (
        "'a.mat' is not a MATLAB 7.3 file (HDF5): save it with -v7.3."
    )


def test_a_truncated_file(tmp_path):
    path = write(tmp_path / "a.mat")
    path.write_bytes(path.read_bytes()[:-500])
    assert refusal(path) == "'a.mat' is damaged: download or create it again."


def test_no_file(tmp_path):
    with pytest.raises(MissingDataError, match=r"a\.mat' does not exist: fix its path\."):
        read_monti(tmp_path / "a.mat")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "Option 'data.path' is missing: give it a value."),
        ({"path": None}, "Option 'data.path' cannot be None: give the path of your ratings"),
        ({"path": "a", "scale": [5, 1]}, "Option 'data.scale' cannot be [5, 1]: "),
        ({"path": "a", "scales": [1, 5]}, "Unknown option 'data.scales': did you mean 'scale'?"),
    ],
)
def test_impossible_options(options, sentence):
    with pytest.raises(GlocalkError) as error:
        Monti.Config.check(options, "data")
    assert sentence in str(error.value)
