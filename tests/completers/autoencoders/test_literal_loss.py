"""Loss and gradient of GLocal-K in every formulation, against the literal equations."""

import copy

import pytest
import torch

import literal
import small
from glocalk.completers.autoencoders.glocal_k import FineTuning, PreTraining
from glocalk.data.datasets.movielens import MovieLens100K
from glocalk.operators.formulation import make_operator
from planted import planted
from small import network_of

TRAIN, _ = planted()
# Relative to the largest component of a gradient.
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}
SMALL_NETWORK = {"hidden_size": 40, "kernel_dimension": 5, "dot_scale": 1e-3}


def operator(train, formulation, dtype):
    return make_operator(
        torch.tensor(train.users),
        torch.tensor(train.items),
        torch.tensor(train.ratings, dtype=dtype),
        (train.num_items, train.num_users),
        formulation,
    )


def literal_loss(network, stage, train):
    config = network.config
    ratings = torch.zeros(train.num_items, train.num_users, dtype=torch.float64)
    ratings[train.items, train.users] = torch.tensor(train.ratings)
    layers = [(layer.weight, layer.u, layer.v, layer.bias) for layer in network.autoencoder.layers]
    x = ratings
    if stage is FineTuning:
        x = literal.convolved(
            ratings, layers, list(network.item_kernels), config.dot_scale, config.aggregation
        )
    observed = (ratings > 0).double()
    return literal.loss(x, ratings, observed, layers, config.lambda_2, config.lambda_s)


def compare(network, stage, train, formulation, dtype):
    """Compare, and return the literal gradients, None for untrained parameters."""
    module = stage(copy.deepcopy(network).to(dtype), iterations=1)
    ours = module.loss(operator(train, formulation, dtype))
    theirs = literal_loss(network, stage, train)
    tolerance = TOLERANCE[dtype]
    assert ours.item() == pytest.approx(theirs.item(), rel=tolerance)
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(ours, list(module.network.parameters()), allow_unused=True)
    expected = torch.autograd.grad(theirs, parameters, allow_unused=True)
    for got, want in zip(gradients, expected, strict=True):
        assert (got is None) == (want is None)
        if want is not None:
            assert (got.double() - want).abs().max() <= tolerance * want.abs().max()
    return expected


@pytest.mark.parametrize("stage", [PreTraining, FineTuning])
@pytest.mark.parametrize("formulation", ["dense", "sparse"])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kernel_size": 5},
        {"kernel_size": 7, "aggregation": "average"},
        {"convolution_layers": 2},
        {"convolution_layers": 3, "dot_scale": 0.1},
        {"aggregation": "average", "convolution_layers": 2, "dot_scale": 5.0},
        {"hidden_layers": 1},
        {"hidden_layers": 3, "kernel_dimension": 5},
    ],
    ids=str,
)
def test_loss_and_gradient_match_the_literal_equations(stage, formulation, dtype, options):
    network = network_of(small.config(**options), TRAIN.shape)
    gradients = compare(network, stage, TRAIN, formulation, dtype)
    if stage is FineTuning:
        assert gradients[-1].abs().max() > 0


@pytest.mark.data("ml-100k")
@pytest.mark.parametrize("stage", [PreTraining, FineTuning])
@pytest.mark.parametrize("formulation", ["dense", "sparse"])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_real_ratings_give_the_literal_loss_and_gradient(stage, formulation, dtype, data_dir):
    train = MovieLens100K(MovieLens100K.Config()).split(data_dir).train
    network = network_of(small.config(**SMALL_NETWORK), train.shape)
    compare(network, stage, train, formulation, dtype)
