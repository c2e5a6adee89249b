import doctest
import math

import numpy as np
import pytest
import torch

import glocalk.completers.imc_gae.imc_gae as room
from completers.kept import fit_kept
from glocalk.completers.blocks.rating_graph import RatingGraph
from glocalk.completers.imc_gae.config import IMCGAEConfig
from glocalk.completers.imc_gae.imc_gae import IMCGAE, IMCGAEModule
from glocalk.completers.imc_gae.network import FeatureLayer
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from planted import planted

TRAIN, TEST = planted(num_users=12, num_items=9, density=0.6)  # the last of both has no rating
DOUBLE = {"precision": "64-true"}


def config_of(**options):
    defaults = {
        "hidden_size": 6,
        "embedding_size": 4,
        "layers": 3,
        "dropout": 0.5,
        "adjacent_regularization": 0.01,
        "learning_rate": 0.02,
        "held_out": 0.1,
        "epochs": 2,
        "steps": 3,
    }
    return IMCGAEConfig.check({**defaults, **options}, "model")


def module_of(train=TRAIN, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return IMCGAEModule(train, config_of(**options), generator, torch.float64).double()


def fit(train=TRAIN, test=TEST, seed=0, trainer=None, folder=None, **options):
    config = config_of(**options)
    return fit_kept(IMCGAE, config, train, test, seed=seed, trainer=trainer, folder=folder)


def graph_of(module, compiled):
    return module.graph if compiled else module.graph.gathered(torch.device("cpu"))


class Literal:
    """The equations with one matrix for each level and one-hot features, as the code has them."""

    def __init__(self, graph_ratings, levels):
        train, shape = graph_ratings, graph_ratings.shape
        rated = np.zeros(shape)
        rated[train.users, train.items] = train.ratings
        known = (rated > 0).astype(float)
        degrees = np.sqrt(np.outer(known.sum(axis=1), known.sum(axis=0)))
        shares = known / np.where(degrees > 0, degrees, 1)
        self.train, self.shape, self.levels = train, shape, levels
        self.to_users = [torch.tensor(shares * (rated == level)) for level in levels]
        # Columns: what all nodes have, users, items, then a column for each node.
        eye = torch.eye(3 + sum(shape), dtype=torch.float64)
        users, items = eye[3 : 3 + shape[0]], eye[3 + shape[0] :]
        self.users = [users, eye[1].expand_as(users), eye[0].expand_as(users)]
        self.items = [items, eye[2].expand_as(items), eye[0].expand_as(items)]

    def embedded(self, network, draw):
        """z, where `draw(size, layer)` gives the scaled masks of dropout in their order."""
        basis, attention = network.first.basis, network.first.attention
        weights = [
            sum(attention[r, b] * basis[:, b] for b in range(basis.shape[1]))
            for r in range(len(self.levels))
        ]
        z, outputs = [0, 0], None
        for layer, dense in enumerate(network.dense):
            received = []
            for side in range(2):  # messages to users, then to items
                features = (self.items, self.users)[side]
                size = self.shape[1 - side]
                mask = draw((size * len(self.levels),), layer).view(size, len(self.levels))
                messages = 0
                for r, shares in enumerate(self.to_users):
                    sent = (
                        torch.cat([x @ weights[r] for x in features], dim=1)
                        if outputs is None
                        else outputs[1 - side]
                    )
                    messages = messages + (shares, shares.T)[side] @ (mask[:, r : r + 1] * sent)
                received.append(torch.tanh(messages))
            outputs = []
            for h in received:
                units = draw(tuple(h.shape), layer, torch.float64)
                outputs.append((h * units) @ dense.weight.T + dense.bias)
            z = [total + output / (layer + 1) for total, output in zip(z, outputs, strict=True)]
        return z

    def scores(self, network, z):
        decoder = network.decoder
        forms = torch.stack([z[0] @ basis @ z[1].T for basis in decoder.bases], dim=2)
        return forms @ decoder.coefficients  # [users, items, levels]

    def loss(self, network, draw, regularization):
        logs = self.scores(network, self.embedded(network, draw)).log_softmax(dim=2)
        labels = [list(self.levels).index(rating) for rating in self.train.ratings]
        entropy = -logs[self.train.users, self.train.items, labels].mean()
        basis, attention = network.first.basis, network.first.attention
        weights = torch.einsum("rb,nbw->rnw", attention, basis)
        pairs = zip(weights[1:], weights[:-1], strict=True)
        similar = sum(torch.cosine_similarity(w, v, dim=1).sum() for w, v in pairs)
        return entropy - regularization * similar


def keep_all(size, layer, dtype=None):
    del layer, dtype
    return torch.ones(size, dtype=torch.float64)


def gradients(loss, network):
    return torch.autograd.grad(loss, list(network.parameters()))


def test_the_first_layer_worked_by_hand():
    # User 0 rates item 0 with level 1 and item 1 with level 2; user 1 rates item 0 with level 2.
    train = RatingMatrix([0, 0, 1], [0, 1, 0], [1.0, 2.0, 2.0], (2, 2), (1, 5))
    graph = RatingGraph(train, "sum", "symmetric", torch.float64)
    layer = FeatureLayer((2, 2), 2, 1, 2, torch.Generator()).double()
    with torch.no_grad():  # W₁ = B₁, W₂ = B₁ + 2 B₂
        layer.attention.copy_(torch.tensor([[1.0, 0.0], [1.0, 2.0]]))
        # All nodes, users, items, user 0, user 1, item 0, item 1.
        layer.basis[:, 0, 0] = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
        layer.basis[:, 1, 0] = torch.tensor([0.5, 0.0, -1.0, 1.0, 2.0, 0.0, 3.0])
    root = math.sqrt(2)
    by_users, by_items = (side.tolist() for side in layer(graph))
    # From item 0 at level 1: [6 | 3 | 1] / 2; from item 1 at level 2: [13 | 1 | 2] / √2.
    np.testing.assert_allclose(by_users[0], [6 / 2 + 13 / root, 3 / 2 + 1 / root, 1 / 2 + 2 / root])
    np.testing.assert_allclose(by_users[1], [6 / root, 1 / root, 2 / root])  # item 0 at level 2
    # From user 0 at level 1: [4 | 2 | 1] / 2; from user 1 at level 2: [9 | 2 | 2] / √2.
    np.testing.assert_allclose(by_items[0], [4 / 2 + 9 / root, 2 / 2 + 2 / root, 1 / 2 + 2 / root])
    np.testing.assert_allclose(by_items[1], [6 / root, 2 / root, 2 / root])  # user 0 at level 2


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.6])
def test_loss_and_gradient_are_those_of_full_matrices(share, compiled):
    module = module_of()
    kept = TRAIN.select(~np.isin(_cells(TRAIN), _cells(module.held)))
    literal = Literal(kept, np.unique(TRAIN.ratings))

    def draw(size, layer, dtype=torch.float32):
        rate = share - 0.1 * layer
        return (torch.rand(size, dtype=dtype) >= rate).double() / (1 - rate)

    torch.manual_seed(3)
    ours = module.network.loss(graph_of(module, compiled), share, 0.01)
    torch.manual_seed(3)
    theirs = literal.loss(module.network, draw if share else keep_all, 0.01)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    got, wanted = gradients(ours, module.network), gradients(theirs, module.network)
    assert len(got) == 2 + 2 * 3 + 2
    for mine, other in zip(got, wanted, strict=True):
        assert other.abs().max() > 0
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


