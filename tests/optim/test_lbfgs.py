from copy import deepcopy as copy_of

import numpy as np
import pytest
import scipy.optimize
import torch

from glocalk.optim.lbfgs import make_lbfgs

CURVATURE = torch.logspace(0, 3, 12, dtype=torch.float64)
SEARCHES = ["more_thuente", "strong_wolfe"]


def make(parameters, **options):
    defaults = {"iterations": 5, "memory": 10, "restart": True, "line_search": "more_thuente"}
    return make_lbfgs(parameters, **{**defaults, **options})


def start():
    return torch.linspace(-2, 1, 12, dtype=torch.float64)


def loss_of(x):
    """Smooth and not quadratic, minimum 0 at 0."""
    return (CURVATURE * x**2).sum() / 2 + (x**4).sum()


def rosenbrock(x):
    """Curved valleys, which are hard for line searches; minimum 0 at 1."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def flat(x):
    """Steep walls around a floor that is flat to rounding."""
    return torch.cosh(30 * x).log().square().sum() + 1e8


def closure_of(parameter, optimizer, losses=None, loss_of=loss_of):
    def closure():
        optimizer.zero_grad()
        loss = loss_of(parameter)
        loss.backward()
        if losses is not None:
            losses.append(loss.item())
        return loss

    return closure


@pytest.mark.parametrize("line_search", SEARCHES)
def test_the_minimum_is_reached(line_search):
    parameter = start().requires_grad_()
    optimizer = make([parameter], iterations=20, line_search=line_search)
    for _ in range(20):
        optimizer.step(closure_of(parameter, optimizer))
    assert loss_of(parameter).item() < 1e-6


def scipy_lbfgsb(loss_of, x, iterations, memory):
    def loss_and_gradient(x):
        x = torch.tensor(x, requires_grad=True)
        loss = loss_of(x)
        loss.backward()
        return loss.item(), x.grad.numpy()

    return scipy.optimize.minimize(
        loss_and_gradient,
        x.numpy(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "maxcor": memory},
    )


@pytest.mark.parametrize("iterations", [1, 2, 5, 12])
@pytest.mark.parametrize("memory", [1, 3, 10])
@pytest.mark.parametrize("loss_of", [loss_of, rosenbrock], ids=["quartic", "rosenbrock"])
def test_steps_and_evaluations_match_scipy_lbfgsb(loss_of, memory, iterations):
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        scale = 1 + seed % 5
        x = scale * torch.randn(12, generator=generator, dtype=torch.float64)
        parameter, losses = x.clone().requires_grad_(), []
        optimizer = make([parameter], iterations=iterations, memory=memory)
        optimizer.step(closure_of(parameter, optimizer, losses, loss_of))
        expected = scipy_lbfgsb(loss_of, x, iterations, memory)
        assert expected.nit == iterations
        assert len(losses) == expected.nfev
        np.testing.assert_allclose(parameter.detach().numpy(), expected.x, rtol=1e-8, atol=1e-8)


def test_a_step_ends_early_at_the_minimum_like_scipy():
    for loss in (loss_of, rosenbrock, flat):
        parameter, losses = start().requires_grad_(), []
        optimizer = make([parameter], iterations=500)
        optimizer.step(closure_of(parameter, optimizer, losses, loss))
        expected = scipy_lbfgsb(loss, start(), 500, 10)
        assert expected.nit < 500
        assert len(losses) == pytest.approx(expected.nfev, rel=0.1)
        assert loss(parameter).item() == pytest.approx(expected.fun, rel=1e-6, abs=1e-6)


def test_at_the_minimum_the_parameters_do_not_move():
    parameter, losses = torch.zeros(12, dtype=torch.float64, requires_grad=True), []
    optimizer = make([parameter])
    loss = optimizer.step(closure_of(parameter, optimizer, losses))
    assert loss.item() == 0
    assert len(losses) == 1
    assert (parameter == 0).all()


def test_a_failed_line_search_leaves_the_parameters_unchanged():
    # The gradient has the wrong sign, so no step decreases the loss.
    parameter = start().requires_grad_()
    optimizer = make([parameter])

    def closure():
        loss = loss_of(parameter.detach())
        parameter.grad = -(CURVATURE * parameter + 4 * parameter**3).detach()
        return loss

    optimizer.step(closure)
    assert torch.equal(parameter.detach(), start())


@pytest.mark.parametrize("line_search", SEARCHES)
def test_several_tensors_are_optimized_as_one_vector(line_search):
    whole = start().requires_grad_()
    first, second = start()[:5].requires_grad_(), start()[5:].reshape(7, 1).requires_grad_()
    optimizer = make([whole], line_search=line_search)
    optimizer.step(closure_of(whole, optimizer))
    parts = make([first, second], line_search=line_search)

    def closure():
        parts.zero_grad()
        loss = loss_of(torch.cat([first, second[:, 0]]))
        loss.backward()
        return loss

    parts.step(closure)
    torch.testing.assert_close(torch.cat([first, second[:, 0]]), whole)


def test_a_parameter_that_the_loss_does_not_use_is_unchanged():
    used, unused = start().requires_grad_(), torch.ones(3, dtype=torch.float64, requires_grad=True)
    optimizer = make([used, unused])
    optimizer.step(closure_of(used, optimizer))
    assert (unused == 1).all()
    assert loss_of(used) < loss_of(start())


def test_a_step_of_torch_lbfgs_makes_all_its_iterations():
    # torch's default of 1.25 evaluations an iteration would end a step of 5 early.
    parameter = start().requires_grad_()
    optimizer = make([parameter], iterations=8, line_search="strong_wolfe")
    losses = []
    optimizer.step(closure_of(parameter, optimizer, losses))
    assert optimizer.state[parameter]["n_iter"] == 8
    assert len(losses) >= 9


@pytest.mark.parametrize("line_search", SEARCHES)
def test_restart_forgets_the_pairs_of_the_previous_step(line_search):
    def after_two_steps(restart, split):
        parameter = start().requires_grad_()
        options = {"iterations": 3, "restart": restart, "line_search": line_search}
        optimizer = make([parameter], **options)
        optimizer.step(closure_of(parameter, optimizer))
        if split:  # a new optimizer has no pairs
            optimizer = make([parameter], **options)
        optimizer.step(closure_of(parameter, optimizer))
        return parameter.detach()

    assert torch.equal(after_two_steps(True, split=False), after_two_steps(True, split=True))
    assert not torch.equal(after_two_steps(False, split=False), after_two_steps(True, split=False))


@pytest.mark.parametrize("line_search", SEARCHES)
def test_the_state_dict_holds_the_memory(line_search):
    parameter, copy = start().requires_grad_(), start().requires_grad_()
    options = {"iterations": 3, "restart": False, "line_search": line_search}
    optimizer, later = make([parameter], **options), make([copy], **options)
    optimizer.step(closure_of(parameter, optimizer))
    later.load_state_dict(copy_of(optimizer.state_dict()))
    copy.data.copy_(parameter.detach())
    optimizer.step(closure_of(parameter, optimizer))
    later.step(closure_of(copy, later))
    assert torch.equal(copy, parameter)


def test_the_last_evaluation_is_reused_unless_a_parameter_was_written():
    parameter, losses = start().requires_grad_(), []
    optimizer = make([parameter], iterations=3)
    closure = closure_of(parameter, optimizer, losses)
    optimizer.step(closure)
    before = len(losses)
    assert optimizer.step(closure).item() == losses[before - 1]
    assert losses[before] != losses[before - 1]
    with torch.no_grad():
        parameter.mul_(2)
    before = len(losses)
    doubled = loss_of(parameter).item()
    assert optimizer.step(closure).item() == losses[before] == doubled
