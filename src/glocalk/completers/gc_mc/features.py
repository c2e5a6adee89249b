"""Features of users and items, and the layer that takes them; `extra.py` has the equations."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Discriminator, Tag
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional as F

from glocalk.completers.blocks.dropout import drop
from glocalk.completers.blocks.glorot import glorot, glorot_limit
from glocalk.completers.gc_mc.layers import Dense
from glocalk.data.labels import Kind
from glocalk.data.side.encode import FeatureConfig, encode
from glocalk.data.side.information import Need, SideInformation

_BIAS_DEVIATION = 0.5  # of the initial values, a normal cut at two deviations, in the official code


def _form(value: Any) -> str | None:
    if isinstance(value, str):
        return "name" if value in ("graph", "identity") else None
    return "attributes" if isinstance(value, (list, tuple)) else None


FeatureSource: TypeAlias = Annotated[
    Annotated[tuple[FeatureConfig, ...], Tag("attributes")]
    | Annotated[Literal["graph", "identity"], Tag("name")],
    Discriminator(
        _form,
        custom_error_type="feature_source",
        custom_error_message="choose graph, identity, or a list of encoded attributes",
    ),
]
"""Where the features of one side come from: attributes, each with its encoding; the rows of the
side's graph; or the identity, a column for each user or item. An empty list is no features."""

_NEEDS: dict[tuple[Kind, bool], Need] = {
    ("user", True): "user graph",
    ("user", False): "user attributes",
    ("item", True): "item graph",
    ("item", False): "item attributes",
}


def needs_of(kind: Kind, source: FeatureSource) -> tuple[Need, ...]:
    """What the features of one side need beside the ratings."""
    if source == "identity" or not source:
        return ()
    return (_NEEDS[kind, source == "graph"],)


def feature_matrix(kind: Kind, source: FeatureSource, size: int, side: SideInformation) -> Any:
    """F of one side, sparse: [size, features].

    Rows are divided by the sum of their absolute values; empty ones stay 0. No feature of the
    official code is negative, so that this is their sum there. Elsewhere a sum may be 0.

    Args:
        kind: of whom.
        source: where the features come from.
        size: number of users or items.
        side: what is known beside the ratings, with what `needs_of` names.

    Raises:
        GlocalkError: there is no such attribute, or it has another form than the encoding is for.
    """
    matrix: Any = sparse.csr_array((size, 0))
    if source == "identity":
        matrix = sparse.eye_array(size)
    elif source == "graph":
        matrix = side.graph(kind)
    elif source:
        matrix = encode(side.attributes(kind), source).matrix
    sums = abs(matrix).sum(axis=1)
    return sparse.csr_array(sparse.diags_array(1 / np.where(sums > 0, sums, 1)) @ matrix)


class FeatureDense(Dense):
    """z = dropout([h | f]) D with f = ReLU(F W) + b; W, b and D are apart for users and items.

    Args:
        inputs: length of h.
        outputs: length of z.
        generator: source of the initial values: D and W Glorot's, b truncated normal. W's inputs
            are the features of both sides together.
        features: F of the users and of the items.
        rated: [n] which users, and which items, have training ratings.
        size: length of f.
        dtype: precision of F; the Trainer's precision gives that of the weights.
    """

    embeds_unrated = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        generator: torch.Generator,
        *,
        features: tuple[Any, Any],
        rated: tuple[NDArray[np.bool_], NDArray[np.bool_]],
        size: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        limit = glorot_limit(sum(matrix.shape[1] for matrix in features), size)
        self.users, self.items = (
            _Side(matrix, known, limit, (inputs, size, outputs), generator, dtype)
            for matrix, known in zip(features, rated, strict=True)
        )

    def forward(self, users: Tensor, items: Tensor, share: float = 0.0) -> tuple[Tensor, Tensor]:
        return self.users(users, share), self.items(items, share)


class _Side(nn.Module):
    """The layer of the users or of the items; `sizes` are the lengths of h, f and z."""

    features: Tensor
    unrated: Tensor

    def __init__(
        self,
        features: Any,
        rated: NDArray[np.bool_],
        limit: float,
        sizes: tuple[int, int, int],
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        inputs, size, outputs = sizes
        # Not persistent: they are the data's, which a checkpoint does not hold.
        self.register_buffer("features", _sparse_tensor(features, dtype), persistent=False)
        self.register_buffer("unrated", torch.from_numpy(~rated).to(dtype), persistent=False)
        self.num_rated = int(rated.sum())
        self.weight = nn.Parameter(
            torch.empty(features.shape[1], size).uniform_(-limit, limit, generator=generator)
        )
        self.bias = nn.Parameter(torch.empty(size))
        cut = 2 * _BIAS_DEVIATION
        nn.init.trunc_normal_(self.bias, 0, _BIAS_DEVIATION, -cut, cut, generator)
        self.dense = glorot(inputs + size, outputs, generator)

    def forward(self, hidden: Tensor, share: float) -> Tensor:
        # The mean of h over the rated, where there are no ratings and h is 0.
        hidden = torch.addr(hidden, self.unrated, hidden.sum(dim=0) / self.num_rated)
        features = F.relu(torch.sparse.mm(self.features, self.weight)) + self.bias
        both = torch.cat([hidden, features], dim=1)
        return drop(both, share) @ (self.dense / (1 - share))


def _sparse_tensor(matrix: Any, dtype: torch.dtype) -> Tensor:
    entries = sparse.coo_array(matrix)
    places = torch.from_numpy(np.stack([entries.row, entries.col]).astype(np.int64))
    values = torch.from_numpy(entries.data).to(dtype)
    return torch.sparse_coo_tensor(places, values, entries.shape, check_invariants=True).coalesce()