def _cells(ratings):
    return ratings.users * ratings.num_items + ratings.items


def test_dropout_falls_by_a_tenth_from_layer_to_layer_but_not_below_none():
    network = module_of(layers=4).network
    graph = module_of().graph
    with torch.no_grad():  # with .2, .1, 0 and 0: the third and fourth layer draw nothing
        torch.manual_seed(0)
        network.embed(graph, 0.2)
        drawn = torch.rand(1)
        torch.manual_seed(0)
        levels, (users, items) = len(graph.levels), TRAIN.shape
        for size in (6, 4):  # of two layers
            torch.rand(items * levels)
            torch.rand(users * levels)
            torch.rand(users, size, dtype=torch.float64)
            torch.rand(items, size, dtype=torch.float64)
        assert torch.equal(drawn, torch.rand(1))


def test_initial_values_follow_the_official_code():
    network = module_of(hidden_size=300, embedding_size=75, layers=2).network
    rows, levels = 3 + sum(TRAIN.shape), 5
    assert network.first.basis.shape == (rows, 4, 100)
    limits = {
        network.first.basis: math.sqrt(6 / (100 * (rows + 4))),
        network.dense[0].weight: math.sqrt(6 / (300 + 75)),
        network.dense[0].bias: 1 / math.sqrt(300),
        network.dense[1].weight: math.sqrt(6 / 150),
        network.decoder.bases: math.sqrt(6 / 150),
    }
    for weights, limit in limits.items():
        assert 0.9 * limit < weights.abs().max() <= limit
        assert weights.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.15)
    assert network.first.attention.abs().max() <= math.sqrt(6 / (4 + levels))
    assert network.decoder.coefficients.abs().max() <= math.sqrt(6 / (2 + levels))


