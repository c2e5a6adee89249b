import pytest
import torch
from torch.autograd import gradcheck

import literal
from glocalk.completers.autoencoders.effective import effective_weight


def vectors(count, seed, scale=0.4):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(count, 5, generator=generator, dtype=torch.float64)


def literally(weight, u, v):
    kernel = literal.local_kernel(u, v)
    return weight * kernel, (weight**2).sum() / 2, (kernel**2).sum() / 2


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (7, 70), (70, 7), (40, 33)])
def test_values_and_gradients_match_the_equations(shape, transposed, dtype, tolerance):
    weight = torch.randn(shape[::-1] if transposed else shape, dtype=torch.float64)
    theirs = [weight, vectors(shape[0], 1), vectors(shape[1], 2)]
    mine = [tensor.to(dtype).requires_grad_() for tensor in theirs]
    for tensor in theirs:
        tensor.requires_grad_()
    factor = torch.randn(shape, dtype=torch.float64)

    def run(function, weight, u, v):
        weight = weight.T if transposed else weight
        effective, squares, kernel_squares = function(weight, u, v)
        loss = (effective * factor.to(effective.dtype)).sum() + 3 * squares + 0.7 * kernel_squares
        return effective, squares, kernel_squares, loss

    got, want = run(effective_weight, *mine), run(literally, *theirs)
    assert got[0].stride() == (mine[0].T if transposed else mine[0]).stride()
    got = [*got, *torch.autograd.grad(got[-1], mine)]
    want = [*want, *torch.autograd.grad(want[-1], theirs)]
    for ours, other in zip(got, want, strict=True):
        error = (ours.double() - other).abs().max()
        assert error <= tolerance * other.abs().max().clamp_min(1e-30)


def test_no_gradient_passes_where_the_kernel_is_zero():
    weight = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
    u = torch.zeros(2, 5, dtype=torch.float64, requires_grad=True)
    v = torch.full((2, 5), 3.0, dtype=torch.float64, requires_grad=True)
    effective, _, kernel_squares = effective_weight(weight, u, v)
    loss = effective.sum() + kernel_squares
    for gradient in (effective, *torch.autograd.grad(loss, (weight, u, v))):
        assert (gradient == 0).all()


def test_gradients_match_finite_differences():
    weight = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    u, v = vectors(4, 1).requires_grad_(), vectors(3, 2).requires_grad_()
    assert gradcheck(effective_weight, (weight, u, v))
