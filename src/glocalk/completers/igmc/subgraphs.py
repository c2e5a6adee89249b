"""Enclosing subgraphs of (user, item) pairs in the graph of ratings, many pairs at a time.

The subgraph of a pair (u, i) consists of u, i, the users that rated i and the items that u rated,
up to a given number of each, and all ratings among them except that of the pair itself. A rating
is two edges, one in each direction. Pairs are independent of each other: the draws for a pair
depend only on the seed and the pair.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from glocalk.completers.igmc import loops
from glocalk.data.rating_matrix import Indices, RatingMatrix
from glocalk.sparse.compiled import Array, use_threads

LABELS = 4  # of nodes: 0 the target user, 1 the target item, 2 other users, 3 other items

_ALWAYS = 1 << 32  # a threshold that every draw is below


class RatingGraph:
    """Ratings by user and by item.

    Args:
        train: the ratings.

    Attributes:
        levels: [relations] the distinct ratings, ascending; a rating's relation is its position.
        user_bounds: [users · relations + 1] where the ratings of each user and relation begin.
        user_items: [ratings] their items.
        item_bounds: [items + 1] where the ratings of each item begin.
        item_users: [ratings] their users.
    """

    def __init__(self, train: RatingMatrix) -> None:
        self.levels, relations = np.unique(train.ratings, return_inverse=True)
        self.num_items = train.num_items
        segments = train.users * len(self.levels) + relations
        self.user_bounds = _bounds(segments, train.num_users * len(self.levels))
        self.user_items = train.items[np.argsort(segments, kind="stable")].astype(np.int32)
        self.item_bounds = _bounds(train.items, train.num_items)
        self.item_users = train.users[np.argsort(train.items, kind="stable")].astype(np.int32)


class Edges(NamedTuple):
    """Lists of edges, one for each node and relation: its in-edges, or its out-edges.

    Attributes:
        starts: [nodes · relations] position of each list's first edge in `ends` and `weights`.
        stops: [nodes · relations] position after its last edge.
        ends: [room] the node at the other end of each edge, int32.
        weights: [room] factor on the message along each edge, float32; None for 1.
    """

    starts: Tensor
    stops: Tensor
    ends: Tensor
    weights: Tensor | None

    def to(self, device: torch.device) -> Edges:
        """The edges on another device."""
        starts, stops, ends = (part.to(device) for part in self[:3])
        weights = None if self.weights is None else self.weights.to(device)
        return Edges(starts, stops, ends, weights)

    def of(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        """The edges of some lists, one list after another.

        Args:
            segments: [n] node · relations + relation.

        Returns:
            [edges] positions in `ends`, [edges] which of the n lists each is in; both int64.
        """
        starts = self.starts[segments]
        sizes = self.stops[segments] - starts
        owner = torch.repeat_interleave(sizes)
        before = sizes.cumsum(0) - sizes
        within = torch.arange(len(owner), device=owner.device) - before[owner]
        return starts[owner] + within, owner


class Subgraphs(NamedTuple):
    """The subgraphs of some pairs; the nodes of a pair are consecutive, users before items.

    Attributes:
        relations: number of relations.
        labels: [nodes] 0 … 3.
        targets: [2, pairs] node of each target user and of each target item.
        in_edges: the edges along which each node receives messages.
        out_edges: the same edges, listed by the node that sends.
        counts: [nodes, relations, LABELS] number of in-edges of each node by the label at their
            other end, each times its weight; float32.
        nodes: [nodes] index of the user or item that each node is.
    """

    relations: int
    labels: Tensor
    targets: Tensor
    in_edges: Edges
    out_edges: Edges
    counts: Tensor
    nodes: Tensor

    def to(self, device: torch.device) -> Subgraphs:
        """The subgraphs on another device."""
        return Subgraphs(
            self.relations,
            self.labels.to(device),
            self.targets.to(device),
            self.in_edges.to(device),
            self.out_edges.to(device),
            self.counts.to(device),
            self.nodes.to(device),
        )


def enclose(
    graph: RatingGraph,
    users: Indices,
    items: Indices,
    max_neighbors: int,
    edge_dropout: float = 0.0,
    seed: int = 0,
    average: bool = False,
) -> Subgraphs:
    """The subgraphs of the pairs (users[k], items[k]).

    Args:
        graph: the ratings.
        users: [pairs].
        items: [pairs].
        max_neighbors: most users, and most items, besides the pair; they are drawn if there are
            more.
        edge_dropout: probability that an edge is left out, independently of its reverse.
        seed: seed of the random draws, from 0 to 2⁶³ − 1.
        average: whether the weight of an edge is 1 / (in-edges of its target with the same
            relation), so that sums are means; otherwise it is 1.
    """
    use_threads()
    relations = len(graph.levels)
    by_user = graph.user_bounds, graph.user_items
    by_item = graph.item_bounds, graph.item_users
    sizes = np.empty((len(users), 2), np.int64)
    loops.count_nodes(users, items, *by_user, graph.item_bounds, relations, max_neighbors, sizes)
    firsts = _before(sizes.sum(axis=1))
    nodes = np.empty(firsts[-1], np.int32)
    rooms = np.empty(len(users), np.int64)
    states = np.empty(len(users), np.uint64)
    loops.choose_nodes(
        users, items, *by_user, *by_item, relations, np.uint64(seed), sizes, firsts, nodes, rooms,
        states,
    )  # fmt: skip
    bounds = _before(rooms)
    directions = 2 if edge_dropout else 1
    starts, stops = np.empty((2, directions, len(nodes), relations), np.int32)
    ends = np.empty((directions, bounds[-1]), np.int32)
    counts = np.zeros((len(nodes), relations, LABELS), np.float32)
    threshold = np.uint64(round((1 - edge_dropout) * _ALWAYS))
    loops.connect(
        nodes, sizes, firsts, bounds, states, threshold, *by_user, graph.num_items, starts, stops,
        ends, counts,
    )  # fmt: skip
    labels = np.tile(np.array([2, 3]), len(users)).repeat(sizes.ravel())
    targets = np.stack([firsts[:-1], firsts[:-1] + sizes[:, 0]])
    labels[targets[0]], labels[targets[1]] = 0, 1
    list_sizes = stops[0] - starts[0]
    if average:
        counts /= np.maximum(list_sizes, 1)[:, :, np.newaxis]
    lists = []
    for way, incoming in ((0, True), (-1, False)):
        weights = None
        if average:
            shares = np.empty(bounds[-1], np.float32)
            loops.share_edges(starts[way], stops[way], ends[way], list_sizes, incoming, shares)
            weights = torch.from_numpy(shares)
        begin, end = (torch.from_numpy(part[way].ravel()) for part in (starts, stops))
        lists.append(Edges(begin, end, torch.from_numpy(ends[way]), weights))
    return Subgraphs(
        relations,
        torch.from_numpy(labels),
        torch.from_numpy(targets),
        lists[0],
        lists[1],
        torch.from_numpy(counts),
        torch.from_numpy(nodes),
    )


def _bounds(owners: Indices, size: int) -> Array:
    return _before(np.bincount(owners, minlength=size))


def _before(counts: Array) -> Array:
    """[n + 1] sum of the counts before each, and of all."""
    return np.concatenate([[0], np.cumsum(counts)])
