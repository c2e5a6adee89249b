import doctest
import math

import numpy as np
import pytest
import torch

import glocalk.completers.gc_mc.gc_mc as room
from completers.gc_mc.full_matrices import Literal, gradients
from completers.kept import fit_kept
from glocalk.completers.blocks.bilinear import BilinearMixture, expected_pairs
from glocalk.completers.blocks.rating_graph import RatingGraph
from glocalk.completers.gc_mc.gc_mc import GCMC, GCMCConfig, GCMCModule
from glocalk.completers.gc_mc.layers import GraphConvolution
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError, NotFittedError
from planted import planted

TRAIN, TEST = planted(num_users=12, num_items=9, density=0.6)  # the last of both has no rating
EVERY_KIND = [(a, n) for a in ("stack", "sum") for n in ("left", "symmetric")]


def config_of(**options):
    defaults = {
        "hidden_size": 15,
        "embedding_size": 4,
        "accumulation": "stack",
        "normalization": "left",
        "bases": 2,
        "dropout": 0.5,
        "learning_rate": 0.01,
        "averaging": 0.995,
        "epochs": 2,
        "steps": 3,
    }
    return GCMCConfig.check({**defaults, **options}, "model")


def module_of(train=TRAIN, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return GCMCModule(train, config_of(**options), generator, torch.float64).double()


def graph_of(module, compiled):
    """The module's ratings, with compiled products or with torch's, which a GPU uses."""
    return module.graph if compiled else module.graph.gathered(torch.device("cpu"))


def graph_on(users, items, labels, shape, *options):
    """A graph in double precision, from labels 0, 1, …"""
    train = RatingMatrix(users, items, np.asarray(labels) + 1.0, shape, (1, 5))
    return RatingGraph(train, *options, torch.float64)


def fit(train=TRAIN, seed=0, trainer=None, folder=None, **options):
    config = config_of(**options)
    return fit_kept(GCMC, config, train, TEST, seed=seed, trainer=trainer, folder=folder)


def test_the_convolution_worked_by_hand():
    # User 0 rates item 0 with level 1 and item 1 with level 2; user 1 rates item 0 with level 2.
    users, items, labels = np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0, 1, 1])

    def hidden(accumulation, normalization):
        graph = graph_on(users, items, labels, (2, 2), accumulation, normalization)
        size = 2 if accumulation == "stack" else 1
        layer = GraphConvolution((2, 2), 2, size, accumulation, torch.Generator()).double()
        with torch.no_grad():  # [node, level, width 1]
            layer.users.copy_(torch.tensor([[[1.0], [2.0]], [[4.0], [8.0]]]))
            layer.items.copy_(torch.tensor([[[3.0], [5.0]], [[7.0], [-20.0]]]))
        return [side.tolist() for side in layer(graph)]

    # Left: user 0 has two neighbors, user 1 one; item 0 has two, item 1 one.
    by_users, by_items = hidden("stack", "left")
    assert by_users == [[3 / 2, 0], [0, 5]]  # ReLU(−20 / 2) = 0
    assert by_items == [[1 / 2, 8 / 2], [0, 2]]
    # Ordinal sharing: level 2 weighs 3 + 5 for item 0, 7 − 20 for item 1; 1 + 2, 4 + 8 for users.
    by_users, by_items = hidden("sum", "left")
    assert by_users == [[0], [8]]  # ReLU((3 − 13) / 2) = 0
    assert by_items == [[(1 + 12) / 2], [3]]
    # Symmetric: 1 / √(2 · 2) for (0, 0), 1 / √(2 · 1) for (0, 1) and (1, 0).
    by_users, by_items = hidden("stack", "symmetric")
    np.testing.assert_allclose(by_users, [[3 / 2, 0], [0, 5 / math.sqrt(2)]])
    np.testing.assert_allclose(by_items, [[1 / 2, 8 / math.sqrt(2)], [0, 2 / math.sqrt(2)]])
    by_users, by_items = hidden("sum", "symmetric")
    np.testing.assert_allclose(by_users, [[0], [8 / math.sqrt(2)]])
    np.testing.assert_allclose(by_items, [[1 / 2 + 12 / math.sqrt(2)], [3 / math.sqrt(2)]])


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("accumulation", "normalization"), EVERY_KIND)
def test_loss_and_gradient_are_those_of_full_matrices(accumulation, normalization, compiled):
    module = module_of(accumulation=accumulation, normalization=normalization)
    ours = module.network.loss(graph_of(module, compiled))
    theirs = Literal(TRAIN, accumulation, normalization).loss(module.network)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    got, wanted = gradients(ours, module.network), gradients(theirs, module.network)
    assert len(got) == 5
    for mine, other in zip(got, wanted, strict=True):
        assert other.abs().max() > 0
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("accumulation", "normalization"), EVERY_KIND)
def test_dropout_leaves_out_nodes_and_units_and_scales_up_the_others(
    accumulation, normalization, compiled
):
    share, (users, items) = 0.7, TRAIN.shape
    module = module_of(accumulation=accumulation, normalization=normalization)
    literal = Literal(TRAIN, accumulation, normalization)

    def masks(seed):
        torch.manual_seed(seed)
        # Nodes are drawn for all levels at once, in single precision.
        nodes = [(torch.rand(size) >= share).double() / 0.3 for size in (users, items)]
        units = [
            (torch.rand(size, 15, dtype=torch.float64) >= share).double() / 0.3
            for size in (users, items)
        ]
        return (*nodes, *units)

    torch.manual_seed(3)
    ours = module.network.loss(graph_of(module, compiled), share)
    theirs = literal.loss(module.network, masks(3))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    for mine, other in zip(
        gradients(ours, module.network), gradients(theirs, module.network), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


def test_dropout_leaves_out_its_share_of_nodes_and_keeps_the_mean():
    # Each user receives the message of one item: the item's weights, or nothing.
    size = 4000
    each = np.arange(size)
    graph = graph_on(each, each, np.zeros(size), (size, size), "sum", "left")
    layer = GraphConvolution((size, size), 1, 1, "sum", torch.Generator()).double()
    with torch.no_grad():
        layer.users.fill_(1)
        layer.items.fill_(1)
    torch.manual_seed(0)
    for received in layer(graph, 0.7):
        assert set(received.unique().tolist()) == {0, 1 / (1 - 0.7)}
        assert (received == 0).double().mean().item() == pytest.approx(0.7, abs=0.03)  # 4 σ
        assert received.mean().item() == pytest.approx(1, abs=0.1)


def test_without_sources_all_messages_are_zero():
    module = module_of()
    graphs = [graph_of(module, compiled) for compiled in (True, False)]
    for adjacency in (side for graph in graphs for side in (graph.to_users, graph.to_items)):
        none = adjacency.of_sources(torch.tensor([], dtype=torch.int64))
        messages = none.product(torch.zeros(0, 3, dtype=torch.float64, requires_grad=True))
        assert messages.shape == (adjacency.by_target.shape[0], 3)
        assert not messages.any()
        messages.sum().backward()


def test_probabilities_sum_to_one_and_predictions_are_their_means():
    rng = np.random.default_rng(0)
    bases, users, items, size, levels = 2, 4, 3, 5, 6
    left, right = rng.normal(size=(bases, users, size)), rng.normal(size=(items, size))
    coefficients, values = rng.normal(size=(bases, levels)), np.arange(levels) / 2 + 0.5
    u, i = np.repeat(np.arange(users), items), np.tile(np.arange(items), users)
    wanted = []
    for user, item in zip(u, i, strict=True):
        scores = [
            sum(
                coefficients[b, level] * sum(left[b, user, d] * right[item, d] for d in range(size))
                for b in range(bases)
            )
            for level in range(levels)
        ]
        weights = [math.exp(score) for score in scores]
        wanted.append(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights))
    tensors = [torch.tensor(x) for x in (left, right, coefficients, values, u, i)]
    np.testing.assert_allclose(expected_pairs(*tensors), wanted, rtol=1e-12)
    tensors[3] = torch.ones(levels, dtype=torch.float64)  # Σ p · 1
    np.testing.assert_allclose(expected_pairs(*tensors), 1, rtol=1e-12)


