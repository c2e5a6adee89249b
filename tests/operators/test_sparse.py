import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

import literal
from glocalk.operators import sparse, torch_sparse
from glocalk.operators.sparse import SparseRatings
from glocalk.operators.torch_sparse import TorchSparseRatings
from glocalk.sparse import csr


def ratings_of(num_items, num_users, density, seed=0):
    """(users, items, ratings) in shuffled order; row 1 and column 2 are empty."""
    rng = np.random.default_rng(seed)
    known = rng.random((num_items, num_users)) < density
    known[1, :] = known[:, 2] = False
    known[0, 0] = True
    items, users = np.nonzero(known)
    order = rng.permutation(len(items))
    values = rng.integers(1, 6, len(items)).astype(float)
    return torch.tensor(users[order]), torch.tensor(items[order]), torch.tensor(values)


def normal(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return values.to(dtype).requires_grad_()


SIZES = [(9, 7, 0.3), (7, 40, 0.1), (60, 33, 0.05), (4, 4, 0.0)]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}


def full(users, items, values, shape):
    matrix = torch.zeros(shape, dtype=torch.float64)
    matrix[items, users] = values
    return matrix


def assert_near(ours, theirs, tolerance):
    """Relative to the largest element."""
    scale = theirs.abs().max().item() or 1.0
    assert (ours.double() - theirs.double()).abs().max().item() <= tolerance * scale


def compare(ours, theirs, ours_by, theirs_by, dtype):
    tolerance = TOLERANCE[dtype]
    assert_near(ours, theirs, tolerance)
    weights = normal(*theirs.shape, seed=99).detach() if theirs.shape else torch.tensor(1.7)
    got = torch.autograd.grad((ours * weights.to(ours.dtype)).sum(), ours_by)
    want = torch.autograd.grad((theirs * weights.to(theirs.dtype)).sum(), theirs_by)
    for mine, other in zip(got, want, strict=True):
        assert_near(mine, other, tolerance)


def copies(tensors, dtype):
    return [tensor.detach().to(dtype).requires_grad_() for tensor in tensors]


OPERATORS = {"compiled": SparseRatings, "torch": TorchSparseRatings}
# Below, at and above the 32 columns that a compiled product computes at a time.
WIDTHS = [6, 32, 75]


