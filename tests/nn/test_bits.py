"""The same input gives the same bits wherever its arrays lie in memory."""

import random

import numpy as np
import torch

from glocalk.completers.glocal_k import FineTuning
from glocalk.nn.formulation import make_operator
from planted import planted
from small import network_of, settings

TRAIN, _ = planted()


def test_loss_and_gradient_do_not_depend_on_where_arrays_lie():
    network = network_of(settings(hidden_size=8), TRAIN.shape).float()
    operator = make_operator(
        torch.tensor(TRAIN.users),
        torch.tensor(TRAIN.items),
        torch.tensor(TRAIN.ratings, dtype=torch.float32),
        (TRAIN.num_items, TRAIN.num_users),
        "sparse",
    )
    stage = FineTuning(network, iterations=1)
    rng, held = random.Random(0), []

    def evaluate():
        network.zero_grad()
        loss = stage.loss(operator)
        loss.backward()
        return [loss.detach(), *(parameter.grad.clone() for parameter in network.parameters())]

    first = evaluate()
    for _ in range(300):
        held.append(np.empty(rng.randrange(1, 4000), np.float32))  # moves what comes next
        if len(held) > 50:
            held.pop(rng.randrange(50))
        for before, now in zip(first, evaluate(), strict=True):
            assert torch.equal(before, now)
