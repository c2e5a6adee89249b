import doctest
from collections import Counter

import numpy as np
import pytest
import torch

import glocalk.completers.igmc.igmc as room
from glocalk.completers.igmc.batches import RatingDataset, ShuffledBatches
from glocalk.completers.igmc.config import IGMCConfig
from glocalk.completers.igmc.convolution import RelationalConvolution
from glocalk.completers.igmc.igmc import IGMC, IGMCModule
from glocalk.completers.igmc.subgraphs import LABELS, RatingGraph, enclose
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError, NotFittedError
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext
from planted import planted

TRAIN, TEST = planted(num_users=25, num_items=18, density=0.5)  # the last of both has no rating
PAIRS = np.array([0, 3, 24, 7, 24, 3]), np.array([1, 17, 2, 7, 17, 0])
ALL = 1000  # more neighbors than there are
SINGLE = {"rtol": 1e-5, "atol": 1e-5}  # edges' weights are float32


def config_of(**options):
    defaults = {
        "max_neighbors": 6,
        "hidden_size": 32,
        "layers": 3,
        "bases": 2,
        "aggregation": "sum",
        "dense_size": 8,
        "dropout": 0.5,
        "edge_dropout": 0.2,
        "adjacent_regularization": 0.001,
        "learning_rate": 0.005,
        "decay": 0.1,
        "decay_epochs": 50,
        "batch_size": 20,
        "epochs": 4,
        "budget": 1.0,
        "ensemble": {"members": 2, "interval": 1},
    }
    return IGMCConfig.check({**defaults, **options}, "model")


def fit(train=TRAIN, seed=0, observer=None, **options):
    folder, trainer = options.pop("folder", None), options.pop("trainer", {})
    completer = IGMC(config_of(**options))
    observer = observer or Monitor(TEST).observer()
    return completer.fit(train, context=FitContext(seed, observer, folder, trainer))


def network_of(**options):
    config, generator = config_of(**options), torch.Generator().manual_seed(0)
    return IGMCModule(TRAIN, config, generator).network


def convolution_of(inputs, outputs, relations=5, bases=2):
    generator = torch.Generator().manual_seed(1)
    return RelationalConvolution(inputs, outputs, relations, bases, generator).double()


def positions(graph, edges):
    """{(node, relation, other node): position in `ends`} of lists."""
    found = {}
    for node in range(len(graph.labels)):
        for relation in range(graph.relations):
            segment = node * graph.relations + relation
            for at in range(int(edges.starts[segment]), int(edges.stops[segment])):
                triple = node, relation, int(edges.ends[at])
                assert triple not in found
                found[triple] = at
    return found


def triples(graph, edges):
    """{(node, relation, other node)} of lists."""
    return set(positions(graph, edges))


def adjacency(graph, average=False):
    """[relations, nodes, nodes]: above 0 where the first node receives from the second."""
    nodes = len(graph.labels)
    dense = torch.zeros(graph.relations, nodes, nodes, dtype=torch.float64)
    for node, relation, other in triples(graph, graph.in_edges):
        dense[relation, node, other] = 1
    return dense / dense.sum(dim=2, keepdim=True).clamp(min=1) if average else dense


def names(graph):
    """("u" or "i", index) of each node."""
    return [
        ("ui"[label % 2], index)
        for label, index in zip(graph.labels.tolist(), graph.nodes.tolist(), strict=True)
    ]


def drawn_example():
    """Four users, four items, ratings

    5 3 · ·
    4 · 2 ·
    1 5 · ·
    · · 3 ·
    """
    users, items = [0, 0, 1, 1, 2, 2, 3], [0, 1, 0, 2, 0, 1, 2]
    ratings = [5, 3, 4, 2, 1, 5, 3]
    return RatingGraph(RatingMatrix(users, items, ratings, (4, 4), (1, 5)))


