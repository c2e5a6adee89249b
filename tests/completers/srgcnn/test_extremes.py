"""The extremes of a product of factors, against those of the dense matrix."""

import numpy as np
import pytest
import torch

from glocalk.completers.srgcnn import extremes as room
from glocalk.completers.srgcnn.extremes import extremes


def factors(sizes=(13, 8), rank=3):
    rng = np.random.default_rng(0)
    return [torch.tensor(rng.normal(size=(n, rank)), requires_grad=True) for n in sizes]


@pytest.mark.parametrize("cells", [1, 20, 10**6])
def test_extremes_and_their_gradients_are_those_of_the_dense_matrix(cells, monkeypatch):
    monkeypatch.setattr(room, "_CELLS", cells)
    left, right = factors()
    smallest, largest = extremes(left, right)
    product = left @ right.T
    assert smallest.item() == pytest.approx(product.min().item(), rel=1e-12)
    assert largest.item() == pytest.approx(product.max().item(), rel=1e-12)

    def rescaled(low, high):
        """A function of all cells and both extremes, as the loss is."""
        return ((product - low) / (high - low)).square().sum() + high * low

    got, wanted = (
        torch.autograd.grad(rescaled(*ends), (left, right), retain_graph=True)
        for ends in ((smallest, largest), (product.min(), product.max()))
    )
    for mine, dense in zip(got, wanted, strict=True):
        torch.testing.assert_close(mine, dense, rtol=1e-10, atol=1e-12)


def test_the_gradient_of_an_extreme_reaches_one_cell():
    left, right = factors()
    row, column = divmod((left @ right.T).argmax().item(), len(right))
    got = torch.autograd.grad(extremes(left, right)[1], (left, right))
    assert got[0].any(dim=1).nonzero().flatten().tolist() == [row]
    assert got[1].any(dim=1).nonzero().flatten().tolist() == [column]
    torch.testing.assert_close(got[0][row], right[column])
    torch.testing.assert_close(got[1][column], left[row])


def test_no_more_cells_are_held_at_once_than_said(monkeypatch):
    monkeypatch.setattr(room, "_CELLS", 40)
    held, of_rows = [], room._of_rows

    def watching(left, right):
        held.append(len(left) * len(right))
        return of_rows(left, right)

    monkeypatch.setattr(room, "_of_rows", watching)
    extremes(*factors())
    assert held == [40, 40, 24]
