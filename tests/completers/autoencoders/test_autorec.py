import math

import numpy as np
import pytest
import torch

from glocalk.completers.autoencoders.autorec import (
    AutoRec,
    AutoRecConfig,
    AutoRecNetwork,
    AutoRecTraining,
)
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.operators.formulation import make_operator
from glocalk.run.monitor import Monitor
from glocalk.training.checkpoints import AtomicCheckpoints
from glocalk.training.context import FitContext
from planted import planted

TRAIN, TEST = planted(num_users=14, num_items=11)  # the last user and the last item have no rating
USERS = np.repeat(np.arange(14), 11)
ITEMS = np.tile(np.arange(11), 14)
MATRIX = np.zeros((14, 11))
MATRIX[TRAIN.users, TRAIN.items] = TRAIN.ratings
ACTIVATIONS = [(f, g) for f in ("identity", "sigmoid") for g in ("identity", "sigmoid")]


def config_of(**options):
    defaults = {
        "hidden_size": 6,
        "regularization": 0.7,
        "train": {"epochs": 3, "iterations": 4},
        "formulation": "sparse",
    }
    return AutoRecConfig.check({**defaults, **options}, "model")


def fit(config, train=TRAIN, **options):
    completer, monitor = AutoRec(config), Monitor(options.pop("test", TEST))
    completer.fit(train, context=FitContext(observer=monitor.observer(), **options))
    return completer, monitor


def logistic(x):
    return 1 / (1 + torch.exp(-x))


def literal_predictions(matrix, v, w, mu, b, f, g, scale=(1, 5)):
    """h(r) of each row r, element by element of the paper's equation."""
    rows = []
    for r in matrix:
        x = v.T @ r + mu
        x = w @ (logistic(x) if g == "sigmoid" else x) + b
        rows.append(scale[0] + (scale[1] - scale[0]) * logistic(x) if f == "sigmoid" else x)
    return torch.stack(rows)


def literal_loss(matrix, v, w, mu, b, f, g, regularization):
    errors = (literal_predictions(matrix, v, w, mu, b, f, g) - matrix)[matrix > 0]
    return (errors**2).sum() / 2 + regularization * ((v**2).sum() + (w**2).sum())


@pytest.mark.parametrize("formulation", ["sparse", "dense"])
@pytest.mark.parametrize("rows", ["items", "users"])
@pytest.mark.parametrize(("f", "g"), ACTIVATIONS)
def test_loss_and_gradient_match_the_dense_equations(f, g, rows, formulation):
    matrix = torch.tensor(MATRIX.T if rows == "items" else MATRIX)
    config = config_of(output_activation=f, hidden_activation=g)
    generator = torch.Generator().manual_seed(1)
    network = AutoRecNetwork(matrix.shape[1], config, generator).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(20)
    index_of_row, index_of_column = matrix.nonzero(as_tuple=True)
    shuffled = torch.randperm(len(index_of_row), generator=generator)
    operator = make_operator(
        index_of_column[shuffled],
        index_of_row[shuffled],
        matrix[index_of_row, index_of_column][shuffled],
        tuple(matrix.shape),
        formulation,
    )
    ours = AutoRecTraining(network, (1, 5)).loss(operator)
    parameters = network.v, network.w, network.mu, network.b
    theirs = literal_loss(matrix, *parameters, f, g, 0.7)
    assert ours.dtype == torch.float64
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
    gradients = torch.autograd.grad(ours, parameters)
    expected = torch.autograd.grad(theirs, parameters)
    for got, want in zip(gradients, expected, strict=True):
        assert want.abs().max() > 1e-3
        assert (got - want).abs().max() <= 1e-11 * want.abs().max()


@pytest.mark.parametrize("rows", ["items", "users"])
@pytest.mark.parametrize(("f", "g"), ACTIVATIONS)
def test_predictions_match_the_equation_with_the_trained_parameters(f, g, rows, tmp_path):
    config = config_of(output_activation=f, hidden_activation=g, rows=rows)
    completer, _ = fit(config, folder=tmp_path, trainer={"precision": "64-true"})
    saved = AtomicCheckpoints().load_checkpoint(tmp_path / "train.ckpt")["state_dict"]
    parameters = [saved[f"network.{name}"] for name in ("v", "w", "mu", "b")]
    matrix = torch.tensor(MATRIX.T if rows == "items" else MATRIX)
    expected = literal_predictions(matrix, *parameters, f, g).numpy()
    expected = expected.T if rows == "items" else expected  # [users, items]
    predicted = completer.predict_pairs(USERS, ITEMS).reshape(14, 11)
    np.testing.assert_allclose(predicted[:-1, :-1], expected[:-1, :-1], rtol=1e-10)


def test_u_autorec_is_i_autorec_on_the_transposed_matrix():
    transposed = RatingMatrix(TRAIN.items, TRAIN.users, TRAIN.ratings, (11, 14), (1, 5))
    ours, _ = fit(config_of(rows="users"))
    other, _ = fit(config_of(rows="items"), transposed, test=None)
    rated = (USERS < 13) & (ITEMS < 10)  # users and items without ratings have different defaults
    users, items = USERS[rated], ITEMS[rated]
    np.testing.assert_array_equal(
        ours.predict_pairs(users, items), other.predict_pairs(items, users)
    )