def test_many_pairs_are_predicted_as_the_grid_is():
    completer, _ = fit()
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, TRAIN.num_users, 9000), rng.integers(0, TRAIN.num_items, 9000)
    grid = completer.predict_grid(np.arange(TRAIN.num_users), np.arange(TRAIN.num_items))
    np.testing.assert_allclose(completer.predict_pairs(users, items), grid[users, items], atol=1e-6)


def test_initial_values_follow_the_official_code():
    network = module_of(hidden_size=502, embedding_size=75).network
    nodes, hidden = sum(TRAIN.shape), 500  # 100 units a level, two are left over
    for weights, inputs, outputs in (
        (network.convolution.items, nodes, hidden),
        (network.convolution.users, nodes, hidden),
        (network.dense.weight, hidden, 75),
    ):
        limit = math.sqrt(6 / (inputs + outputs))
        assert 0.99 * limit < weights.abs().max() <= limit
        assert weights.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.03)
    assert network.convolution.items.shape == (TRAIN.num_items, 5, 100)
    assert network.decoder.coefficients.abs().max() <= math.sqrt(6 / (2 + 5))
    for basis in network.decoder.bases:
        torch.testing.assert_close(
            basis @ basis.T, 1.21 * torch.eye(75).double(), atol=1e-5, rtol=0
        )
    drawn = BilinearMixture(75, 2, 5, torch.Generator().manual_seed(1), 1.1).bases
    assert not torch.allclose(drawn[0], drawn[1])