@pytest.mark.parametrize("operator_class", OPERATORS.values(), ids=OPERATORS)
@pytest.mark.parametrize("cache", [1 << 20, 2048], ids=["one block of rows", "many blocks of rows"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", SIZES)
def test_product_error_and_outputs_match_full_matrices(
    size, width, dtype, cache, operator_class, monkeypatch
):
    monkeypatch.setattr(csr, "CACHE", cache)
    *shape, density = size
    users, items, values = ratings_of(*shape, density)
    matrix = full(users, items, values, shape)
    operator = operator_class(users, items, values.to(dtype), tuple(shape))
    weight = normal(shape[1], width)
    (mine,) = copies([weight], dtype)
    compare(operator.product(mine), matrix @ weight, [mine], [weight], dtype)

    parts = normal(shape[0], width, seed=1), normal(width, shape[1], seed=2), normal(shape[1])
    mine = copies(parts, dtype)
    hidden, weight, bias = parts
    error = ((matrix - hidden @ weight - bias) * (matrix > 0)).square().sum() / 2
    compare(operator.half_squared_error(*mine), error, mine, parts, dtype)

    # The operator chooses the order of its ratings: find it by numbering them.
    rows, columns = matrix.nonzero(as_tuple=True)
    places = torch.zeros(shape, dtype=torch.long)
    places[items, users] = torch.arange(len(items))
    numbered = operator_class(users, items, torch.arange(len(items)).to(dtype) + 1, tuple(shape))
    order = torch.argsort(numbered.ratings)[places[rows, columns]]
    assert torch.equal(operator.ratings[order].double(), matrix[rows, columns])
    outputs = (hidden @ weight + bias)[rows, columns]
    compare(operator.outputs(*mine)[order], outputs, mine, parts, dtype)


@pytest.mark.parametrize("operator_class", OPERATORS.values(), ids=OPERATORS)
@pytest.mark.parametrize("dense_above", [0.0, 1.0], ids=["blocks", "cells"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kernel_sizes", [(1,), (3,), (5,), (7,), (3, 3), (3, 5, 3)])
@pytest.mark.parametrize("size", SIZES)
def test_convolved_product_matches_full_matrices(
    size, kernel_sizes, dtype, dense_above, operator_class, monkeypatch
):
    monkeypatch.setattr(sparse, "DENSE_ABOVE", dense_above)
    monkeypatch.setattr(sparse, "_BLOCK", 5)
    monkeypatch.setattr(torch_sparse, "_BLOCK", 5)
    *shape, density = size
    users, items, values = ratings_of(*shape, density)
    operator = operator_class(users, items, values.to(dtype), tuple(shape))
    weight = normal(shape[1], 6)
    # A mean above 0, so that later layers have positive cells.
    kernels = [
        (normal(size, size, seed=5 + n).detach() + 0.3).requires_grad_()
        for n, size in enumerate(kernel_sizes)
    ]
    expected = full(users, items, values, shape)
    for kernel in kernels:
        expected = literal.convolution(expected, kernel)
    mine_weight, *mine = copies([weight, *kernels], dtype)
    compare(
        operator.convolved_product(mine, mine_weight),
        expected @ weight,
        [mine_weight, *mine],
        [weight, *kernels],
        dtype,
    )
    observed = expected[items, users]
    live = (expected > 0).double().mean().item(), (observed > 0).double().mean().item()
    assert operator.live_shares(mine) == pytest.approx(live)


def test_convolved_product_when_every_cell_is_positive():
    users, items, values = ratings_of(9, 7, 1.0)
    operator = SparseRatings(users, items, values, (9, 7))
    kernel = (torch.rand(7, 7, dtype=torch.float64) + 0.1).requires_grad_()
    weight = normal(7, 6)
    expected = literal.convolution(full(users, items, values, (9, 7)), kernel)
    assert (expected > 0).all()
    compare(
        operator.convolved_product([kernel], weight),
        expected @ weight,
        [weight, kernel],
        [weight, kernel],
        torch.float64,
    )


def test_convolved_product_when_no_cell_is_positive():
    users, items, values = ratings_of(9, 7, 0.3)
    operator = SparseRatings(users, items, values, (9, 7))
    kernel = (-torch.ones(3, 3, dtype=torch.float64)).requires_grad_()
    weight = normal(7, 6)
    product = operator.convolved_product([kernel], weight)
    assert product.abs().max() == 0
    for gradient in torch.autograd.grad(product.sum(), (kernel, weight)):
        assert gradient.abs().max() == 0


def test_gradients_match_finite_differences():
    users, items, values = ratings_of(6, 5, 0.4)
    operator = SparseRatings(users, items, values, (6, 5))
    assert gradcheck(operator.product, (normal(5, 3),))
    inputs = normal(6, 3), normal(3, 5, seed=1), normal(5, seed=2)
    assert gradcheck(operator.half_squared_error, inputs)
    kernels = normal(3, 3), normal(3, 3, seed=1)
    assert gradcheck(
        lambda weight, *ks: operator.convolved_product(ks, weight), (normal(5, 3), *kernels)
    )


def test_the_same_input_gives_the_same_bits():
    users, items, values = ratings_of(300, 200, 0.1)
    operator = SparseRatings(users, items, values.float(), (300, 200))
    parts = copies([normal(300, 50), normal(50, 200, seed=1), normal(200, seed=2)], torch.float32)
    kernel, weight = copies([normal(3, 3), normal(200, 50)], torch.float32)

    def run():
        loss = operator.half_squared_error(*parts)
        product = operator.convolved_product([kernel], weight)
        return [*torch.autograd.grad(loss + product.square().sum(), [*parts, kernel, weight]), loss]

    for first, second in zip(run(), run(), strict=True):
        assert torch.equal(first, second)


def test_the_number_of_threads_does_not_change_the_bits():
    users, items, values = ratings_of(300, 200, 0.1)
    operator = SparseRatings(users, items, values.float(), (300, 200))
    parts = copies([normal(300, 50), normal(50, 200, seed=1), normal(200, seed=2)], torch.float32)
    kernel, weight = copies([normal(3, 3), normal(200, 50)], torch.float32)
    before, runs = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            # Separate gradients, so that no matrix product of torch is involved.
            error = operator.half_squared_error(*parts)
            product = operator.convolved_product([kernel], weight)
            ones = torch.ones_like(product)
            runs.append(
                [error, product, *torch.autograd.grad(error, parts),
                 *torch.autograd.grad(product, [kernel, weight], ones)]
            )  # fmt: skip
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*runs, strict=True):
        assert torch.equal(one, two)
