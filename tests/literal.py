"""GLocal-K written straight from the paper's equations: the reference that tests compare with.

Nothing here is shared with the package. Full matrices, a three-dimensional kernel, explicit
shifts for the convolution; slow and plain on purpose.
"""

import torch


def local_kernel(u, v):
    """[n, m] from u [n, d], v [m, d]."""
    return torch.clamp(1 - ((u[:, None, :] - v[None, :, :]) ** 2).sum(dim=2), min=0)


def convolution(matrix, kernel):
    """Cross-correlation with zeros around, then ReLU."""
    height, width = matrix.shape
    half = kernel.shape[0] // 2
    padded = torch.zeros(height + 2 * half, width + 2 * half, dtype=matrix.dtype)
    padded[half : half + height, half : half + width] = matrix
    total = torch.zeros_like(matrix)
    for a in range(kernel.shape[0]):
        for b in range(kernel.shape[1]):
            total = total + kernel[a, b] * padded[a : a + height, b : b + width]
    return torch.clamp(total, min=0)


def network(x, layers):
    """Prediction matrix; layers are tuples (weight, u, v, bias)."""
    for weight, u, v, bias in layers[:-1]:
        x = 1 / (1 + torch.exp(-(x @ (weight * local_kernel(u, v)) + bias)))
    weight, u, v, bias = layers[-1]
    return x @ (weight * local_kernel(u, v)) + bias


def convolved(matrix, layers, item_kernels, dot_scale, aggregation):
    """The fine-tuning input."""
    size = round(item_kernels[0].shape[1] ** 0.5)
    pooled = network(matrix, layers).mean(dim=1)
    for kernels in item_kernels:
        if aggregation == "weighted":
            flat = (pooled[:, None] * kernels).sum(dim=0) * dot_scale
        else:
            flat = kernels.mean(dim=0) * dot_scale
        matrix = convolution(matrix, flat.reshape(size, size))
    return matrix


def loss(x, ratings, observed, layers, lambda_2, lambda_s):
    """Sum of squared errors and penalties; x is what enters the network."""
    total = (((ratings - network(x, layers)) * observed) ** 2).sum() / 2
    for weight, u, v, _ in layers:
        total = total + lambda_2 * (weight**2).sum() / 2
        total = total + lambda_s * (local_kernel(u, v) ** 2).sum() / 2
    return total
