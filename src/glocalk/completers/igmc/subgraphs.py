"""Enclosing subgraphs of (user, item) pairs in the graph of ratings, many pairs at a time.

The subgraph of a pair (u, i) holds u, i, the users that rated i, the items that u rated, at most so
many of either, and all ratings among them but that of the pair itself. A rating is two edges, one
each way. Pairs are independent of each other: what is drawn for one depends on a seed and on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import prange
from torch import Tensor

from glocalk.data.ratings import Indices, RatingMatrix
from glocalk.sparse.compiled import Array, compile_, parallel, use_threads

LABELS = 4  # of nodes: 0 the target user, 1 the target item, 2 other users, 3 other items

_PARTS = 16  # of the pairs, each with working memory of its own
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # of the generator SplitMix64, as the numbers in `_mix`
_ALWAYS = 1 << 32  # a threshold that every draw is below


class RatingGraph:
    """Ratings by user and by item.

    Args:
        train: the ratings.

    Attributes:
        levels: [relations] the different ratings, ascending; a rating's relation is its position.
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
    """Lists of nodes, one for each node and relation: what it hears of, or what hears of it.

    `starts` and `stops` are [nodes · relations], positions in `ends` [room], int32, and in
    `weights` [room], float32: what is heard along an edge is multiplied by its weight, None for 1.
    """

    starts: Tensor
    stops: Tensor
    ends: Tensor
    weights: Tensor | None

    def to(self, device: torch.device) -> Edges:
        """The same on another device."""
        starts, stops, ends = (part.to(device) for part in self[:3])
        weights = None if self.weights is None else self.weights.to(device)
        return Edges(starts, stops, ends, weights)

    def of(self, segments: Tensor) -> tuple[Tensor, Tensor]:
        """The lists of some segments, one after another.

        Args:
            segments: [n] node · relations + relation.

        Returns:
            [edges] positions in `ends`, [edges] to which of the n each belongs; both int64.
        """
        starts = self.starts[segments]
        sizes = self.stops[segments] - starts
        owner = torch.repeat_interleave(sizes)
        before = sizes.cumsum(0) - sizes
        within = torch.arange(len(owner), device=owner.device) - before[owner]
        return starts[owner] + within, owner