def test_the_subgraph_of_a_drawn_example():
    graph = enclose(drawn_example(), np.array([0]), np.array([0]), ALL)
    named = names(graph)
    assert named[0] == ("u", 0)
    assert named[3] == ("i", 0)
    assert sorted(named) == [("i", 0), ("i", 1), ("u", 0), ("u", 1), ("u", 2)]
    assert graph.labels.tolist() == [0, 2, 2, 1, 3]
    assert graph.targets.tolist() == [[0], [3]]
    received = {(named[n], r + 1, named[m]) for n, r, m in triples(graph, graph.in_edges)}
    one_way = {
        (("u", 0), 3, ("i", 1)),
        (("u", 1), 4, ("i", 0)),
        (("u", 2), 1, ("i", 0)),
        (("u", 2), 5, ("i", 1)),
    }
    assert received == one_way | {(item, r, user) for user, r, item in one_way}
    counts = {name: graph.counts[n].numpy() for n, name in enumerate(named)}
    assert counts["u", 2].tolist() == [
        [0, 1, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 1],
    ]
    assert counts["i", 1].tolist() == [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 1, 0],
    ]


def test_means_weigh_the_edges_of_a_drawn_example():
    """Three users, three items, ratings

    5 4 ·
    3 · ·
    3 4 4
    """
    users, items, ratings = [0, 0, 1, 2, 2, 2], [0, 1, 0, 0, 1, 2], [5, 4, 3, 3, 4, 4]
    rating_graph = RatingGraph(RatingMatrix(users, items, ratings, (3, 3), (3, 5)))
    graph = enclose(rating_graph, np.array([1]), np.array([1]), ALL, average=True)
    named = names(graph)
    assert sorted(named) == [("i", 0), ("i", 1), ("u", 0), ("u", 1), ("u", 2)]

    def weights(edges):
        found = positions(graph, edges)
        return {(named[n], named[m]): edges.weights[at].item() for (n, _, m), at in found.items()}

    expected = {
        (("u", 1), ("i", 0)): 1,
        (("u", 0), ("i", 0)): 1,
        (("u", 0), ("i", 1)): 1,
        (("u", 2), ("i", 0)): 1,
        (("u", 2), ("i", 1)): 1,  # item 2 is no neighbor of the pair
        (("i", 0), ("u", 1)): 1 / 2,  # users 1 and 2 rate it 3
        (("i", 0), ("u", 2)): 1 / 2,
        (("i", 0), ("u", 0)): 1,
        (("i", 1), ("u", 0)): 1 / 2,  # users 0 and 2 rate it 4
        (("i", 1), ("u", 2)): 1 / 2,
    }
    assert weights(graph.in_edges) == expected
    assert weights(graph.out_edges) == {(m, n): weight for (n, m), weight in expected.items()}
    at = named.index(("i", 0))
    assert graph.counts[at].tolist() == [[0.5, 0, 0.5, 0], [0, 0, 0, 0], [0, 0, 1, 0]]


def test_a_pair_without_a_rating_has_neighbors_like_any_other():
    graph = enclose(drawn_example(), np.array([3]), np.array([0]), ALL)  # 3 rated only item 2
    named = names(graph)
    assert sorted(named) == [("i", 0), ("i", 2), ("u", 0), ("u", 1), ("u", 2), ("u", 3)]
    received = {(named[n], r + 1, named[m]) for n, r, m in triples(graph, graph.in_edges)}
    assert received >= {(("u", 3), 3, ("i", 2)), (("i", 2), 2, ("u", 1)), (("i", 0), 5, ("u", 0))}
    assert len(received) == 2 * 5


def test_subgraphs_are_those_of_the_rating_matrix():
    dense = np.zeros(TRAIN.shape)
    dense[TRAIN.users, TRAIN.items] = TRAIN.ratings
    graph = enclose(RatingGraph(TRAIN), *PAIRS, ALL)
    named, received = names(graph), triples(graph, graph.in_edges)
    bounds = [*graph.targets[0].tolist(), len(named)]
    for pair, (user, item) in enumerate(zip(*PAIRS, strict=True)):
        first, last = bounds[pair], bounds[pair + 1]
        users = {user} | set(np.flatnonzero(dense[:, item]))
        items = {item} | set(np.flatnonzero(dense[user]))
        expected = {("u", u) for u in users} | {("i", i) for i in items}
        assert len(expected) == last - first
        assert set(named[first:last]) == expected
        edges = {
            (("u", u), dense[u, i], ("i", i))
            for u in users
            for i in items
            if dense[u, i] and (u, i) != (user, item)
        }
        edges |= {(m, r, n) for n, r, m in edges}
        assert edges == {(named[n], r + 1, named[m]) for n, r, m in received if first <= n < last}