@pytest.mark.parametrize("rows", ["items", "users"])
@pytest.mark.parametrize("f", ["identity", "sigmoid"])
def test_without_training_ratings_users_get_the_mean_and_items_the_middle_of_the_scale(f, rows):
    halves = RatingMatrix(TRAIN.users, TRAIN.items, TRAIN.ratings - 0.5, (14, 11), (0.5, 5))
    completer, _ = fit(config_of(output_activation=f, rows=rows), halves, test=None)
    grid = completer.predict_grid(np.arange(14), np.arange(11))
    mean = halves.ratings.mean()
    assert abs(mean - 2.75) > 0.01
    np.testing.assert_allclose(grid[-1], mean, atol=1e-6)  # the last item among them
    np.testing.assert_allclose(grid[:-1, -1], 2.75, atol=1e-6)
    assert np.abs(grid[:-1, :-1] - 2.75).min() > 1e-4


@pytest.mark.parametrize("scale", [(0.5, 5), (-10, 10)])
def test_a_sigmoid_output_spans_the_rating_scale(scale):
    lowest, highest = scale
    stretched = lowest + (TRAIN.ratings - 1) / 4 * (highest - lowest)
    train = RatingMatrix(TRAIN.users, TRAIN.items, stretched, (14, 11), scale)
    config = config_of(
        output_activation="sigmoid", regularization=1e-4, train={"epochs": 1, "iterations": 200}
    )
    completer, _ = fit(config, train, test=None)
    predicted = completer.predict_pairs(train.users, train.items)
    assert lowest < predicted.min() < lowest + 0.1 * (highest - lowest)
    assert highest - 0.1 * (highest - lowest) < predicted.max() < highest
    # With 66 weights per user for about five ratings, the ends of the scale can be reached.
    assert np.sqrt(np.mean((predicted - stretched) ** 2)) < 0.02 * (highest - lowest)


def test_without_restarts_epochs_only_divide_one_run_of_lbfgs():
    divided, _ = fit(config_of(train={"epochs": 5, "iterations": 4}))
    whole, _ = fit(config_of(train={"epochs": 1, "iterations": 20}))
    np.testing.assert_array_equal(
        divided.predict_pairs(USERS, ITEMS), whole.predict_pairs(USERS, ITEMS)
    )


def test_the_first_loss_is_that_of_predictions_near_zero():
    # Weights near 0: each hidden unit is about ½, each prediction about 0.
    _, monitor = fit(config_of(hidden_size=500, regularization=0.0))
    assert monitor.curves.loss[0] == pytest.approx((TRAIN.ratings**2).sum() / 2, rel=0.1)


def test_initial_values_match_the_official_code():
    network = AutoRecNetwork(400, config_of(hidden_size=300), torch.Generator().manual_seed(0))
    for parameter, sigma in ((network.v, 0.01), (network.w, 0.01), (network.mu, 1e-3)):
        assert parameter.std().item() == pytest.approx(sigma, rel=0.1)
        assert parameter.abs().max() > 2.5 * sigma  # not truncated
        assert abs(parameter.mean()) < 0.2 * sigma
    assert network.b.std().item() == pytest.approx(1e-3, rel=0.1)
    assert not torch.equal(network.v, network.w)


def test_with_a_large_penalty_each_user_gets_their_mean():
    # V and W vanish, b is free: it becomes each user's mean rating. The training is long enough to
    # reach the minimum whatever the rounding of the machine.
    config = config_of(regularization=1e4, train={"epochs": 20, "iterations": 50})
    completer, _ = fit(config, trainer={"precision": "64-true"})
    predicted = completer.predict_pairs(TEST.users, TEST.items)
    for user, value in zip(TEST.users, predicted, strict=True):
        assert value == pytest.approx(TRAIN.ratings[TRAIN.users == user].mean(), abs=1e-3)


class Killed(BaseException):
    pass


class KillAt:
    """A listener that stops the training as a signal would, after an epoch's evaluation."""

    def __init__(self, epoch):
        self.epoch = epoch

    def epoch_ended(self, stage, epoch, test, valid):
        del stage, test, valid
        if epoch == self.epoch:
            raise Killed


@pytest.mark.parametrize("rows", ["items", "users"])
def test_a_killed_training_resumes_to_the_uninterrupted_result(tmp_path, rows):
    config = config_of(rows=rows, output_activation="sigmoid")
    whole, whole_monitor = fit(config)
    monitor = Monitor(TEST, listeners=[KillAt(3)])
    with pytest.raises(Killed):
        AutoRec(config).fit(TRAIN, context=FitContext(observer=monitor.observer(), folder=tmp_path))
    resumed, resumed_monitor = fit(config, folder=tmp_path)
    assert resumed_monitor.curves == whole_monitor.curves
    np.testing.assert_array_equal(
        resumed.predict_pairs(USERS, ITEMS), whole.predict_pairs(USERS, ITEMS)
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rows": "item"}, "'model.rows' cannot be 'item'"),
        ({"hidden_activation": "relu"}, "'model.hidden_activation' cannot be 'relu'"),
        ({"regularization": -1.0}, "'model.regularization' cannot be -1.0"),
        ({"train": {"epochs": 0, "iterations": 5}}, "'model.train.epochs' cannot be 0"),
        ({"output_activaton": "sigmoid"}, "did you mean 'output_activation'"),
    ],
)
def test_invalid_options_raise_a_one_sentence_error(options, sentence):
    with pytest.raises(GlocalkError, match=sentence) as error:
        config_of(**options)
    assert "\n" not in str(error.value)


def test_a_saved_scale_that_is_not_finite_is_refused():
    completer, _ = fit(config_of())
    state = {**completer.state(), "scale": torch.tensor([1.0, math.nan])}
    with pytest.raises(GlocalkError, match="'scale' is not finite"):
        AutoRec(config_of()).restore(state, TRAIN.shape)
