"""MATLAB files that point elsewhere: nothing outside the file is read as ratings."""

import h5py
import numpy as np
import pytest

from glocalk.data.datasets.monti import read_monti
from glocalk.data.formats.matlab import open_matlab
from glocalk.errors import GlocalkError

M = np.array([[5.0, 3.0], [4.0, 2.0]])
MARKS = {"Otraining": [[1, 1], [1, 0]], "Otest": [[0, 0], [0, 1]]}
SENTENCE = (
    "'{}' in 'a.mat' is a link or is stored in another file, which is not read: save the matrix "
    "itself."
)


def external_storage(file, folder):
    (folder / "secret").write_bytes(M.tobytes())
    file.create_dataset("M", (2, 2), "f8", external=[(folder / "secret", 0, h5py.h5f.UNLIMITED)])


def external_link(file, folder):
    with h5py.File(folder / "other.mat", "w") as other:
        other["secret"] = M
    file["M"] = h5py.ExternalLink(folder / "other.mat", "secret")


def soft_link(file, folder):
    external_link(file, folder)
    file.move("M", "#M")
    file["M"] = h5py.SoftLink("/#M")


def broken_link(file, _):
    file["M"] = h5py.SoftLink("/nowhere")


def virtual(file, folder):
    external_link(file, folder)
    del file["M"]
    layout = h5py.VirtualLayout((2, 2), "f8")
    layout[:] = h5py.VirtualSource(folder / "other.mat", "secret", (2, 2))
    file.create_virtual_dataset("M", layout)


@pytest.mark.parametrize(
    "write", [external_storage, external_link, soft_link, broken_link, virtual]
)
def test_a_matrix_in_another_file_is_refused(write, tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        write(file, tmp_path)
        for name, marks in MARKS.items():
            file[name] = marks
    with pytest.raises(GlocalkError) as error:
        read_monti(tmp_path / "a.mat")
    assert str(error.value).replace(f"{tmp_path}/", "") == SENTENCE.format("M")


@pytest.mark.parametrize("part", ["jc", "ir", "data"])
@pytest.mark.parametrize("write", [external_storage, external_link, soft_link, virtual])
def test_parts_of_a_sparse_matrix_in_another_file_are_refused(write, part, tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        write(file, tmp_path)
        for name, marks in MARKS.items():
            file[name] = marks
        parts = file.create_group("parts")
        parts.attrs["MATLAB_sparse"] = 2
        for name, values in (("jc", [0, 1]), ("ir", [0]), ("data", [5.0])):
            if name != part:
                parts[name] = values
        file.move("M", f"parts/{part}")
        file.move("parts", "M")
    with pytest.raises(GlocalkError) as error:
        read_monti(tmp_path / "a.mat")
    assert str(error.value).replace(f"{tmp_path}/", "") == SENTENCE.format(part)


def test_a_graph_in_another_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        external_link(file, tmp_path)
        file.move("M", "W_users")
        for name, values in {"M": M, **MARKS}.items():
            file[name] = values
    with pytest.raises(GlocalkError, match=r"'W_users' in .* is a link"):
        read_monti(tmp_path / "a.mat")


@pytest.mark.parametrize("chunks", [None, (7, 1), (1, 50), (16, 16), (90, 100), True])
@pytest.mark.parametrize("block", [8, 1000, 1 << 20])
def test_a_full_matrix_is_read_block_by_block(chunks, block, tmp_path, monkeypatch):
    monkeypatch.setattr("glocalk.data.formats.matlab._BLOCK", block)
    draw = np.random.default_rng(0)
    matrix = draw.integers(1, 6, (100, 90)) * (draw.random((100, 90)) < 0.2)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("M", data=matrix.T, chunks=chunks)
    with open_matlab(tmp_path / "a.mat") as file:
        found = file.entries("M")
    expected = [
        (row * 90 + column, matrix[row, column])
        for row in range(100)
        for column in range(90)
        if matrix[row, column]
    ]
    assert list(zip(found.cells.tolist(), found.values.tolist(), strict=True)) == expected


@pytest.mark.parametrize("what", ["type", "group", "text", "cube"])
def test_what_is_not_a_matrix(what, tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        if what == "type":
            file["M"] = np.dtype("f8")
        elif what == "group":
            file.create_group("M")
        else:
            file["M"] = "text" if what == "text" else np.ones((2, 2, 2))
        for name, marks in MARKS.items():
            file[name] = marks
    with pytest.raises(GlocalkError, match=r"'M' in .* is not a matrix of numbers"):
        read_monti(tmp_path / "a.mat")


@pytest.mark.parametrize("part", ["jc", "ir", "data"])
def test_a_part_of_a_sparse_matrix_in_a_huge_chunk_is_refused(part, tmp_path):
    """HDF5 would unpack 3.2 GB for five numbers."""
    with h5py.File(tmp_path / "a.mat", "w") as file:
        parts = file.create_group("M")
        parts.attrs["MATLAB_sparse"] = 5
        for name, values in {"jc": np.arange(6), "ir": np.arange(5), "data": np.ones(5)}.items():
            more = {"chunks": (400_000_000,), "compression": "gzip"} if name == part else {}
            made = parts.create_dataset(name, values.shape, "f8", maxshape=(None,), **more)
            if name != part:
                made[:] = values
    with (
        pytest.raises(GlocalkError, match="takes more than 100 times its size"),
        open_matlab(tmp_path / "a.mat") as file,
    ):
        file.shape("M")
