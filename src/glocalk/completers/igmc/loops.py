"""Compiled loops that extract enclosing subgraphs, for `subgraphs.py`.

Pairs are extracted independently, in parallel, each with its own random state. Ratings come as in
`RatingGraph`; `sizes` [pairs, 2] counts the users and the items of each subgraph,
`firsts` [pairs + 1] bounds its nodes and `bounds` [pairs + 1] its edges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from glocalk.sparse.compiled import Array, compile_, parallel

_PARTS = 16  # of the pairs, each with its own working memory
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # of the generator SplitMix64, like the constants in `_mix`


@compile_
def _mix(state: Any) -> Any:
    """The output of SplitMix64 for a state."""
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@parallel
def count_nodes(
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
def choose_nodes(
    users: Array, items: Array, user_bounds: Array, user_items: Array, item_bounds: Array,
    item_users: Array, relations: int, seed: Any, sizes: Array, firsts: Array, nodes: Array,
    rooms: Array, states: Array,
) -> None:  # fmt: skip
    """Draw the nodes of each pair, and compute the maximum size of its lists.

    Args:
        users: [pairs] user of each pair.
        items: [pairs] its item.
        user_bounds: [users · relations + 1] bounds of `user_items`, by user and relation.
        user_items: [ratings] rated items.
        item_bounds: [items + 1] bounds of `item_users`.
        item_users: [ratings] raters.
        relations: number of rating levels.
        seed: of the draws.
        sizes: [pairs, 2] number of user and item nodes, from `count_nodes`.
        firsts: [pairs + 1] bounds of each pair's nodes.
        nodes: [nodes] written: the users, then the items of each pair.
        rooms: [pairs] written: maximum size of the lists of edges.
        states: [pairs] written: state of the generator after the draws.
    """
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
        # One more place for each list of an item, and one for those of all users: `_list_edges`.
        rooms[p] = 2 * edges + (last - middle) * relations + 1


@compile_
def _draw(neighbors: Array, target: int, state: Any, chosen: Array) -> Any:
    """Set `chosen` to the target and as many other neighbors as fit; returns the new state."""
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
def connect(
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
    """Set `found` to the items' positions of the ratings among the nodes, by user and relation.

    Those of user a and relation r begin at segments[a · relations + r]. Returns their number.
    """
    for b in range(users + 1, len(nodes)):
        position[nodes[b]] = b - users
    edges = 0
    for a in range(users):
        for r in range(relations):
            segments[a * relations + r] = edges
            segment = nodes[a] * relations + r
            for k in range(user_bounds[segment], user_bounds[segment + 1]):
                # Always written, kept if the item is in the subgraph: avoids mispredicted branches.
                found[edges] = position[user_items[k]]
                edges += found[edges] >= 0
        position[nodes[users]] = 0  # only after user 0, to leave out the rating of the pair itself
    segments[users * relations] = edges
    for b in range(users, len(nodes)):
        position[nodes[b]] = -1
    return edges


@compile_
def _keep_edges(state: Any, threshold: Any, kept: Array) -> None:
    """Draw which edges stay: bit 1 for the edge to the user, bit 2 for the edge to the item."""
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
    """List the items of each user, where bit `to_user` is set, and the users of each item.

    Lists of items' users take the other bit. Every edge is written, and one that does not stay is
    overwritten by the next; the last may end up in the place after its list, which is not used.
    """
    relations = starts.shape[1]
    by_user, by_item = to_user - 1, 2 - to_user  # positions of the bits
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
    """Count the in-edges of each node by label: first as from non-targets, then corrected."""
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
def share_edges(
    starts: Array, stops: Array, ends: Array, sizes: Array, incoming: bool, weights: Array
) -> None:
    """Set the weight of each edge to 1 / (in-edges of its target with the same relation).

    Args:
        starts: [nodes, relations] position of each list's first edge.
        stops: [nodes, relations] position after its last edge.
        ends: [edges] the node listed.
        sizes: [nodes, relations] number of in-edges.
        incoming: whether these are lists of in-edges, whose target is the owner of the list;
            otherwise it is the node listed.
        weights: [edges] written.
    """
    for n in prange(len(starts)):
        for r in range(starts.shape[1]):
            for e in range(starts[n, r], stops[n, r]):
                target = np.int64(n) if incoming else np.int64(ends[e])
                weights[e] = 1 / sizes[target, r]