def test_a_share_of_the_training_ratings_is_held_out_by_the_seed():
    module, other = module_of(held_out=0.1), module_of(held_out=0.1, seed=1)
    count = math.ceil(0.1 * len(TRAIN))
    held, edges = set(_cells(module.held)), len(module.graph.labels)
    assert len(held) == count
    assert edges == len(TRAIN) - count
    assert held < set(_cells(TRAIN))
    assert held != set(_cells(other.held))
    graph = module.graph
    trained = graph._users.numpy() * TRAIN.num_items + graph._items.numpy()
    assert set(trained) == set(_cells(TRAIN)) - held


def test_a_single_rating_is_trained_on_and_the_last_network_predicts():
    train = RatingMatrix([1], [0], [4.0], (3, 2), (1, 5))
    completer, _ = fit(train, train, layers=1)
    module = completer.module
    assert len(module.held) == 0
    assert len(module.graph.labels) == 1
    for mine, best in zip(module.network.parameters(), module.best.parameters(), strict=True):
        assert torch.equal(mine, best)
    assert completer.predict_pairs(np.array([1]), np.array([0])) == pytest.approx(4)


@pytest.fixture
def judged(monkeypatch):
    """Trains with given held-out errors: the module, the rate of each update, unused errors."""

    def run(errors, **options):
        rates, remaining = [], list(errors)

        def error(module, _):
            rates.append(module.optimizers().param_groups[0]["lr"])
            return torch.tensor(remaining.pop(0), dtype=torch.float64)

        monkeypatch.setattr(IMCGAEModule, "_held_out_error", error)
        completer, _ = fit(learning_rate=0.01, steps=1, epochs=len(errors), **options)
        return completer.module, rates, remaining

    return run


def test_the_learning_rate_decays_after_updates_without_a_lower_error(judged):
    options = {"decay_patience": 1, "patience": 100, "min_learning_rate": 0.004}
    module, rates, _ = judged([3, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1], **options)
    # The third and fourth error are no better than 2: more than one, so that the rate decays.
    wanted = [0.01] * 4 + [0.005] * 4 + [0.004] * 3
    np.testing.assert_allclose(rates, wanted)
    assert module.best_error == 1
    assert not module.stopped


def test_a_budget_shortens_training_and_both_patiences(judged):
    options = {"decay_patience": 4, "patience": 6, "min_learning_rate": 0.005, "budget": 0.5}
    module, rates, unused = judged([2] * 20, **options)
    # Decay after more than 2 updates without a lower error, stop after more than 3.
    np.testing.assert_allclose(rates, [0.01] * 4 + [0.005] * 4)
    assert module.stopped
    assert len(unused) == 12
    assert IMCGAE(module.config).schedule == {"train": 10}
    assert IMCGAE(module.config).budget == 0.5


def test_training_stops_at_the_lowest_rate_only(judged):
    options = {"decay_patience": 2, "patience": 1, "min_learning_rate": 0.005}
    module, rates, unused = judged([2, 2, 2, 2, 1, 1, 1, 0, 0], **options)
    # Three errors no better than 2: decay. After the lower one two more, above the patience: stop.
    np.testing.assert_allclose(rates, [0.01] * 4 + [0.005] * 3)
    assert module.stopped
    assert module.best_error == 1
    assert unused == [0, 0]


def test_the_best_network_predicts_and_epochs_after_the_stop_change_nothing(judged):
    options = {"decay_patience": 0, "patience": 1, "min_learning_rate": 0.01}
    longer, rates, _ = judged([2, 1, 1, 1, 9, 9], **options)
    assert len(rates) == 4
    short, *_ = judged([2, 1], **options)
    assert longer.stopped
    assert not short.stopped
    for name, tensor in short.best.state_dict().items():
        assert torch.equal(longer.best.state_dict()[name], tensor)
    assert not torch.equal(longer.network.first.basis, longer.best.first.basis)
    for mine, other in zip(longer.output(), short.output(), strict=True):
        assert torch.equal(mine, other)


def test_predictions_take_messages_along_all_training_ratings():
    completer, _ = fit(trainer=DOUBLE, steps=10)
    network = completer.module.best.double()
    literal = Literal(TRAIN, np.unique(TRAIN.ratings))
    with torch.no_grad():
        scores = literal.scores(network, literal.embedded(network, keep_all))
        wanted = scores.softmax(dim=2) @ torch.tensor(literal.levels)
    predicted = completer.predict_pairs(TEST.users, TEST.items)
    np.testing.assert_allclose(predicted, wanted[TEST.users, TEST.items], rtol=1e-9)


