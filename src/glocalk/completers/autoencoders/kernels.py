"""The local and the global kernel of GLocal-K (Sec. 3 of the paper) as pure functions."""

from __future__ import annotations

import torch
from torch import Tensor


def local_kernel(u: Tensor, v: Tensor) -> Tensor:
    """Finite-support local kernel between two sets of vectors.

        Ŵᵢⱼ = max(0, 1 − ‖uᵢ − vⱼ‖²),   ‖uᵢ − vⱼ‖² = ‖uᵢ‖² + ‖vⱼ‖² − 2 uᵢ·vⱼ

    The squared distance is expanded, so that no inputs × outputs × dimension array is allocated.
    It is not clamped at 0: where rounding makes it slightly negative, a clamp would stop the
    gradient.

    Args:
        u: [inputs, dimension] one vector per input unit.
        v: [outputs, dimension] one vector per output unit.

    Returns:
        [inputs, outputs] kernel values.

    Source: paper, Sec. 3.1; `usydnlp/Glocal_K`.
    """
    offset = (1 - u.square().sum(dim=1))[:, None] - v.square().sum(dim=1)
    return torch.relu(torch.addmm(offset, u, v.T, alpha=2))


def global_kernel(pooled: Tensor, item_kernels: Tensor, dot_scale: float) -> Tensor:
    """Global kernel: the item kernels weighted by each item's mean predicted rating.

        GK = dot_scale · Σᵢ μᵢ kᵢ,   reshaped row by row to t × t

    Args:
        pooled: [items] μ, each item's predicted rating averaged over users.
        item_kernels: [items, t²] k, one flattened kernel per item.
        dot_scale: scale of the dot product.

    Returns:
        [t, t] kernel.

    Source: paper, Sec. 3.2; `usydnlp/Glocal_K`.
    """
    return _square(dot_scale * (pooled @ item_kernels))


def average_global_kernel(item_kernels: Tensor, dot_scale: float) -> Tensor:
    """Global kernel of the element-wise-average variant (Table 2 of the paper).

        GK = dot_scale · (1/n) Σᵢ kᵢ,   reshaped row by row to t × t

    The paper names the variant without defining it. This is our reading: the mean of the item
    kernels, without the pooled ratings as weights.

    Args:
        item_kernels: [items, t²] k.
        dot_scale: scale, as in `global_kernel`.

    Returns:
        [t, t] kernel.
    """
    return _square(dot_scale * item_kernels.mean(dim=0))


def _square(flat: Tensor) -> Tensor:
    size = round(flat.numel() ** 0.5)
    return flat.reshape(size, size)
