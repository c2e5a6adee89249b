import numpy as np
import pytest
import torch

import literal
import small
from glocalk.completers.autoencoders.glocal_k import GLocalK
from glocalk.completers.autoencoders.kernel_stage import KernelNetwork
from glocalk.completers.autoencoders.sparse_fc import SparseFC, SparseFCConfig, SparseFCTraining
from glocalk.errors import GlocalkError
from glocalk.operators.formulation import make_operator
from glocalk.run.monitor import Monitor
from glocalk.training.checkpoints import AtomicCheckpoints
from glocalk.training.context import FitContext
from planted import planted

TRAIN, TEST = planted(num_users=14, num_items=11)  # the last user and the last item have no rating
USERS = np.repeat(np.arange(14), 11)
ITEMS = np.tile(np.arange(11), 14)
SHARED = {
    "hidden_size": 6,
    "kernel_dimension": 3,
    "lambda_2": 0.2,
    "lambda_s": 0.06,
    "formulation": "dense",
}


def config_of(**options):
    defaults = {**SHARED, "train": {"epochs": 3, "iterations": 4}}
    return SparseFCConfig.check({**defaults, **options}, "model")


def fit(completer, **options):
    monitor = Monitor(TEST)
    completer.fit(TRAIN, context=FitContext(observer=monitor.observer(), **options))
    return completer, monitor


def ratings_matrix():
    matrix = torch.zeros(11, 14, dtype=torch.float64)
    matrix[torch.tensor(TRAIN.items), torch.tensor(TRAIN.users)] = torch.tensor(TRAIN.ratings)
    return matrix


@pytest.mark.parametrize("options", [{}, {"formulation": "sparse"}, {"hidden_layers": 1}], ids=str)
@pytest.mark.parametrize("seed", [0, 3])
def test_it_trains_like_the_pretraining_of_glocal_k(options, seed):
    ours, monitor = fit(SparseFC(config_of(**options)), seed=seed)
    theirs, other = fit(
        GLocalK(
            small.config(
                **{**SHARED, **options},
                pretrain={"epochs": 3, "iterations": 4},
                finetune={"epochs": 0, "iterations": 1},
            )
        ),
        seed=seed,
    )
    for column in ("epoch", "loss", "test_rmse", "test_mae", "test_ndcg"):
        assert getattr(monitor.curves, column) == getattr(other.curves, column)
    rated = USERS < 13
    np.testing.assert_array_equal(
        ours.predict_pairs(USERS[rated], ITEMS[rated]),
        theirs.predict_pairs(USERS[rated], ITEMS[rated]),
    )


@pytest.mark.parametrize("formulation", ["dense", "sparse"])
def test_loss_and_gradient_match_the_literal_equations(formulation):
    network = KernelNetwork(14, config_of(), torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        for layer in network.autoencoder.layers:  # some kernel values are 0, most between 0 and 1
            layer.u.mul_(300)
            layer.v.mul_(300)
    matrix = ratings_matrix()
    items, users = matrix.nonzero(as_tuple=True)
    operator = make_operator(users, items, matrix[items, users], (11, 14), formulation)
    ours = SparseFCTraining(network, iterations=1).loss(operator)
    layers = [(layer.weight, layer.u, layer.v, layer.bias) for layer in network.autoencoder.layers]
    theirs = literal.loss(matrix, matrix, (matrix > 0).double(), layers, 0.2, 0.06)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(ours, parameters)
    for got, want in zip(gradients, torch.autograd.grad(theirs, parameters), strict=True):
        assert (got - want).abs().max() <= 1e-10 * want.abs().max()


def test_predictions_match_the_equations_with_the_trained_parameters(tmp_path):
    completer, _ = fit(SparseFC(config_of()), folder=tmp_path, trainer={"precision": "64-true"})
    saved = AtomicCheckpoints().load_checkpoint(tmp_path / "train.ckpt")["state_dict"]
    layers = [
        [saved[f"network.autoencoder.layers.{n}.{part}"] for part in ("weight", "u", "v", "bias")]
        for n in range(3)
    ]
    expected = literal.network(ratings_matrix(), layers).T.numpy()  # [users, items]
    predicted = completer.predict_pairs(USERS, ITEMS).reshape(14, 11)
    # An item without ratings is a row of zeros like any other row.
    np.testing.assert_allclose(predicted[:-1], expected[:-1], rtol=1e-10)
    assert (predicted[:-1, -1] > 1).all()


def test_a_user_without_training_ratings_gets_the_mean():
    completer, _ = fit(SparseFC(config_of()))
    grid = completer.predict_grid(np.array([13, 0]), np.arange(11))
    np.testing.assert_allclose(grid[0], TRAIN.ratings.mean(), rtol=1e-6)
    assert np.ptp(grid[1]) > 0.01


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"train": {"epochs": 0, "iterations": 5}}, "'model.train.epochs' cannot be 0"),
        ({"lambda_s": -0.1}, "'model.lambda_s' cannot be -0.1"),
        ({"kernel_size": 3}, "Unknown option 'model.kernel_size'"),
    ],
)
def test_invalid_options_raise_a_one_sentence_error(options, sentence):
    with pytest.raises(GlocalkError, match=sentence) as error:
        config_of(**options)
    assert "\n" not in str(error.value)
