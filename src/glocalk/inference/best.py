"""The best unrated items of users, from predictions for all items."""

from __future__ import annotations

import numpy as np

from glocalk.data.rating_matrix import Indices, Values
from glocalk.inference.trained_on import TrainedOn


def best_unrated(
    grid: Values, known: TrainedOn, users: Indices, n: int
) -> tuple[Indices, Indices, Indices]:
    """The `n` highest predictions of each row, items that the user has rated left out.

    Args:
        grid: [u, items] predictions.
        known: who has rated what.
        users: [u] user indices of the rows.
        n: number of items for each user, if there are so many.

    Returns:
        Row, column and rank (1, 2, …) of each; ties keep the order of the items.
    """
    grid = np.array(grid)  # a copy: it is written to
    for row, user in zip(grid, users, strict=True):
        row[known.items[known.starts[user] : known.starts[user + 1]]] = -np.inf
    n = min(n, grid.shape[1])
    # The n-th highest of each row: what is below it need not be sorted.
    least = np.partition(grid, grid.shape[1] - n, axis=1)[:, [grid.shape[1] - n]]
    rows, columns = np.nonzero((grid >= least) & (grid > -np.inf))
    order = np.lexsort((columns, -grid[rows, columns], rows))
    rows, columns = rows[order], columns[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows) + 1
    chosen = rank <= n
    return rows[chosen], columns[chosen], rank[chosen]
