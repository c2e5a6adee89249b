import numpy as np
import pytest
import scipy.optimize
import torch

from glocalk.nn.lbfgs import make_lbfgs

CURVATURE = torch.logspace(0, 3, 12, dtype=torch.float64)


def make(parameters, **options):
    defaults = {"iterations": 5, "memory": 10, "restart": True, "line_search": "strong_wolfe"}
    return make_lbfgs(parameters, **{**defaults, **options})


def start():
    return torch.linspace(-2, 1, 12, dtype=torch.float64)


def loss_of(x):
    """Smooth and not quadratic, minimum 0 at 0."""
    return (CURVATURE * x**2).sum() / 2 + (x**4).sum()


def closure_of(parameter, optimizer, losses=None):
    def closure():
        optimizer.zero_grad()
        loss = loss_of(parameter)
        loss.backward()
        if losses is not None:
            losses.append(loss.item())
        return loss

    return closure


@pytest.mark.parametrize("line_search", ["strong_wolfe", "scipy"])
def test_reaches_the_minimum(line_search):
    parameter = start().requires_grad_()
    optimizer = make([parameter], iterations=20, line_search=line_search)
    for _ in range(20):
        optimizer.step(closure_of(parameter, optimizer))
    assert loss_of(parameter).item() < 1e-6


def test_scipy_s_steps_are_scipy_s():
    parameter = start().requires_grad_()
    optimizer = make([parameter[None][0].detach().requires_grad_()], line_search="scipy")
    parameter = optimizer.param_groups[0]["params"][0]
    optimizer.step(closure_of(parameter, optimizer))

    def loss_and_gradient(x):
        x = torch.from_numpy(x)
        gradient = CURVATURE * x + 4 * x**3
        return loss_of(x).item(), gradient.numpy()

    expected = scipy.optimize.minimize(
        loss_and_gradient,
        start().numpy(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5, "maxcor": 10},
    )
    assert expected.nit == 5
    np.testing.assert_allclose(parameter.detach().numpy(), expected.x, rtol=1e-12, atol=1e-12)


def test_several_tensors_are_one_vector():
    whole = start().requires_grad_()
    first, second = start()[:5].requires_grad_(), start()[5:].reshape(7, 1).requires_grad_()
    for line_search in ("strong_wolfe", "scipy"):
        optimizer = make([whole], line_search=line_search)
        optimizer.step(closure_of(whole, optimizer))
        parts = make([first, second], line_search=line_search)

        def closure(parts=parts):
            parts.zero_grad()
            loss = loss_of(torch.cat([first, second[:, 0]]))
            loss.backward()
            return loss

        parts.step(closure)
        torch.testing.assert_close(torch.cat([first, second[:, 0]]), whole)


def test_a_step_makes_all_its_iterations():
    # torch's default of 1.25 evaluations an iteration would end a step of 5 early.
    parameter = start().requires_grad_()
    optimizer = make([parameter], iterations=8)
    losses = []
    optimizer.step(closure_of(parameter, optimizer, losses))
    assert optimizer.state[parameter]["n_iter"] == 8
    assert len(losses) >= 9


def test_restart_forgets_and_no_restart_remembers():
    def after_two_steps(restart, split):
        parameter = start().requires_grad_()
        optimizer = make([parameter], iterations=3, restart=restart)
        optimizer.step(closure_of(parameter, optimizer))
        if split:  # a fresh optimiser knows nothing
            optimizer = make([parameter], iterations=3, restart=restart)
        optimizer.step(closure_of(parameter, optimizer))
        return parameter.detach()

    assert torch.equal(after_two_steps(True, split=False), after_two_steps(True, split=True))
    assert not torch.equal(after_two_steps(False, split=False), after_two_steps(True, split=False))


def test_scipy_cannot_remember():
    with pytest.raises(ValueError, match="restart"):
        make([start()], restart=False, line_search="scipy")
