import doctest
import math

import numpy as np
import pytest
import torch

import glocalk.completers.f_eae.f_eae as room
from completers.kept import fit_kept
from glocalk.completers.f_eae.f_eae import FEAE, FEAEConfig, FEAEModule
from glocalk.completers.f_eae.network import Entries, ExchangeableLayer
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from planted import planted

TRAIN, TEST = planted(num_users=12, num_items=9, density=0.6)  # the last of both has no rating
GRID = np.indices(TRAIN.shape).reshape(2, -1)
DOUBLE = {"precision": "64-true"}


def config_of(**options):
    defaults = {
        "hidden_size": 6,
        "latent_size": 4,
        "dropout": 0.5,
        "learning_rate": 0.01,
        "initial_deviation": 0.3,
        "epochs": 2,
        "steps": 3,
    }
    return FEAEConfig.check({**defaults, **options}, "model")


def module_of(train=TRAIN, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return FEAEModule(train, config_of(**options), generator).double()


def fit(train=TRAIN, seed=0, trainer=None, folder=None, **options):
    config = config_of(**options)
    return fit_kept(FEAE, config, train, TEST, seed=seed, trainer=trainer, folder=folder)


class Literal:
    """The equations with full tensors [users, items, units] and a mask, as in the paper."""

    def __init__(self, train):
        self.mask = torch.zeros(*train.shape, 1, dtype=torch.float64)
        self.mask[train.users, train.items] = 1
        levels, labels = np.unique(train.ratings, return_inverse=True)
        self.input = torch.zeros(*train.shape, len(levels), dtype=torch.float64)
        self.input[train.users, train.items, labels] = 1

    def means(self, x):
        rated = x * self.mask
        by_item = rated.sum(dim=0, keepdim=True) / (self.mask.sum(dim=0, keepdim=True) + 1e-3)
        by_user = rated.sum(dim=1, keepdim=True) / (self.mask.sum(dim=1, keepdim=True) + 1e-3)
        return by_item, by_user, rated.sum(dim=(0, 1), keepdim=True) / (self.mask.sum() + 1e-3)

    def layer(self, x, weights):
        return sum(part @ theta for part, theta in zip((x, *self.means(x)), weights, strict=True))

    def scores(self, network, masks=(1, 1)):
        x = self.input
        for number, layer in enumerate(network.encoder):
            x = self.layer(x, layer.weights)
            x = _leaky(x) if number < 2 else x
        by_item, by_user, _ = self.means(x)
        p, q = by_user @ network.pooled[0], by_item @ network.pooled[1]
        x = _leaky(p @ network.first[0] + q @ network.first[1])
        first, second, third, last = (layer.weights for layer in network.decoder)
        x = _leaky(self.layer(_leaky(self.layer(x, first)), second))
        x = _leaky(self.layer(x * masks[0], third))
        return self.layer(x * masks[1], last)


def _leaky(x):
    return torch.where(x > 0, x, 0.01 * x)


def gradients(loss, network):
    return torch.autograd.grad(loss, list(network.parameters()))


def test_a_layer_worked_by_hand():
    # User 0 has rated items 0 and 1, user 1 item 0: x = 1, 2, 4.
    users, items = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0])
    entries = Entries(users, items, torch.zeros(3, dtype=torch.int64), (2, 2))
    layer = ExchangeableLayer(1, 1, 1.0, torch.Generator()).double()
    with torch.no_grad():
        layer.weights[:, 0, 0] = torch.tensor([1.0, 10.0, 100.0, 1000.0])
    x = torch.tensor([[1.0], [2.0], [4.0]], dtype=torch.float64)
    by_item, by_user = {0: 5 / 2.001, 1: 2 / 1.001}, {0: 3 / 2.001, 1: 4 / 1.001}
    wanted = [
        value + 10 * by_item[item] + 100 * by_user[user] + 1000 * 7 / 3.001
        for value, user, item in ((1, 0, 0), (2, 0, 1), (4, 1, 0))
    ]
    np.testing.assert_allclose(layer(x, entries)[:, 0].detach(), wanted)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_loss_and_gradient_are_those_of_full_tensors(dropout):
    module = module_of()
    torch.manual_seed(3)
    ours = module.network.loss(module._whole, dropout)
    torch.manual_seed(3)
    masks = []
    for _ in range(2):
        ones = torch.ones(len(TRAIN), 6, dtype=torch.float64)
        mask = torch.ones(*TRAIN.shape, 6, dtype=torch.float64)
        mask[TRAIN.users, TRAIN.items] = torch.nn.functional.dropout(ones, dropout)
        masks.append(mask)
    scores = Literal(TRAIN).scores(module.network, masks)[TRAIN.users, TRAIN.items]
    labels = torch.tensor(np.unique(TRAIN.ratings, return_inverse=True)[1])
    theirs = -scores.log_softmax(dim=1)[torch.arange(len(TRAIN)), labels].mean()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    got, wanted = gradients(ours, module.network), gradients(theirs, module.network)
    for mine, other in zip(got, wanted, strict=True):
        assert other.abs().max() > 0
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