def test_the_held_out_error_is_that_of_messages_along_the_other_ratings():
    module = module_of(held_out=0.2)
    kept = TRAIN.select(~np.isin(_cells(TRAIN), _cells(module.held)))
    literal = Literal(kept, np.unique(TRAIN.ratings))
    with torch.no_grad():
        network, held = module.network, module.held
        scores = literal.scores(network, literal.embedded(network, keep_all))
        predicted = (scores.softmax(dim=2) @ torch.tensor(literal.levels))[held.users, held.items]
        error = module._held_out_error(module.graph).item()
    wanted = np.mean((predicted.numpy() - held.ratings) ** 2)
    assert error == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("largest", [1e-7, 1e3])
def test_the_first_update_is_adam_s_on_a_gradient_of_limited_norm(largest):
    options = {"dropout": 0.0, "epochs": 1, "steps": 1, "held_out": 0.0}
    completer, _ = fit(trainer=DOUBLE, max_norm=largest, **options)
    module = module_of(**options)
    slopes = gradients(module.network.loss(module.graph, 0.0, 0.01), module.network)
    norm = math.sqrt(sum(slope.square().sum().item() for slope in slopes))
    assert 1e-7 < norm < 1e3
    trained = completer.module.network.parameters()
    for before, after, slope in zip(module.network.parameters(), trained, slopes, strict=True):
        clipped = slope * min(1, largest / (norm + 1e-6))
        step = 0.02 * clipped / (clipped.abs() + 1e-8)
        torch.testing.assert_close(after, before - step, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_a_resumed_training_equals_an_uninterrupted_one(precision, tmp_path):
    options = {
        "trainer": {"precision": precision},
        "decay_patience": 1,
        "patience": 2,
        "min_learning_rate": 0.01,
        "steps": 6,
    }
    whole, monitor = fit(epochs=6, **options)
    assert whole.module.stopped  # within the epochs that are resumed or before
    fit(epochs=2, folder=tmp_path, **options)
    resumed, continued = fit(epochs=6, folder=tmp_path, **options)
    assert continued.curves == monitor.curves
    for name, tensor in whole.state().items():
        assert torch.equal(resumed.state()[name], tensor)


def test_without_training_ratings_only_the_biases_remain_and_of_both_the_mean():
    completer, _ = fit(trainer=DOUBLE)
    network = completer.module.best
    bias = sum(dense.bias / k for k, dense in enumerate(network.dense, 1)).detach()
    torch.testing.assert_close(completer.module.output().right[-1], bias.double())
    literal = Literal(TRAIN, np.unique(TRAIN.ratings))
    with torch.no_grad():
        scores = literal.scores(network, literal.embedded(network, keep_all))
        wanted = (scores.softmax(dim=2) @ torch.tensor(literal.levels)).numpy()
    wanted[-1, -1] = TRAIN.ratings.mean()
    users, items = np.arange(TRAIN.num_users), np.arange(TRAIN.num_items)
    grid = completer.predict_grid(users, items)
    np.testing.assert_allclose(grid, wanted, rtol=1e-9)
    pairs = completer.predict_pairs(np.repeat(users, len(items)), np.tile(items, len(users)))
    np.testing.assert_allclose(pairs, wanted.ravel(), rtol=1e-9)


def test_levels_that_only_ratings_held_out_have_are_levels():
    ratings = np.array([1.0, 2.0, 4.0, 5.0])
    train = RatingMatrix([0, 0, 1, 1], [0, 1, 0, 1], ratings, (2, 2), (1, 5))
    module = module_of(train, held_out=0.5)
    assert module.graph.levels.tolist() == [1, 2, 4, 5]
    assert len(module.graph.labels) == 2
    kept = {1.0, 2.0, 4.0, 5.0} - set(module.held.ratings.tolist())
    assert set(module.graph.levels[module.graph.labels.numpy()]) == kept


def test_ratings_with_too_many_levels_are_refused():
    users, items = np.divmod(np.arange(200), 10)
    train = RatingMatrix(users, items, np.linspace(1, 5, 200), (20, 10), (1, 5))
    with pytest.raises(GlocalkError, match=r"IMC-GAE has .* are 200 of them and at most 100 are"):
        fit(train)


def test_the_example_in_the_docstring_runs():
    result = doctest.testmod(room)
    assert result.attempted > 0
    assert result.failed == 0