def test_training_follows_tensorflow_s_adam_and_the_average_predicts():
    options = {"dropout": 0.0, "epochs": 2, "steps": 3, "accumulation": "sum"}
    completer, _ = fit(trainer={"precision": "64-true"}, **options)

    # The same by the literal loss and TensorFlow's form of Adam, whose ε is added to √v itself.
    network = GCMCModule(TRAIN, config_of(**options), torch.Generator().manual_seed(0))
    network = network.network.double()
    literal = Literal(TRAIN, "sum", "left")
    weights = list(network.parameters())
    averages = [weight.detach().clone() for weight in weights]
    first, second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
    for t in range(1, 7):
        step = 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        decay = (1 + t) / (10 + t)
        with torch.enable_grad():
            slopes = gradients(literal.loss(network), network)
        with torch.no_grad():
            for weight, average, m, v, g in zip(
                weights, averages, first, second, slopes, strict=True
            ):
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                weight.sub_(step * m / (v.sqrt() + 1e-8))
                average.mul_(decay).add_((1 - decay) * weight)
    module = completer.module
    for mine, other in zip(module.network.parameters(), weights, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-9)
    for mine, other in zip(module.average.network.parameters(), averages, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-9)

    with torch.no_grad():
        for weight, average in zip(weights, averages, strict=True):
            weight.copy_(average)
        z_users, z_items = (
            h @ network.dense.weight
            for h in literal.hidden(network.convolution.users, network.convolution.items)
        )
        decoder = network.decoder
        scores = literal.scores(z_users, z_items, decoder.bases, decoder.coefficients)
        wanted = scores.softmax(dim=2) @ torch.tensor(literal.values, dtype=torch.float64)
    predicted = completer.predict_pairs(TEST.users, TEST.items)
    np.testing.assert_allclose(predicted, wanted[TEST.users, TEST.items], rtol=1e-6)