@pytest.mark.parametrize("edge_dropout", [0.0, 0.3])
def test_in_edges_out_edges_and_counts_agree(edge_dropout):
    graph = enclose(RatingGraph(TRAIN), *PAIRS, ALL, edge_dropout, seed=3)
    received, sent = triples(graph, graph.in_edges), triples(graph, graph.out_edges)
    assert received == {(n, r, m) for m, r, n in sent}
    counts = np.zeros(graph.counts.shape)
    for n, r, m in received:
        counts[n, r, graph.labels[m]] += 1
    np.testing.assert_array_equal(graph.counts, counts)


def test_edge_dropout_leaves_out_its_share_of_each_direction_independently():
    rating_graph = RatingGraph(TRAIN)
    graph = enclose(rating_graph, *PAIRS, ALL)
    whole = triples(graph, graph.in_edges)
    kept, both, draws = 0, 0, 40
    for seed in range(draws):
        graph = enclose(rating_graph, *PAIRS, ALL, 0.3, seed)
        received = triples(graph, graph.in_edges)
        assert received < whole
        kept += len(received)
        both += sum((m, r, n) in received for n, r, m in received)
    # Some 600 edges in 40 draws: three standard deviations are .01.
    assert kept / (draws * len(whole)) == pytest.approx(0.7, abs=0.015)
    assert both / (draws * len(whole)) == pytest.approx(0.49, abs=0.02)


def test_neighbors_are_drawn_uniformly_where_there_are_too_many():
    raters, most, draws = 20, 5, 1500
    users = np.concatenate([np.arange(1, raters + 1), np.zeros(30, int)])
    items = np.concatenate([np.zeros(raters, int), np.arange(1, 31)])
    rating_graph = RatingGraph(RatingMatrix(users, items, users % 5 + 1, (21, 31), (1, 5)))
    often = np.zeros(21)
    for seed in range(draws):
        graph = enclose(rating_graph, np.array([0]), np.array([0]), most, seed=seed)
        labels, nodes = graph.labels.numpy(), graph.nodes.numpy()
        assert labels.tolist() == [0, *[2] * most, 1, *[3] * most]
        drawn = nodes[labels == 2]
        assert len(set(drawn)) == most
        assert len(set(nodes[labels == 3])) == most
        often[drawn] += 1
    assert often[0] == 0  # the target is no neighbor of its own
    # σ of a share of 1/4 in 1500 draws is .011.
    np.testing.assert_allclose(often[1:] / draws, most / raters, rtol=0, atol=0.045)


def test_draws_for_a_pair_depend_only_on_the_seed_and_the_pair():
    rating_graph = RatingGraph(TRAIN)

    def drawn(users, items, at, seed):
        graph = enclose(rating_graph, users, items, 3, 0.3, seed)
        bounds = [*graph.targets[0].tolist(), len(graph.labels)]
        named = names(graph)
        return {
            (named[n], r, named[m])
            for n, r, m in triples(graph, graph.in_edges)
            if bounds[at] <= n < bounds[at + 1]
        }

    alone = drawn(PAIRS[0][3:4], PAIRS[1][3:4], 0, seed=5)
    assert drawn(*PAIRS, 3, seed=5) == alone
    assert drawn(*PAIRS, 3, seed=6) != alone


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("width", [32, 5])  # compiled sums, and torch's, which a GPU uses
def test_a_convolution_equals_a_loop_over_nodes_and_relations(width, average):
    graph = enclose(RatingGraph(TRAIN), *PAIRS, ALL, 0.2, seed=1, average=average)
    layer = convolution_of(width, width)
    x = torch.randn(len(graph.labels), width, dtype=torch.float64)
    weights = [sum(layer.coefficients[r, b] * layer.bases[b] for b in range(2)) for r in range(5)]
    expected = torch.stack([layer.own.T @ row + layer.bias for row in x])
    received = triples(graph, graph.in_edges)
    sizes = Counter((node, relation) for node, relation, _ in received)
    assert max(sizes.values()) > 1
    for node, relation, other in received:
        share = 1 / sizes[node, relation] if average else 1
        expected[node] += share * (weights[relation].T @ x[other])
    tolerance = SINGLE if average else {}
    torch.testing.assert_close(layer(x, graph), expected, **tolerance)
    some = torch.tensor([4, 0, 9])
    torch.testing.assert_close(layer.at(x, some, graph), expected[some], **tolerance)


