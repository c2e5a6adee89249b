"""The same input gives the same bits, whatever the addresses of its arrays."""

import random

import numpy as np
import torch

import small
from glocalk.completers.autoencoders.autorec import AutoRecConfig, AutoRecNetwork, AutoRecTraining
from glocalk.completers.autoencoders.glocal_k import FineTuning
from glocalk.operators.formulation import make_operator
from planted import planted
from small import network_of

TRAIN, _ = planted()


def operator_of(train):
    return make_operator(
        torch.tensor(train.users),
        torch.tensor(train.items),
        torch.tensor(train.ratings, dtype=torch.float32),
        (train.num_items, train.num_users),
        "sparse",
    )


def assert_same_bits_at_all_addresses(stage):
    operator = operator_of(TRAIN)
    rng, held = random.Random(0), []

    def evaluate():
        stage.zero_grad()
        loss = stage.loss(operator)
        loss.backward()
        return [loss.detach(), *(parameter.grad.clone() for parameter in stage.parameters())]

    first = evaluate()
    for _ in range(300):
        held.append(np.empty(rng.randrange(1, 4000), np.float32))  # moves later allocations
        if len(held) > 50:
            held.pop(rng.randrange(50))
        for before, now in zip(first, evaluate(), strict=True):
            assert torch.equal(before, now)


def test_loss_and_gradient_do_not_depend_on_memory_addresses():
    network = network_of(small.config(hidden_size=8), TRAIN.shape).float()
    assert_same_bits_at_all_addresses(FineTuning(network, iterations=1))


def test_loss_and_gradient_through_the_outputs_do_not_depend_on_memory_addresses():
    config = AutoRecConfig(hidden_size=8, output_activation="sigmoid", regularization=0.5)
    network = AutoRecNetwork(TRAIN.num_users, config, torch.Generator().manual_seed(0))
    assert_same_bits_at_all_addresses(AutoRecTraining(network, TRAIN.scale))
