"""Writes files as MATLAB does with -v7.3."""

import h5py
import numpy as np


def write_full(file, name, matrix):
    """MATLAB stores columns first, which HDF5 interprets as rows."""
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


def write_mat(path, matrices, write_matrix=write_full):
    """Write `matrices` by name, as MATLAB would show them, after its header of 512 bytes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, matrix in matrices.items():
            write_matrix(file, name, np.asarray(matrix))
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(128))
    return path
