"""The same input gives the same bits wherever its arrays lie in memory."""

import random

import numpy as np
import torch

from glocalk.completers.autoencoders.autorec import AutoRecConfig, AutoRecNetwork, AutoRecTraining
from glocalk.completers.autoencoders.glocal_k import FineTuning
from glocalk.operators.formulation import make_operator
from planted import planted
from small import network_of, settings

TRAIN, _ = planted()


def operator_of(train):
    return make_operator(
        torch.tensor(train.users),
        torch.tensor(train.items),
        torch.tensor(train.ratings, dtype=torch.float32),
        (train.num_items, train.num_users),
        "sparse",
    )


def assert_same_bits_wherever_arrays_lie(stage):
    operator = operator_of(TRAIN)
    rng, held = random.Random(0), []

    def evaluate():
        stage.zero_grad()
        loss = stage.loss(operator)
        loss.backward()
        return [loss.detach(), *(parameter.grad.clone() for parameter in stage.parameters())]

    first = evaluate()
    for _ in range(300):
        held.append(np.empty(rng.randrange(1, 4000), np.float32))  # moves what comes next
        if len(held) > 50:
            held.pop(rng.randrange(50))
        for before, now in zip(first, evaluate(), strict=True):
            assert torch.equal(before, now)


def test_loss_and_gradient_do_not_depend_on_where_arrays_lie():
    network = network_of(settings(hidden_size=8), TRAIN.shape).float()
    assert_same_bits_wherever_arrays_lie(FineTuning(network, iterations=1))


def test_nor_does_an_error_taken_from_the_outputs():
    options = AutoRecConfig(
        rows="items",
        hidden_size=8,
        hidden_activation="sigmoid",
        output_activation="sigmoid",
        regularization=0.5,
        train={"epochs": 1, "iterations": 1},
        lbfgs={},
        formulation="sparse",
    )
    network = AutoRecNetwork(TRAIN.num_users, options, torch.Generator().manual_seed(0))
    assert_same_bits_wherever_arrays_lie(AutoRecTraining(network, TRAIN.scale))
