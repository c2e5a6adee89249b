"""Flixster and YahooMusic, and the graphs of all three sets; `test_douban.py` has Douban."""

import h5py
import numpy as np
import pytest

from glocalk.data.datasets.monti_sets import Douban, Flixster, YahooMusic

FILE = "training_test_dataset.mat"


@pytest.mark.parametrize(
    ("source", "folder", "counts", "values"),
    [
        pytest.param(
            Flixster,
            "flixster",
            (23_556, 2_617),
            (0.5, 5.0, 0.5),
            marks=pytest.mark.data("flixster"),
        ),
        pytest.param(
            YahooMusic,
            "yahoo_music",
            (4_802, 533),
            (1.0, 100.0, 1.0),
            marks=pytest.mark.data("yahoo_music"),
        ),
    ],
)
def test_ratings_against_raw_hdf5(source, folder, counts, values, data_dir):
    split = source(source.Config()).split(data_dir)
    assert (len(split.train), len(split.test)) == counts
    lowest, highest, step = values
    assert split.train.scale == (lowest, highest)
    with h5py.File(data_dir / folder / FILE) as file:  # rows as HDF5 gives them are items
        matrix = {name: file[name][()] for name in ("M", "Otraining", "Otest")}
    for part, mask in ((split.train, "Otraining"), (split.test, "Otest")):
        expected = [(u, i, matrix["M"][i, u]) for i, u in np.argwhere(matrix[mask])]
        found = zip(part.users, part.items, part.ratings, strict=True)
        assert sorted(found) == sorted(expected)
        assert (part.ratings % step == 0).all()


@pytest.mark.parametrize(
    ("source", "folder", "graphs"),
    [
        pytest.param(
            Douban, "douban", {"user": ("W_users", 2_690)}, marks=pytest.mark.data("douban")
        ),
        pytest.param(
            Flixster,
            "flixster",
            {"user": ("W_users", 59_354), "item": ("W_movies", 50_918)},
            marks=pytest.mark.data("flixster"),
        ),
        pytest.param(
            YahooMusic,
            "yahoo_music",
            {"item": ("W_tracks", 56_890)},
            marks=pytest.mark.data("yahoo_music"),
        ),
    ],
)
def test_graphs_against_raw_hdf5(source, folder, graphs, data_dir):
    side = source(source.Config()).split(data_dir).side
    assert side.names == tuple(f"{kind} graph" for kind in graphs)
    for kind, (name, edges) in graphs.items():
        graph = side.graph(kind)
        assert graph.nnz == edges
        with h5py.File(data_dir / folder / FILE) as file:
            stored = file[name][()]
        np.testing.assert_array_equal(graph.toarray(), stored)  # symmetric
        assert (stored == stored.T).all()