@pytest.mark.parametrize("average", [False, True])
def test_the_first_convolution_takes_labels_as_one_hot_vectors(average):
    graph = enclose(RatingGraph(TRAIN), *PAIRS, ALL, 0.2, seed=1, average=average)
    layer = convolution_of(LABELS, 7)
    one_hot = torch.eye(LABELS, dtype=torch.float64)[graph.labels]
    expected = one_hot @ layer.own + layer.bias
    dense = adjacency(graph, average)
    expected = expected + (dense @ one_hot @ layer.weights()).sum(dim=0)
    torch.testing.assert_close(layer.of_labels(graph), expected, **(SINGLE if average else {}))


@pytest.mark.parametrize("edge_dropout", [0.0, 0.3])  # with it, edges of one direction, too
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("width", [32, 5])
def test_gradients_are_those_of_dense_matrices(width, average, edge_dropout):
    graph = enclose(RatingGraph(TRAIN), *PAIRS, ALL, edge_dropout, seed=2, average=average)
    layer, dense = convolution_of(width, width), adjacency(graph, average)
    x = torch.randn(len(graph.labels), width, dtype=torch.float64, requires_grad=True)
    factors = torch.randn(len(graph.labels), width, dtype=torch.float64)
    expected = x @ layer.own + layer.bias + (dense @ x @ layer.weights()).sum(dim=0)
    inputs = [x, *layer.parameters()]
    wanted = torch.autograd.grad((expected.sin() * factors).sum(), inputs)
    given = torch.autograd.grad((layer(x, graph).sin() * factors).sum(), inputs)
    for one, other in zip(given, wanted, strict=True):
        torch.testing.assert_close(one, other, **(SINGLE if average else {}))


def test_many_nodes_are_convolved_like_few():
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 25, 200), rng.integers(0, 18, 200)
    graph = enclose(RatingGraph(TRAIN), *pairs, ALL)
    assert len(graph.labels) > 1500  # several of the parts that sums are taken in
    layer = convolution_of(32, 32)
    x = torch.randn(len(graph.labels), 32, dtype=torch.float64)
    at = layer.at(x, torch.arange(len(x)), graph)  # uses torch's operations
    torch.testing.assert_close(layer(x, graph), at)


