"""A GLocal-K small enough to compare with literal equations."""

import torch

from glocalk.completers.autoencoders.glocal_k import GLocalKConfig, GLocalKNetwork

OPTIONS = {
    "hidden_size": 6,
    "kernel_dimension": 3,
    "dot_scale": 0.3,
    "redraw_kernels": False,
    "lambda_2": 0.2,
    "lambda_s": 0.06,
    "pretrain": {"epochs": 2, "iterations": 3},
    "finetune": {"epochs": 3, "iterations": 2},
    "formulation": "dense",
}


def config(**options):
    """`OPTIONS` with `options` in place of some."""
    return GLocalKConfig.check({**OPTIONS, **options}, "model")


def network_of(config, shape, seed=0):
    """In double precision, with some local kernel values 0 and most between 0 and 1."""
    network = GLocalKNetwork(shape, config, torch.Generator().manual_seed(seed)).double()
    with torch.no_grad():
        for layer in network.autoencoder.layers:
            layer.u.mul_(300)
            layer.v.mul_(300)
    return network
