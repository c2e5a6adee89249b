"""The convolution of a rating matrix with global kernels, on full matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def global_convolution(matrix: Tensor, kernels: Sequence[Tensor]) -> Tensor:
    """Convolve a rating matrix with global kernels one after another, each followed by a ReLU.

        R⁽ˡ⁾ = ReLU(R⁽ˡ⁻¹⁾ ⊗ GK⁽ˡ⁾),   R⁽⁰⁾ = R

    ⊗ is cross-correlation (the kernel is not flipped) with zero padding, which keeps the shape.

    Args:
        matrix: [items, users] ratings, 0 where missing.
        kernels: [t, t] each, t odd.

    Returns:
        [items, users] convolved matrix.

    Source: paper, Sec. 3.2; `usydnlp/Glocal_K`. Several layers are our reading of Table 2.
    """
    image = matrix[None, None]
    for kernel in kernels:
        image = torch.relu(F.conv2d(image, kernel[None, None], padding=kernel.shape[0] // 2))
    return image[0, 0]