@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_a_resumed_training_equals_an_uninterrupted_one(precision, tmp_path):
    options = {"trainer": {"precision": precision}}
    whole, monitor = fit(epochs=4, **options)
    fit(epochs=2, folder=tmp_path, **options)
    resumed, continued = fit(epochs=4, folder=tmp_path, **options)
    assert continued.curves == monitor.curves
    assert continued.curves.epoch == [1, 2, 3, 4]
    finished, _ = fit(epochs=4, folder=tmp_path, **options)  # is loaded, and not trained
    for name, tensor in whole.state().items():
        assert torch.equal(resumed.state()[name], tensor)
        assert torch.equal(finished.state()[name], tensor)


def test_steps_is_the_number_of_updates_per_epoch():
    one, _ = fit(epochs=1, steps=6)
    assert int(one.module.average.n_averaged) == 1 + 6  # the initial weights are the first
    assert len(fit(epochs=3, steps=2)[1].curves.loss) == 3


def test_the_loss_falls():
    _, monitor = fit(epochs=3, steps=20, dropout=0.0)
    first, _, last = monitor.curves.loss
    assert last < first < math.log(5)  # that of equally likely levels


def test_without_training_ratings_users_get_the_mean_and_items_the_mean_of_the_levels():
    completer, _ = fit(epochs=2, steps=10)
    users, items = TRAIN.shape
    alone = completer.predict_pairs(np.full(items, users - 1), np.arange(items))
    assert abs(TRAIN.ratings.mean() - 3) > 0.01
    np.testing.assert_allclose(alone, TRAIN.ratings.mean(), rtol=1e-6)
    alone = completer.predict_pairs(np.arange(users - 1), np.full(users - 1, items - 1))
    np.testing.assert_allclose(alone, 3, rtol=1e-6)


def test_half_stars_are_levels_of_their_own():
    rng = np.random.default_rng(0)
    ratings = rng.choice([0.5, 1.5, 2.0, 5.0], len(TRAIN))
    train = RatingMatrix(TRAIN.users, TRAIN.items, ratings, TRAIN.shape, (0.5, 5))
    completer, _ = fit(train, epochs=2, steps=10)
    assert completer.state()["levels"].tolist() == [0.5, 1.5, 2.0, 5.0]
    grid = completer.predict_grid(np.arange(TRAIN.num_users), np.arange(TRAIN.num_items))
    assert 0.5 < grid.min() < grid.max() < 5
    np.testing.assert_allclose(grid[:-1, -1], 2.25, rtol=1e-6)  # no ratings: the mean of the four
    np.testing.assert_allclose(grid[-1], ratings.mean(), rtol=1e-6)


def test_ratings_with_too_many_levels_are_refused():
    with pytest.raises(GlocalkError, match=r"distinct rating, .* are 5 of them and at most 4 are"):
        fit(hidden_size=4)
    fit(hidden_size=4, accumulation="sum", epochs=1, steps=1)
    users, items = np.divmod(np.arange(200), 10)
    train = RatingMatrix(users, items, np.linspace(1, 5, 200), (20, 10), (1, 5))
    with pytest.raises(GlocalkError, match=r"are 200 of them and at most 100 are allowed: round"):
        fit(train, accumulation="sum")


def test_a_precision_without_compiled_loops_is_refused():
    with pytest.raises(GlocalkError, match=r"not in bf16-true: leave trainer\.precision out"):
        fit(trainer={"precision": "bf16-true"})


def test_a_completer_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError, match="This GCMC is not fitted: call fit first"):
        GCMC().predict_pairs(np.array([0]), np.array([0]))


def test_the_batches_of_an_epoch_are_the_rating_graph():
    module = module_of(steps=3)
    graphs = list(module.batches())
    assert len(graphs) == len(module.batches()) == 3
    assert all(graph is module.graph for graph in graphs)
    assert graphs[0].to(torch.device("cpu")) is graphs[0]


def test_the_example_in_the_docstring_runs():
    result = doctest.testmod(room)
    assert result.attempted > 0
    assert result.failed == 0