@dataclass(frozen=True, eq=False)
class Subgraphs:
    """The subgraphs of some pairs; nodes of a pair are neighbors, users before items.

    Attributes:
        relations: number of relations.
        labels: [nodes] 0 … 3.
        targets: [2, pairs] the node of each target user and of each target item.
        heard: what each node hears of.
        hearing: what hears of each node, the same edges from their other end.
        counts: [nodes, relations, LABELS] how many nodes of each label each node hears of, each
            times its edge's weight; float32.
        nodes: [nodes] index of the user or of the item that each node is.
    """

    relations: int
    labels: Tensor
    targets: Tensor
    heard: Edges
    hearing: Edges
    counts: Tensor
    nodes: Tensor

    def to(self, device: torch.device) -> Subgraphs:
        """The same on another device."""
        if device.type == "cpu":
            return self
        return Subgraphs(
            self.relations,
            self.labels.to(device),
            self.targets.to(device),
            self.heard.to(device),
            self.hearing.to(device),
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
        max_neighbors: most users, and most items, besides the pair; of more they are drawn.
        edge_dropout: probability that an edge is left out, on its own of the one the other way.
        seed: of what is drawn, from 0 to 2⁶³ − 1.
        average: an edge weighs one over how many nodes its hearer hears of by its relation, so
            that sums are means; otherwise 1.
    """
    use_threads()
    relations = len(graph.levels)
    by_user = graph.user_bounds, graph.user_items
    by_item = graph.item_bounds, graph.item_users
    sizes = np.empty((len(users), 2), np.int64)
    _count_nodes(users, items, *by_user, graph.item_bounds, relations, max_neighbors, sizes)
    firsts = _before(sizes.sum(axis=1))
    nodes = np.empty(firsts[-1], np.int32)
    rooms = np.empty(len(users), np.int64)
    states = np.empty(len(users), np.uint64)
    _choose_nodes(
        users, items, *by_user, *by_item, relations, np.uint64(seed), sizes, firsts, nodes, rooms,
        states,
    )  # fmt: skip
    bounds = _before(rooms)
    directions = 2 if edge_dropout else 1
    starts, stops = np.empty((2, directions, len(nodes), relations), np.int32)
    ends = np.empty((directions, bounds[-1]), np.int32)
    counts = np.zeros((len(nodes), relations, LABELS), np.float32)
    threshold = np.uint64(round((1 - edge_dropout) * _ALWAYS))
    _connect(
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
    for way, heard in ((0, True), (-1, False)):
        weights = None
        if average:
            shares = np.empty(bounds[-1], np.float32)
            _share(starts[way], stops[way], ends[way], list_sizes, heard, shares)
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
    """[n + 1] sums of what comes before, and of all."""
    return np.concatenate([[0], np.cumsum(counts)])


@compile_
def _mix(state: Any) -> Any:
    """The number that SplitMix64 makes of a state."""
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@parallel
def _count_nodes(
    users: Array, items: Array, user_bounds: Array, user_items: Array, item_bounds: Array,
    relations: int, most: int, sizes: Array,
) -> None:  # fmt: skip
    for p in prange(len(users)):
        first, last = user_bounds[users[p] * relations], user_bounds[(users[p] + 1) * relations]
        item = items[p]
        rated = 0
        for k in range(first, last):
            rated += user_items[k] == item
        sizes[p, 0] = 1 + min(most, item_bounds[item + 1] - item_bounds[item] - rated)
        sizes[p, 1] = 1 + min(most, last - first - rated)


@parallel
def _choose_nodes(
    users: Array, items: Array, user_bounds: Array, user_items: Array, item_bounds: Array,
    item_users: Array, relations: int, seed: Any, sizes: Array, firsts: Array, nodes: Array,
    rooms: Array, states: Array,
) -> None:  # fmt: skip
    """Draw the nodes, and find the room that a pair's lists need at most."""
    for p in prange(len(users)):
        user, item = users[p], items[p]
        state = _mix(seed ^ _mix((np.uint64(user) << np.uint64(32)) ^ np.uint64(item)))
        first, middle, last = firsts[p], firsts[p] + sizes[p, 0], firsts[p + 1]
        raters = item_users[item_bounds[item] : item_bounds[item + 1]]
        state = _draw(raters, user, state, nodes[first:middle])
        rated = user_items[user_bounds[user * relations] : user_bounds[(user + 1) * relations]]
        states[p] = _draw(rated, item, state, nodes[middle:last])
        edges = 0
        for a in range(first, middle):
            begin, end = user_bounds[nodes[a] * relations], user_bounds[(nodes[a] + 1) * relations]
            edges += min(end - begin, last - middle)
        # Lists of items have a place more each, those of users one together, see `_list_edges`.
        rooms[p] = 2 * edges + (last - middle) * relations + 1


@compile_
def _draw(neighbors: Array, target: int, state: Any, chosen: Array) -> Any:
    """Set `chosen` to the target and as many others as fit, without order; the state after."""
    pool = np.empty(len(neighbors), np.int32)
    others = 0
    for k in range(len(neighbors)):
        pool[others] = neighbors[k]
        others += neighbors[k] != target
    chosen[0] = target
    for k in range(len(chosen) - 1):
        if len(chosen) - 1 < others:
            state += _GOLDEN
            at = k + np.int64(_mix(state) % np.uint64(others - k))
            pool[k], pool[at] = pool[at], pool[k]
        chosen[k + 1] = pool[k]
    return state


@parallel
def _connect(
    nodes: Array, sizes: Array, firsts: Array, bounds: Array, states: Array, threshold: Any,
    user_bounds: Array, user_items: Array, num_items: int, starts: Array, stops: Array,
    ends: Array, counts: Array,
) -> None:  # fmt: skip
    relations = counts.shape[1]
    largest = 0
    for p in range(len(sizes)):
        largest = max(largest, bounds[p + 1] - bounds[p])
    for part in prange(_PARTS):
        position = np.full(num_items, -1, np.int32)  # of each item among those of the pair
        found, kept = np.empty(largest, np.int32), np.empty(largest, np.uint8)
        segments = np.empty(len(nodes) * relations + 1, np.int32)
        for p in range(part, len(sizes), _PARTS):
            first, last, users = firsts[p], firsts[p + 1], sizes[p, 0]
            edges = _find_edges(
                nodes[first:last], users, user_bounds, user_items, relations, position, segments,
                found,
            )  # fmt: skip
            _keep_edges(states[p], threshold, kept[:edges])
            for direction in range(len(starts)):
                _list_edges(
                    first, users, segments, found, kept, np.uint8(1 + direction),
                    starts[direction, first:last], stops[direction, first:last], ends[direction],
                    bounds[p],
                )  # fmt: skip
            _count_labels(
                users, segments, found, kept, starts[0, first:last], stops[0, first:last],
                counts[first:last],
            )  # fmt: skip


@compile_
def _find_edges(
    nodes: Array, users: int, user_bounds: Array, user_items: Array, relations: int,
    position: Array, segments: Array, found: Array,
) -> int:  # fmt: skip
    """The ratings among the nodes, by user and relation: positions of their items in `found`.

    Those of user a and relation r begin at segments[a · relations + r]; returns how many there are.
    """
    for b in range(users + 1, len(nodes)):
        position[nodes[b]] = b - users
    edges = 0
    for a in range(users):
        for r in range(relations):
            segments[a * relations + r] = edges
            segment = nodes[a] * relations + r
            for k in range(user_bounds[segment], user_bounds[segment + 1]):
                # Written always, kept if the item is there: no branch to mispredict.
                found[edges] = position[user_items[k]]
                edges += found[edges] >= 0
        position[nodes[users]] = 0  # only now, so that the pair has no rating of its own
    segments[users * relations] = edges
    for b in range(users, len(nodes)):
        position[nodes[b]] = -1
    return edges


@compile_
def _keep_edges(state: Any, threshold: Any, kept: Array) -> None:
    """Draw which edges stay: 1 that to the user, 2 that to the item, 3 both."""
    low = np.uint64(0xFFFFFFFF)
    for e in range(len(kept)):
        drawn = _mix(state + _GOLDEN * np.uint64(e + 1))
        to_user, to_item = (drawn & low) < threshold, (drawn >> np.uint64(32)) < threshold
        kept[e] = to_user + 2 * to_item


@compile_
def _list_edges(
    first: int, users: int, segments: Array, found: Array, kept: Array, to_user: Any,
    starts: Array, stops: Array, ends: Array, at: int,
) -> None:  # fmt: skip
    """Lists of items by user and of users by item, of the edges whose bit `to_user` is set.

    Items' lists take the other bit. An edge is written whether it stays or not, and the place
    after a list, which the next list or nothing begins at, takes what does not stay.
    """
    relations = starts.shape[1]
    by_user, by_item = to_user - 1, 2 - to_user  # numbers of the bits
    for b in range(users, len(starts)):
        stops[b] = 0
    for a in range(users):
        for r in range(relations):
            starts[a, r] = at
            for e in range(segments[a * relations + r], segments[a * relations + r + 1]):
                ends[at] = first + users + found[e]
                at += (kept[e] >> by_user) & 1
                stops[users + found[e], r] += (kept[e] >> by_item) & 1
            stops[a, r] = at
    at += 1
    for b in range(users, len(starts)):
        for r in range(relations):
            size = stops[b, r]
            starts[b, r] = stops[b, r] = at
            at += size + 1
    for a in range(users):
        for r in range(relations):
            for e in range(segments[a * relations + r], segments[a * relations + r + 1]):
                b = users + found[e]
                ends[stops[b, r]] = first + a
                stops[b, r] += (kept[e] >> by_item) & 1


@compile_
def _count_labels(
    users: int, segments: Array, found: Array, kept: Array, starts: Array, stops: Array,
    counts: Array,
) -> None:  # fmt: skip
    """What each node hears of, by label: all it hears of, less the target of the other kind."""
    relations = starts.shape[1]
    for n in range(len(starts)):
        for r in range(relations):
            counts[n, r, 3 if n < users else 2] = stops[n, r] - starts[n, r]
    for a in range(users):
        for r in range(relations):
            for e in range(segments[a * relations + r], segments[a * relations + r + 1]):
                if a == 0 and kept[e] & 2:
                    counts[users + found[e], r, 2] -= 1
                    counts[users + found[e], r, 0] += 1
                if found[e] == 0 and kept[e] & 1:
                    counts[a, r, 3] -= 1
                    counts[a, r, 1] += 1


@parallel
def _share(
    starts: Array, stops: Array, ends: Array, sizes: Array, heard: bool, weights: Array
) -> None:
    """Set each edge's weight to one over the size of its hearer's list of the same relation.

    The hearer is whose list it is if these are lists of what is `heard`, else the edge's end.
    """
    for n in prange(len(starts)):
        for r in range(starts.shape[1]):
            for e in range(starts[n, r], stops[n, r]):
                hearer = np.int64(n) if heard else np.int64(ends[e])
                weights[e] = 1 / sizes[hearer, r]