def test_predictions_are_those_of_full_tensors_and_without_ratings_the_mean():
    completer, _ = fit(trainer=DOUBLE, steps=10)
    network = completer.module.average.network
    with torch.no_grad():
        scores = Literal(TRAIN).scores(network)
        wanted = (scores.softmax(dim=2) @ torch.tensor(np.unique(TRAIN.ratings))).numpy()
    wanted[-1], wanted[:, -1] = TRAIN.ratings.mean(), TRAIN.ratings.mean()
    assert wanted[:-1, :-1].std() > 0.001
    np.testing.assert_allclose(completer.predict_pairs(*GRID), wanted.ravel(), rtol=1e-9)


def test_training_is_equivariant_under_permutations_of_users_and_of_items():
    rng = np.random.default_rng(0)
    users, items = (rng.permutation(size) for size in TRAIN.shape)
    permuted = RatingMatrix(
        users[TRAIN.users], items[TRAIN.items], TRAIN.ratings, TRAIN.shape, TRAIN.scale
    )
    options = {"trainer": DOUBLE, "dropout": 0.0, "steps": 10}  # dropout follows the order of cells
    there, _ = fit(permuted, **options)
    here, _ = fit(**options)
    predicted = here.predict_pairs(*GRID)
    assert predicted.std() > 0.01
    moved = there.predict_pairs(users[GRID[0]], items[GRID[1]])
    np.testing.assert_allclose(moved, predicted, rtol=1e-7)


def test_a_prediction_does_not_depend_on_the_others_asked_for():
    completer, _ = fit(trainer=DOUBLE)
    together = completer.predict_pairs(*GRID)
    alone = [completer.predict_pairs(GRID[0][k : k + 1], GRID[1][k : k + 1])[0] for k in range(9)]
    np.testing.assert_allclose(together[:9], alone, rtol=1e-12)


def test_an_update_is_on_a_part_of_the_matrix_of_the_size_given():
    module = module_of(max_users=5, max_items=4, steps=20)
    torch.manual_seed(0)
    cells = set(zip(TRAIN.users, TRAIN.items, TRAIN.ratings, strict=True))
    parts = list(module.batches())
    assert len(parts) == 20
    for part in parts:
        users, items = np.unique(part.users), np.unique(part.items)
        assert len(users) <= 5
        assert len(items) == 4
        ratings = module.levels[part.labels.numpy()]
        found = set(zip(part.users.tolist(), part.items.tolist(), ratings, strict=True))
        inside = {(u, i, r) for u, i, r in cells if u in users and i in items}
        assert found == inside  # all ratings of those users and items
    assert len({tuple(np.unique(part.users)) for part in parts}) > 10
    whole = next(iter(module_of().batches()))
    assert len(whole.users) == len(TRAIN)


def test_initial_values_follow_the_official_code():
    network = module_of(hidden_size=60, latent_size=50, initial_deviation=0.01).network
    layers = [*network.encoder, *network.decoder]
    shapes = [(5, 60), (60, 60), (60, 50), (60, 60), (60, 60), (60, 60), (60, 5)]
    assert [tuple(layer.weights.shape[1:]) for layer in layers] == shapes
    for weights in (network.first, *(layer.weights for layer in layers)):
        assert weights.std().item() == pytest.approx(0.01, rel=0.1)
    limit = math.sqrt(6 / 100)
    assert 0.99 * limit < network.pooled.abs().max() <= limit


def test_training_follows_tensorflow_s_adam_and_the_average_predicts():
    completer, _ = fit(trainer=DOUBLE, dropout=0.0, epochs=1, steps=4)
    network = module_of().network
    literal = Literal(TRAIN)
    labels = torch.tensor(np.unique(TRAIN.ratings, return_inverse=True)[1])
    weights = list(network.parameters())
    averages = [weight.detach().clone() for weight in weights]
    first, second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
    for t in range(1, 5):
        step = 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        with torch.enable_grad():
            scores = literal.scores(network)[TRAIN.users, TRAIN.items]
            slopes = gradients(torch.nn.functional.cross_entropy(scores, labels), network)
        with torch.no_grad():
            for weight, average, m, v, g in zip(
                weights, averages, first, second, slopes, strict=True
            ):
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                weight.sub_(step * m / (v.sqrt() + 1e-6))
                average.mul_(0.9).add_(0.1 * weight)
    trained = completer.module
    for mine, other in zip(trained.network.parameters(), weights, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-9)
    for mine, other in zip(trained.average.network.parameters(), averages, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_a_resumed_training_equals_an_uninterrupted_one(precision, tmp_path):
    options = {"trainer": {"precision": precision}, "max_users": 8}
    whole, monitor = fit(epochs=4, **options)
    fit(epochs=2, folder=tmp_path, **options)
    resumed, continued = fit(epochs=4, folder=tmp_path, **options)
    assert continued.curves == monitor.curves
    for name, tensor in whole.state().items():
        assert torch.equal(resumed.state()[name], tensor)


def test_ratings_with_too_many_levels_are_refused():
    users, items = np.divmod(np.arange(200), 10)
    train = RatingMatrix(users, items, np.linspace(1, 5, 200), (20, 10), (1, 5))
    with pytest.raises(GlocalkError, match=r"F-EAE has .* are 200 of them and at most 100 are"):
        fit(train)


def test_the_example_in_the_docstring_runs():
    result = doctest.testmod(room)
    assert result.attempted > 0
    assert result.failed == 0
