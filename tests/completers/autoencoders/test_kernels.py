import pytest
import torch
from torch.autograd import gradcheck

import literal
from glocalk.completers.autoencoders.kernels import (
    average_global_kernel,
    global_kernel,
    local_kernel,
)
from glocalk.operators.convolution import global_convolution


def uniform(*shape, low=-1.0, high=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(*shape, generator=generator, dtype=torch.float64)
    return (low + (high - low) * values).requires_grad_()


def test_local_kernel_matches_values_computed_by_hand():
    u = torch.tensor([[0.0, 0.0], [0.5, 0.0]], dtype=torch.float64)
    v = torch.tensor([[0.0, 0.5], [2.0, 0.0]], dtype=torch.float64)
    # squared distances .25, 4; .5, 2.25
    expected = torch.tensor([[0.75, 0.0], [0.5, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(local_kernel(u, v), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("spread", [0.05, 0.5, 5.0])
def test_local_kernel_matches_the_literal_equation(spread):
    u, v = uniform(7, 3, low=-spread, high=spread), uniform(5, 3, low=-spread, high=spread, seed=1)
    torch.testing.assert_close(local_kernel(u, v), literal.local_kernel(u, v), rtol=0, atol=1e-12)
    weights = uniform(7, 5, seed=2).detach()
    ours = torch.autograd.grad((weights * local_kernel(u, v)).sum(), (u, v))
    theirs = torch.autograd.grad((weights * literal.local_kernel(u, v)).sum(), (u, v))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    assert gradcheck(local_kernel, (u, v))


def test_local_kernel_has_a_gradient_where_rounding_makes_the_distance_negative():
    # ‖u‖² + ‖v‖² − 2u·v of nearly equal vectors: exact distance 0, the rounded one below it.
    for seed in range(2000):
        u = uniform(1, 5, seed=seed).float().detach().requires_grad_()
        v = (u.detach() * (1 + 1e-7)).requires_grad_()
        kernel = local_kernel(u, v)
        if kernel.item() > 1:
            break
    else:
        pytest.fail("no pair whose rounded distance is negative was found")
    (gradient,) = torch.autograd.grad(kernel.sum(), u)
    torch.testing.assert_close(gradient, 2 * (v - u).detach(), rtol=0, atol=1e-6)
    assert gradient.abs().max() > 0


def test_global_kernel_is_filled_row_by_row():
    pooled = torch.tensor([1.0, 10.0], dtype=torch.float64)
    item_kernels = torch.stack([torch.arange(9.0), torch.ones(9)]).double()
    # 2 · (1 · k₀ + 10 · k₁)
    expected = torch.tensor([[20, 22, 24], [26, 28, 30], [32, 34, 36]], dtype=torch.float64)
    torch.testing.assert_close(global_kernel(pooled, item_kernels, 2.0), expected)


def test_average_global_kernel_ignores_the_pooled_ratings():
    item_kernels = torch.stack([torch.arange(9.0), torch.ones(9)]).double()
    expected = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]], dtype=torch.float64)
    torch.testing.assert_close(average_global_kernel(item_kernels, 2.0), expected)


def test_gradients_of_global_kernels_match_finite_differences():
    pooled, item_kernels = uniform(6), uniform(6, 9, seed=1)
    assert gradcheck(lambda p, k: global_kernel(p, k, 0.7), (pooled, item_kernels))
    assert gradcheck(lambda k: average_global_kernel(k, 0.7), (item_kernels,))


def test_convolution_does_not_flip_the_kernel():
    matrix = torch.zeros(3, 4, dtype=torch.float64)
    matrix[1, 1] = 5
    kernel = torch.zeros(3, 3, dtype=torch.float64)
    kernel[0, 2] = 2  # looks one row up, one column to the right
    expected = torch.zeros(3, 4, dtype=torch.float64)
    expected[2, 0] = 10
    torch.testing.assert_close(global_convolution(matrix, [kernel]), expected)


def test_convolution_rectifies_and_pads_with_zeros():
    matrix = torch.ones(2, 2, dtype=torch.float64)
    ones = torch.ones(3, 3, dtype=torch.float64)
    assert global_convolution(matrix, [ones]).tolist() == [[4, 4], [4, 4]]
    assert global_convolution(matrix, [-ones]).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("size", [3, 5, 7])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_convolution_matches_the_literal_equation(size, layers):
    matrix = uniform(6, 9, low=0, high=5).detach()
    kernels = [uniform(size, size, low=-0.5, high=1, seed=seed) for seed in range(layers)]
    expected = matrix
    for kernel in kernels:
        expected = literal.convolution(expected, kernel)
    ours = global_convolution(matrix, kernels)
    torch.testing.assert_close(ours, expected)
    weights = uniform(6, 9, seed=9).detach()
    torch.testing.assert_close(
        torch.autograd.grad((weights * ours).sum(), kernels),
        torch.autograd.grad((weights * expected).sum(), kernels),
    )
    assert gradcheck(lambda *ks: global_convolution(matrix, ks), kernels)
