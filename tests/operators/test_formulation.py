import pytest
import torch

from glocalk.errors import GlocalkError
from glocalk.operators import formulation
from glocalk.operators.dense import DenseRatings
from glocalk.operators.formulation import make_operator
from glocalk.operators.sparse import SparseRatings

SHAPE = (9, 7)


def ratings_of(count):
    """(users, items, ratings) of the first `count` cells of a 9 × 7 matrix."""
    cells = torch.arange(count)
    return cells % 7, cells // 7, 1 + cells.double() % 5


def test_make_operator_chooses_the_formulation():
    users, items, values = few = ratings_of(12)
    many = ratings_of(63)
    assert isinstance(make_operator(*few, SHAPE), SparseRatings)
    assert isinstance(make_operator(*many, SHAPE), DenseRatings)
    assert isinstance(make_operator(*few, SHAPE, "dense"), DenseRatings)
    assert isinstance(make_operator(*many, SHAPE, "sparse"), SparseRatings)
    half = users, items, values.half()
    assert isinstance(make_operator(*half, SHAPE), DenseRatings)
    with pytest.raises(GlocalkError, match="float16"):
        make_operator(*half, SHAPE, "sparse")
    with pytest.raises(GlocalkError, match="did you mean 'sparse'"):
        make_operator(*few, SHAPE, "spars")


def test_other_devices_than_the_cpu_use_torch_sparse_matrices(monkeypatch):
    # Meta tensors stand for a device that is not the CPU: they have a shape and no values.
    index = torch.zeros(3, dtype=torch.long, device="meta")
    values = torch.zeros(3, device="meta")
    assert isinstance(make_operator(index, index, values, SHAPE, "dense"), DenseRatings)
    made = []
    monkeypatch.setattr(formulation, "TorchSparseRatings", lambda *parts: made.append(parts))
    make_operator(index, index, values, SHAPE, "sparse")
    make_operator(index, index, values, (1 << 20, 1 << 20))
    assert len(made) == 2
