import h5py
import numpy as np
import pytest
from scipy import sparse

from glocalk.data.monti import Douban, DoubanSettings, read_monti
from glocalk.errors import GlocalkError, MissingDataError

# users × items, not square, so that the wrong way round is an error
M = np.array([[5, 0, 3, 0], [0, 4, 0, 1], [2, 0, 0, 5]], dtype=float)
TEST = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=float)
TRAIN = (M > 0) - TEST


def write(path, compressed):
    """As MATLAB 7.3 does: columns first, so that HDF5 has the transposed matrices."""
    with h5py.File(path, "w") as file:
        for name, matrix in (("M", M), ("Otraining", TRAIN), ("Otest", TEST)):
            if not compressed:
                file[name] = matrix.T
                continue
            columns = sparse.csc_array(matrix)
            group = file.create_group(name)
            group.attrs["MATLAB_sparse"] = np.uint64(matrix.shape[0])
            group["data"], group["ir"] = columns.data, columns.indices
            group["jc"] = columns.indptr
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_reads_users_by_items(tmp_path, compressed):
    split = read_monti(write(tmp_path / "set.mat", compressed), scale=(1, 5))
    assert split.train.shape == (3, 4)
    assert split.train.users.tolist() == [0, 1, 2, 2]
    assert split.train.items.tolist() == [0, 3, 0, 3]
    assert split.train.ratings.tolist() == [5, 1, 2, 5]
    assert split.test.users.tolist() == [0, 1]
    assert split.test.items.tolist() == [2, 1]
    assert split.test.ratings.tolist() == [3, 4]


@pytest.mark.real_data("douban")
def test_douban_is_the_right_way_round(real_data):
    split = Douban(DoubanSettings()).split(real_data)
    assert (len(split.train), len(split.test)) == (123_202, 13_689)
    assert split.train.shape == (3000, 3000)
    # HDF5's rows are MATLAB's columns: items.
    with h5py.File(real_data / "douban" / "training_test_dataset.mat") as file:
        marks = np.asarray(file["Otraining"])
        per_item = (marks > 0).sum(axis=1)
    counted = np.bincount(split.train.items, minlength=3000)
    assert counted.tolist() == per_item.tolist()
    assert counted.tolist() != np.bincount(split.train.users, minlength=3000).tolist()


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "set.mat").write_text("no HDF5")
    with pytest.raises(GlocalkError, match=r"no MATLAB 7\.3 file"):
        read_monti(tmp_path / "set.mat", scale=(1, 5))
    with h5py.File(tmp_path / "part.mat", "w") as file:
        file["M"] = M
    with pytest.raises(GlocalkError, match="M, Otraining and Otest"):
        read_monti(tmp_path / "part.mat", scale=(1, 5))


def test_missing_and_damaged(tmp_path):
    source = Douban(DoubanSettings())
    with pytest.raises(MissingDataError, match="fmonti/mgcnn"):
        source.split(tmp_path)
    (tmp_path / "douban").mkdir()
    (tmp_path / "douban" / "training_test_dataset.mat").write_bytes(b"half a file")
    with pytest.raises(GlocalkError, match=r"damaged or another file .SHA-256 [0-9a-f]{64}"):
        source.split(tmp_path)