def test_the_adjacent_difference_worked_by_hand():
    layer = convolution_of(2, 2, relations=3, bases=1)
    with torch.no_grad():
        layer.coefficients.copy_(torch.tensor([[1.0], [3.0], [2.0]]))
        layer.bases.copy_(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    # W₂ − W₁ = 2B and W₃ − W₂ = −B: 4 · 30 + 30.
    assert layer.adjacent_difference().item() == pytest.approx(150)


def test_the_network_applies_dense_layers_to_both_targets():
    network = network_of().double()
    graph = enclose(RatingGraph(TRAIN), *PAIRS, ALL)
    dense = adjacency(graph)
    x, layers = torch.eye(LABELS, dtype=torch.float64)[graph.labels], []
    for layer in network.convolutions:
        x = x @ layer.own + layer.bias + (dense @ x @ layer.weights()).sum(dim=0)
        x = x.tanh()
        layers.append(x)
    every = torch.cat(layers, dim=1)
    labels = graph.labels
    both = torch.cat([every[labels == 0], every[labels == 1]], dim=1)
    hidden = (both @ network.dense.weight.T + network.dense.bias).clamp(min=0)
    expected = hidden @ network.rating.weight[0] + network.rating.bias
    torch.testing.assert_close(network(graph), expected)


def test_initial_values_follow_the_official_code():
    network = network_of(hidden_size=64, dense_size=64)
    first, second, _ = network.convolutions
    limits = {first: (2 * 4) ** -0.5, second: (2 * 64) ** -0.5}
    for layer, limit in limits.items():
        for parameter in layer.parameters():
            assert parameter.abs().max() <= limit
        assert layer.bases.abs().max() > 0.95 * limit
    for layer, inputs in ((network.dense, 2 * 3 * 64), (network.rating, 64)):
        assert layer.weight.abs().max() <= inputs**-0.5
        assert layer.weight.std().item() == pytest.approx((3 * inputs) ** -0.5, rel=0.2)


class Watching:
    """An observer that keeps the network and the learning rate of each epoch; may interrupt."""

    def __init__(self, stop=None):
        self.monitor = Monitor(TEST)
        self.stop, self.networks, self.rates = stop, [], []

    @property
    def curves(self):
        return self.monitor.curves

    def epoch_ended(self, stage, epoch, predict, loss, step=None):
        if epoch == self.stop:
            raise InterruptedError
        module = predict.__self__._module
        self.networks.append({k: v.clone() for k, v in module.network.state_dict().items()})
        self.rates.append(module.optimizers(use_pl_optimizer=False).param_groups[0]["lr"])
        return self.monitor.observe(stage, epoch, predict, loss, step)

    def state_dict(self):
        return self.monitor.state_dict()

    def load_state_dict(self, state):
        self.monitor.load_state_dict(state)


def test_only_the_last_prediction_is_that_of_the_ensemble():
    watching = Watching()
    options = {"epochs": 8, "budget": 0.5, "ensemble": {"members": 2, "interval": 2}}
    completer = fit(observer=watching, **options)
    assert completer.schedule == {"train": 4}
    assert completer.budget == 0.5
    network = network_of(**options)

    def predicted(state):
        network.load_state_dict(state)
        pairs = TEST.users, TEST.items
        graph = enclose(RatingGraph(TRAIN), *pairs, config_of().max_neighbors)
        with torch.no_grad():
            return network(graph).double().numpy()

    def rmse(values):
        return np.sqrt(np.mean((np.clip(values, 1, 5) - TEST.ratings) ** 2))

    single = [predicted(state) for state in watching.networks]
    # Two official epochs before the end are one epoch here: the third's network and the fourth's.
    ensemble = (single[2] + single[3]) / 2
    last = completer.predict_pairs(TEST.users, TEST.items)
    np.testing.assert_allclose(last, ensemble, rtol=0, atol=1e-5)
    expected = [rmse(values) for values in [*single[:3], ensemble]]
    np.testing.assert_allclose(watching.curves.test_rmse, expected, rtol=0, atol=1e-5)


def test_the_learning_rate_decays_with_the_official_epochs():
    watching = Watching()
    fit(observer=watching, epochs=8, budget=0.5, decay_epochs=3, learning_rate=0.005)
    # After one and a half and after three epochs.
    np.testing.assert_allclose(watching.rates, [0.005, 0.0005, 0.0005, 0.00005])


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    whole, first, second = Watching(), Watching(stop=3), Watching()
    expected = fit(observer=whole)
    with pytest.raises(InterruptedError):
        fit(observer=first, folder=tmp_path)
    assert len(first.networks) == 2
    resumed = fit(observer=second, folder=tmp_path)
    assert len(second.networks) == 2  # only the last two epochs
    assert second.curves == whole.curves
    for name, tensor in expected.state().items():
        assert torch.equal(resumed.state()[name], tensor)


def test_the_loss_falls_below_that_of_predicting_the_mean():
    watching = Watching()
    fit(observer=watching, epochs=12, dropout=0.0, learning_rate=0.01)
    losses = watching.curves.loss
    assert losses[-1] < losses[0]
    assert losses[-1] < TRAIN.ratings.var()


def test_a_user_without_ratings_is_predicted_the_mean_rating():
    completer = fit()
    users, items = TRAIN.shape
    alone = completer.predict_pairs(np.full(items, users - 1), np.arange(items))
    np.testing.assert_array_equal(alone, TRAIN.ratings.mean())


def test_users_and_items_without_ratings_are_nodes_without_edges():
    completer = fit()
    users, items = TRAIN.shape
    grid = completer.predict_grid(np.arange(users), np.arange(items))
    assert np.isfinite(grid).all()
    module = completer._module
    graph = module._enclose(np.array([users - 1]), np.array([items - 1]), 0.0, 0)
    for member in module.members:
        x = torch.eye(LABELS)[:2]
        read = []
        for layer in member.convolutions:
            x = (x @ layer.own + layer.bias).tanh()
            read.append(x)
        both = torch.cat(read, dim=1).flatten()
        expected = member.rating(member.dense(both).relu()).item()
        assert member(graph).item() == pytest.approx(expected, abs=1e-5)


def test_half_stars_are_levels_of_their_own():
    ratings = np.random.default_rng(0).choice([0.5, 1.5, 2.0, 5.0], len(TRAIN))
    train = RatingMatrix(TRAIN.users, TRAIN.items, ratings, TRAIN.shape, (0.5, 5))
    assert RatingGraph(train).levels.tolist() == [0.5, 1.5, 2.0, 5.0]
    completer = fit(train)
    assert completer._module.network.convolutions[0].coefficients.shape == (4, 2)
    assert np.isfinite(completer.predict_pairs(TEST.users, TEST.items)).all()


def test_ratings_with_too_many_levels_are_refused():
    ratings = np.linspace(1, 5, len(TRAIN))
    train = RatingMatrix(TRAIN.users, TRAIN.items, ratings, TRAIN.shape, (1, 5))
    with pytest.raises(GlocalkError, match="at most 100 are allowed: round the ratings"):
        fit(train)


def test_a_precision_without_compiled_loops_is_refused():
    with pytest.raises(GlocalkError, match=r"32-true or 64-true, not in bf16-mixed"):
        fit(trainer={"precision": "bf16-mixed"})


def test_an_ensemble_longer_than_the_training_is_refused():
    with pytest.raises(GlocalkError, match="must be taken after the training starts"):
        config_of(epochs=3, ensemble={"members": 4, "interval": 1})


def test_a_completer_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError, match="This IGMC is not fitted: call fit first"):
        IGMC().predict_pairs(np.array([0]), np.array([0]))


