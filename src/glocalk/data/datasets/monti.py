"""Files in the format of Monti et al., in which Douban, Flixster and YahooMusic are published.

Source: Monti, Bronstein, Bresson, "Geometric Matrix Completion with Recurrent Multi-Graph Neural
Networks", NeurIPS 2017; `fmonti/mgcnn`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse

from glocalk.data.datasets.table_config import UserFileConfig
from glocalk.data.divided import DividedSetConfig
from glocalk.data.formats.matlab import Entries, MatlabFile, open_matlab
from glocalk.data.formats.sizes import MAX_BYTES
from glocalk.data.rating_matrix import RatingMatrix, Values
from glocalk.data.side.graphs import Graph, as_graph
from glocalk.data.side.information import Need, SideInformation
from glocalk.data.sources import Source
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError, shown

_MATRICES = ("M", "Otraining", "Otest")
# The side of the rating matrix that the nodes of each graph are on: 0 users, 1 items.
_GRAPHS = {"W_users": 0, "W_movies": 1, "W_tracks": 1}
_NEEDS: dict[str, Need] = {
    "W_users": "user graph",
    "W_movies": "item graph",
    "W_tracks": "item graph",
}


class MontiConfig(DividedSetConfig, UserFileConfig):
    """Options of a file in the format of Monti et al.: its path, rating scale and other splits."""


class Monti(Source):
    """A data set in the format of Monti et al., with the split that its file contains.

    Rows of MATLAB's matrices are users, columns are items. Users and items are identified by
    position, counted from 0.

    Source: Monti et al. 2017; `fmonti/mgcnn`.
    """

    Config = MontiConfig

    def __init__(self, config: MontiConfig) -> None:
        self.config = config

    def split(self, data_dir: Path) -> Split:  # noqa: ARG002 (the file is where its path says)
        own = read_monti(self.config.path, self.config.scale, self.config.max_bytes)
        return self.config.divided(own)


def read_monti(
    path: Path, scale: tuple[float, float] | None = None, max_bytes: int = MAX_BYTES
) -> Split:
    """The split in a MATLAB 7.3 file with users × items matrices M, Otraining and Otest.

    M contains the ratings; the other two are not 0 at training and at test ratings. The file may
    also contain graphs of users (W_users) and of items (W_movies, W_tracks), which are read only
    when they are asked for.

    Args:
        path: the file.
        scale: (lowest, highest) possible rating; None takes those of the ratings.
        max_bytes: the largest size of a matrix; see `glocalk.data.formats.sizes`.

    Raises:
        MissingDataError: there is no such file.
        GlocalkError: it is damaged, too large or another file, a matrix is missing, the matrices
            differ in shape or contradict each other, or they do not form a split.
    """
    with open_matlab(path, max_bytes) as file:
        shape, names = _shape(path, file), file.names
        ratings, train, test = (file.entries(name) for name in _MATRICES)
    for name, mask in (("Otraining", train), ("Otest", test)):
        unrated = mask.cells[~np.isin(mask.cells, ratings.cells)]
        if len(unrated):
            raise GlocalkError(
                f"{name} of '{path}' marks {_pair(unrated[0], shape)}, where M has no rating."
            )
    both = np.intersect1d(train.cells, test.cells)
    if len(both):
        raise GlocalkError(
            f"Otraining and Otest of '{path}' both mark {_pair(both[0], shape)}: a "
            "test rating must not be used for training."
        )
    values = [ratings.values[np.searchsorted(ratings.cells, m.cells)] for m in (train, test)]
    every = np.concatenate(values)
    if not np.isfinite(every).all():
        raise GlocalkError(
            f"M of '{path}' contains the rating {every[~np.isfinite(every)][0]:g}, "
            "which is not a finite number: fix the file."
        )
    if scale is None:
        scale = (float(every.min()), float(every.max())) if len(every) else (0.0, 0.0)

    def part(mask: Entries, marked: Values) -> RatingMatrix:
        users, items = np.divmod(mask.cells, shape[1])
        return RatingMatrix(users, items, marked, shape, scale)

    side = SideInformation(
        {
            need: partial(read_graph, path, name, max_bytes)
            for name, need in _NEEDS.items()
            if name in names
        }
    )
    return Split("monti", part(train, values[0]), part(test, values[1]), side=side)


def read_graph(path: Path, name: str, max_bytes: int = MAX_BYTES) -> Graph:
    """A graph of users (W_users) or of items (W_movies, W_tracks) as it is stored.

    Args:
        path: the file.
        name: name of the matrix.
        max_bytes: see `read_monti`.

    Returns:
        [n, n] weight of the edge from row to column.

    Raises:
        MissingDataError: there is no such file.
        GlocalkError: the file is damaged, or has no such graph.
    """
    with open_matlab(path, max_bytes) as file:
        if name not in file.names:
            raise GlocalkError(f"'{path}' has no matrix {name}.")
        rows, columns = file.shape(name)
        entries = file.entries(name)
    at = np.divmod(entries.cells, columns)
    return as_graph(sparse.coo_array((entries.values, at), (rows, columns)), name)


def _pair(cell: int, shape: tuple[int, int]) -> str:
    user, item = divmod(int(cell), shape[1])
    return f"user {user}, item {item} (counted from 0)"


def _shape(path: Path, file: MatlabFile) -> tuple[int, int]:
    """(users, items) of the three matrices, after a check of the graphs' shapes."""
    if missing := [name for name in _MATRICES if name not in file.names]:
        found = ", ".join(map(shown, file.names[:20])) + (", …" if len(file.names) > 20 else "")
        raise GlocalkError(
            f"'{path}' has no matrix {missing[0]}: it must contain M, Otraining and "
            f"Otest, and contains {found or 'nothing'}."
        )
    # Shapes before contents: a damaged shape must not ask for more memory than there is.
    shape, train, test = map(file.shape, _MATRICES)
    if not shape == train == test:
        raise GlocalkError(
            f"The matrices M, Otraining and Otest of '{path}' differ in shape: "
            f"{shape}, {train} and {test}."
        )
    if not all(shape):
        raise GlocalkError(f"The matrices of '{path}' are empty.")
    for name, side in _GRAPHS.items():
        if name in file.names and (graph := file.shape(name)) != (shape[side], shape[side]):
            raise GlocalkError(
                f"The graph {name} of '{path}' has shape {graph}, not "
                f"{(shape[side], shape[side])}: its nodes are the {('users', 'items')[side]} of "
                f"M, which has {shape[0]} users × {shape[1]} items."
            )
    return shape
