"""GLocal-K's loss in the plainest dense form, as a direct port of the paper computes it."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from glocalk.completers.autoencoders.glocal_k import GLocalKNetwork
from glocalk.completers.autoencoders.layers import KernelLayer


def literal_loss(network: GLocalKNetwork, stage: str, matrix: Tensor, observed: Tensor) -> Tensor:
    """Compute ½ Σ_observed (r − p)² + penalty, every step as the paper writes it.

    The local kernel's differences are stored as [inputs, outputs, dimension], each pass computes
    the kernels of its layers again, and pooling averages the whole prediction matrix.

    Args:
        network: with one convolution layer and weighted aggregation.
        stage: `pretrain` or `finetune`.
        matrix: [items, users] ratings, 0 where missing.
        observed: [items, users] 1 where rated, else 0.
    """
    image = matrix
    if stage == "finetune":
        item_kernels = network.item_kernels[0]
        pooled = _predict(network, matrix)[0].mean(dim=1)
        kernel = (pooled[:, None] * item_kernels).sum(dim=0) * network.config.dot_scale
        kernel = kernel.reshape(1, 1, network.config.kernel_size, network.config.kernel_size)
        image = torch.relu(F.conv2d(matrix[None, None], kernel, padding="same"))[0, 0]
    predicted, penalty = _predict(network, image)
    return ((matrix - predicted) * observed).square().sum() / 2 + penalty


def _predict(network: GLocalKNetwork, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return all predictions [items, users], and the penalty."""
    config = network.config
    penalty = x.new_zeros(())
    *hidden, output = (cast(KernelLayer, layer) for layer in network.autoencoder.layers)
    for layer in (*hidden, output):
        distances = (layer.u[:, None, :] - layer.v[None, :, :]).square().sum(dim=2)
        kernel = torch.clamp(1 - distances, min=0)
        penalty = penalty + config.lambda_2 / 2 * layer.weight.square().sum()
        penalty = penalty + config.lambda_s / 2 * kernel.square().sum()
        x = x @ (layer.weight * kernel) + layer.bias
        if layer is not output:
            x = torch.sigmoid(x)
    return x, penalty