def test_each_epoch_takes_every_rating_once_in_a_new_order():
    sampler, dataset = ShuffledBatches(len(TRAIN), 20), RatingDataset(TRAIN)
    assert len(dataset) == len(TRAIN)
    torch.manual_seed(0)
    epochs = [list(sampler), list(sampler)]
    sizes = [20] * (len(TRAIN) // 20) + [len(TRAIN) % 20]
    for epoch in epochs:
        assert len(sampler) == len(epoch)
        assert [len(draw.positions) for draw in epoch] == sizes
        positions = np.concatenate([draw.positions for draw in epoch])
        assert sorted(positions) == list(range(len(TRAIN)))
        assert len({draw.seed for draw in epoch}) == 1
    assert epochs[0][0].seed != epochs[1][0].seed
    assert list(epochs[0][0].positions) != list(epochs[1][0].positions)
    pairs = dataset[epochs[0][0]]
    dense = np.zeros(TRAIN.shape)
    dense[TRAIN.users, TRAIN.items] = TRAIN.ratings
    np.testing.assert_array_equal(dense[pairs.users, pairs.items], pairs.ratings)
    assert pairs.seed == epochs[0][0].seed


def test_a_batch_holds_the_subgraphs_of_its_ratings():
    module = IGMCModule(TRAIN, config_of(edge_dropout=0.3), torch.Generator())
    torch.manual_seed(3)
    batches = list(module.batches())
    torch.manual_seed(3)
    draws = list(ShuffledBatches(len(TRAIN), 20))
    assert len(batches) == len(module.batches()) == len(draws)
    for batch, draw in zip(batches, draws, strict=True):
        users, items = TRAIN.users[draw.positions], TRAIN.items[draw.positions]
        graph = batch.subgraphs
        assert batch.ratings.tolist() == TRAIN.ratings[draw.positions].tolist()
        assert graph.nodes[graph.targets[0]].tolist() == users.tolist()
        assert graph.nodes[graph.targets[1]].tolist() == items.tolist()
        wanted = enclose(RatingGraph(TRAIN), users, items, 6, 0.3, draw.seed)
        assert triples(graph, graph.in_edges) == triples(wanted, wanted.in_edges)


def test_training_in_double_precision_converts_the_batches():
    completer = fit(epochs=2, trainer={"precision": "64-true"}, aggregation="mean")
    assert completer._module.network.dense.weight.dtype == torch.float64
    assert np.isfinite(completer.predict_pairs(TEST.users, TEST.items)).all()


def test_predictions_do_not_depend_on_the_module_s_mode_and_do_not_switch_it():
    completer = fit(epochs=2)
    module = completer._module
    expected = completer.predict_pairs(TEST.users, TEST.items)
    modes = []
    for member in module.members:
        member.register_forward_hook(lambda *_: modes.append(module.training))
    for mode in (True, False):
        module.train(mode)
        np.testing.assert_array_equal(completer.predict_pairs(TEST.users, TEST.items), expected)
        assert all(part.training == mode for part in module.modules())
    assert modes == [True] * 2 + [False] * 2


def test_the_example_in_the_docstring_runs():
    result = doctest.testmod(room)
    assert result.attempted > 0
    assert result.failed == 0
