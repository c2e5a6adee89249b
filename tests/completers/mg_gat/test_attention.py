"""Both forms of attention, against loops and values by hand."""

import math

import numpy as np
import pytest
import torch

from glocalk.completers.mg_gat.attention import FullAttention, NeighborAttention
from glocalk.data.side.graphs import as_graph

NODES, WIDTH = 7, 3


def leaky(x):
    return x if x > 0 else 0.2 * x


def inputs(seed=0, spread=1.0):
    """s, t and the values, with gradients."""
    rng = np.random.default_rng(seed)
    shapes = (NODES, NODES, (NODES, WIDTH))
    return [torch.tensor(spread * rng.normal(size=shape), requires_grad=True) for shape in shapes]


def graph(seed=0):
    """Weighted, not symmetric, with a self-loop; node 3 has no edge."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.5, 2, size=(NODES, NODES)) * (rng.random((NODES, NODES)) < 0.4)
    weights[0, 0] = 1.5
    weights[3, :] = weights[:, 3] = 0
    return weights


def dense(layer, own, other):
    """α [n, n] of neighbor attention."""
    shares = torch.zeros(NODES, NODES, dtype=torch.float64)
    shares[layer.rows, layer.columns] = layer.shares(own, other)
    return shares


def literal_neighbors(weights, own, other, values):
    """α [n, n] and the means, one entry at a time."""
    mask = np.eye(NODES) + weights
    shares = [[None] * NODES for _ in range(NODES)]
    for i in range(NODES):
        edges = [j for j in range(NODES) if mask[i, j] > 0]
        powers = [torch.exp(leaky(mask[i, j] * (own[i] + other[j]))) for j in edges]
        for j, power in zip(edges, powers, strict=True):
            shares[i][j] = power / sum(powers)
    return shares, torch.stack(
        [sum(s * values[j] for j, s in enumerate(row) if s is not None) for row in shares]
    )


def literal_full(own, other, values):
    """The official code with its broadcast: from logits[i, j] it takes the maximum of row j."""
    logits = [[leaky(own[i] + other[j]) for j in range(NODES)] for i in range(NODES)]
    maxima = [max(row, key=lambda logit: logit.item()) for row in logits]
    rows = []
    for i in range(NODES):
        powers = [torch.exp(logits[i][j] - maxima[j]) for j in range(NODES)]
        rows.append(sum(p * y for p, y in zip(powers, values, strict=True)) / sum(powers))
    return torch.stack(rows)


def assert_same(ours, theirs, parts):
    """Equal values, and equal gradients of a weighted sum of them."""
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    upstream = torch.tensor(np.random.default_rng(9).normal(size=ours.shape))
    got, wanted = (torch.autograd.grad((made * upstream).sum(), parts) for made in (ours, theirs))
    for mine, other in zip(got, wanted, strict=True):
        assert other.abs().max() > 1e-3
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


def test_neighbor_attention_worked_by_hand():
    # 0 – 1 with weight 2, and 2 has a self-loop of weight 1.
    layer = NeighborAttention(as_graph([[0, 2, 0], [2, 0, 0], [0, 0, 1]], "graph"), torch.float64)
    own, other = torch.tensor([1.0, -1.0, 3.0]).double(), torch.tensor([0.0, 0.5, 1.0]).double()
    values = torch.tensor([[1.0, 0.0], [0.0, 1.0], [5.0, 6.0]]).double()
    first = math.exp(2 * 1.5) / (math.exp(1) + math.exp(2 * 1.5))  # of 1 to 0: m = 2
    second = math.exp(-0.2 * 2) / (math.exp(-0.2 * 2) + math.exp(-0.2 * 0.5))
    wanted = [[1 - first, first], [second, 1 - second], [5, 6]]
    np.testing.assert_allclose(layer(own, other, values), wanted, rtol=1e-12)


def test_rows_of_neighbor_attention_sum_to_one_and_respect_the_graph():
    own, other, _ = inputs(spread=20)
    layer = NeighborAttention(as_graph(graph(), "graph"), torch.float64)
    shares = dense(layer, own, other).detach().numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(shares[np.eye(NODES) + graph() == 0], 0)
    assert shares[3, 3] == 1
    assert ((shares > 0) & (shares < 1)).sum() > NODES


def test_neighbor_attention_has_the_values_and_gradients_of_a_loop():
    parts = inputs()
    layer = NeighborAttention(as_graph(graph(), "graph"), torch.float64)
    shares, means = literal_neighbors(graph(), *parts)
    wanted = [[0 if s is None else s.item() for s in row] for row in shares]
    np.testing.assert_allclose(dense(layer, *parts[:2]).detach(), wanted, rtol=1e-12)
    assert_same(layer(*parts), means, parts)


def test_neighbor_attention_is_finite_where_logits_are_large():
    own, other, values = inputs(spread=2000)
    layer = NeighborAttention(as_graph(graph(), "graph"), torch.float64)
    means = layer(own, other, values)
    assert torch.isfinite(means).all()
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(means.sum(), [own, other]))


def test_full_attention_worked_by_hand():
    # Two nodes: logits [[2, 1], [.2·−1, .2·−2]], so that M = (2, −.2).
    own, other = torch.tensor([1.0, -2.0]).double(), torch.tensor([1.0, 0.0]).double()
    values = torch.tensor([[1.0], [0.0]]).double()
    first = math.exp(2 - 2) / (math.exp(2 - 2) + math.exp(1 + 0.2))
    second = math.exp(-0.2 - 2) / (math.exp(-0.2 - 2) + math.exp(-0.4 + 0.2))
    np.testing.assert_allclose(FullAttention()(own, other, values), [[first], [second]], rtol=1e-12)
    # A softmax would not have seen M.
    assert first != pytest.approx(math.exp(2) / (math.exp(2) + math.exp(1)), abs=0.2)


@pytest.mark.parametrize("spread", [0.3, 1, 5])
def test_full_attention_has_the_values_and_gradients_of_a_loop(spread):
    for seed in range(3):
        parts = inputs(seed, spread)
        assert_same(FullAttention()(*parts), literal_full(*parts), parts)


def test_full_attention_to_nodes_that_are_all_on_one_side_of_the_kink():
    for shift in (-30.0, 30.0):
        own, other, values = inputs()
        shifted = [(own + shift).detach().requires_grad_(), other, values]
        assert_same(FullAttention()(*shifted), literal_full(*shifted), shifted)


def test_full_attention_is_a_softmax_also_where_logits_are_large():
    own, other, values = inputs(spread=300)
    logits = torch.nn.functional.leaky_relu(own[:, None] + other, 0.2)
    means = torch.softmax(logits - logits.amax(dim=1), dim=1) @ values
    assert_same(FullAttention()(own, other, values), means, [values])


def test_full_attention_of_equal_nodes_is_their_mean():
    values = inputs()[2]
    same = torch.zeros(NODES, dtype=torch.float64)
    means = FullAttention()(same, same, values)
    torch.testing.assert_close(means, values.mean(dim=0).expand(NODES, WIDTH))
    one = FullAttention()(same[:1], same[:1], values[:1])
    torch.testing.assert_close(one, values[:1])


def test_attention_in_single_precision_stays_in_it():
    own, other, values = (part.detach().float() for part in inputs())
    layer = NeighborAttention(as_graph(graph(), "graph"))
    for made in (layer(own, other, values), FullAttention()(own, other, values)):
        assert made.dtype == torch.float32
