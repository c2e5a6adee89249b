import doctest
import math

import numpy as np
import pytest
import torch

import glocalk
import glocalk.completers.srgcnn.srgcnn as room
from completers.kept import fit_kept
from glocalk.completers.srgcnn.initial import initial_factors
from glocalk.completers.srgcnn.network import Completed, Free
from glocalk.completers.srgcnn.srgcnn import SRGCNN, SRGCNNConfig, SRGCNNModule
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError, NotFittedError
from planted import planted
from sides import side_of

TRAIN, TEST = planted(num_users=12, num_items=9, density=0.6)  # the last of both has no rating
SIDE = side_of(TRAIN.shape)
DOUBLE = {"precision": "64-true"}
# As the hyperparameters of ML-100K, of Douban and of YahooMusic have them.
KINDS = [
    {},
    {"item_graph": False, "user_regularization": 0.3, "item_regularization": 0.2},
    {"user_graph": False, "user_regularization": 0.1},
]


def config_of(**options):
    defaults = {
        "rank": 3,
        "order": 4,
        "hidden_size": 5,
        "diffusion_steps": 3,
        "graph_regularization": 0.7,
        "learning_rate": 0.01,
        "epochs": 2,
        "steps": 3,
    }
    return SRGCNNConfig.check({**defaults, **options}, "model")


def module_of(train=TRAIN, side=SIDE, seed=0, **options):
    """In double precision, with biases that are not 0."""
    generator = torch.Generator().manual_seed(seed)
    module = SRGCNNModule(train, side, config_of(**options), generator, torch.float64)
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in module.network.parameters():
            if not parameter.any():
                parameter.copy_(torch.tensor(rng.normal(size=parameter.shape)))
    return module


def fit(train=TRAIN, trainer=None, folder=None, side=SIDE, **options):
    config = config_of(**options)
    return fit_kept(SRGCNN, config, train, TEST, trainer=trainer, folder=folder, side=side)


def everyone(completer, shape=TRAIN.shape):
    return completer.predict_grid(*(np.arange(size) for size in shape))


def literal_laplacian(kind):
    """L, entry by entry."""
    weights = SIDE.graph(kind).toarray()
    degrees = weights.sum(axis=1)
    laplacian = np.zeros_like(weights)
    for u, v in np.ndindex(*weights.shape):
        if u == v:
            laplacian[u, v] = float(degrees[u] > 0)
        elif weights[u, v]:
            laplacian[u, v] = -weights[u, v] / math.sqrt(degrees[u] * degrees[v])
    return torch.tensor(laplacian)


def literal_factors(side, kind, config):
    """The factors of one side, node by node in the recurrent part."""
    if isinstance(side, Free):
        return side.factors
    weights = dict(side.named_parameters())
    size = config.hidden_size
    scaled = literal_laplacian(kind) - torch.eye(len(side.initial))
    polynomials = [torch.eye(len(scaled), dtype=torch.float64), scaled]
    for _ in range(2, config.order):
        polynomials.append(2 * scaled @ polynomials[-1] - polynomials[-2])
    gates = [
        tuple(
            weights[name][..., k * size : (k + 1) * size]
            for name in ("from_features", "from_hidden", "gate_bias")
        )
        for k in range(4)
    ]
    factors = side.initial
    hidden = [torch.zeros(size, dtype=torch.float64) for _ in factors]
    cell = [torch.zeros(size, dtype=torch.float64) for _ in factors]
    for _ in range(config.diffusion_steps):
        seen = torch.cat([dense @ factors for dense in polynomials[: config.order]], dim=1)
        rows = []
        for node, row in enumerate(seen):
            features = torch.clamp(row @ weights["filters"] + weights["filter_bias"], min=0)
            forget, take_in, put_out, candidate = (
                1 / (1 + torch.exp(-(features @ a + hidden[node] @ b + bias)))
                for a, b, bias in gates
            )
            cell[node] = forget * cell[node] + take_in * candidate
            hidden[node] = put_out / (1 + torch.exp(-cell[node]))
            change = torch.tanh(cell[node] @ weights["change"] + weights["change_bias"])
            rows.append(factors[node] + change)
        factors = torch.stack(rows)
    return factors


def literal_grid(network, config):
    """X, and all predictions [users, items]."""
    users = literal_factors(network.users, "user", config)
    items = literal_factors(network.items, "item", config)
    product = users @ items.T
    return product, 1 + 4 * (product - product.min()) / (product.max() - product.min())


def literal_loss(network, config, train=TRAIN):
    product, grid = literal_grid(network, config)
    mask = torch.zeros(train.shape, dtype=torch.float64)
    ratings = torch.zeros(train.shape, dtype=torch.float64)
    cells_rated = torch.tensor(train.users), torch.tensor(train.items)
    mask[cells_rated] = 1
    ratings[cells_rated] = torch.tensor(train.ratings)
    loss = (mask * (grid - ratings) ** 2).sum() / mask.sum()
    cells = product.numel()
    if config.user_graph:
        dirichlet = torch.trace(product.T @ literal_laplacian("user") @ product)
        loss = loss + config.graph_regularization / 2 * dirichlet / cells
    if config.item_graph:
        dirichlet = torch.trace(product @ literal_laplacian("item") @ product.T)
        loss = loss + config.graph_regularization / 2 * dirichlet / cells
    users = literal_factors(network.users, "user", config)
    items = literal_factors(network.items, "item", config)
    loss = loss + config.user_regularization / 2 * (users**2).sum() / users.numel()
    return loss + config.item_regularization / 2 * (items**2).sum() / items.numel()


@pytest.mark.parametrize("options", KINDS)
def test_loss_and_gradients_are_those_of_a_literal_loop(options):
    module = module_of(**options)
    network, config = module.network, module.config
    (batch,) = set(module.batches())
    ours, theirs = network.loss(network(), batch, config), literal_loss(network, config)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    weights = dict(network.named_parameters())
    got, wanted = (torch.autograd.grad(loss, list(weights.values())) for loss in (ours, theirs))
    for name, mine, other in zip(weights, got, wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-12)
        assert other.abs().max() > 1e-6, name
    assert len(weights) == sum(
        7 if graph else 1 for graph in (config.user_graph, config.item_graph)
    )


@pytest.mark.parametrize("order", [1, 2])
def test_low_orders_see_no_neighbors_or_the_nearest(order):
    module = module_of(order=order)
    product, _ = literal_grid(module.network, module.config)
    completed = module.network()
    torch.testing.assert_close(completed.users @ completed.items.T, product)
    torch.testing.assert_close(completed.smallest, product.min())
    torch.testing.assert_close(completed.largest, product.max())


def test_training_follows_tensorflow_s_adam_and_keeps_the_lowest_loss():
    # At this rate the loss rises again after the fourth update.
    completer, monitor = fit(trainer=DOUBLE, epochs=4, steps=2, learning_rate=0.2)
    config = config_of(epochs=4, steps=2, learning_rate=0.2)
    generator = torch.Generator().manual_seed(0)
    network = SRGCNNModule(TRAIN, SIDE, config, generator, torch.float64).network
    weights = list(network.parameters())
    first, second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
    losses, grids = [], []
    for t in range(1, 9):
        step = 0.2 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        with torch.enable_grad():
            loss = literal_loss(network, config)
            slopes = torch.autograd.grad(loss, weights)
        losses.append(loss.item())
        grids.append(literal_grid(network, config)[1].detach().numpy())
        with torch.no_grad():
            for weight, m, v, g in zip(weights, first, second, slopes, strict=True):
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                weight.sub_(step * m / (v.sqrt() + 1e-8))
    np.testing.assert_allclose(monitor.curves.loss, np.reshape(losses, (4, 2)).mean(axis=1))
    best = int(np.argmin(losses))
    assert best == 3
    grid = everyone(completer)
    np.testing.assert_allclose(grid[:-1, :-1], grids[best][:-1, :-1], rtol=1e-6)
    assert np.abs(grids[best] - grids[-1]).max() > 0.1


def test_initial_factors_are_those_of_a_random_half_with_zeros_elsewhere():
    generator = torch.Generator().manual_seed(3)
    users, items = initial_factors(TRAIN, 4, 0.5, generator)
    chosen = torch.randperm(len(TRAIN), generator=torch.Generator().manual_seed(3)).numpy()
    half = TRAIN.select(chosen[: len(TRAIN) // 2])
    full = np.zeros(TRAIN.shape)
    full[half.users, half.items] = half.ratings
    left, values, right = np.linalg.svd(full, full_matrices=False)
    np.testing.assert_allclose(users @ items.T, left[:, :4] * values[:4] @ right[:4], atol=1e-9)
    for factors in (users, items):  # ‖U_k √S_k‖² = S_k
        np.testing.assert_allclose((factors**2).sum(dim=0), values[:4])
    # Columns beyond the smaller side of the matrix are 0.
    wide = initial_factors(TRAIN, 30, 1.0, generator)
    assert wide[1].shape == (9, 30)
    assert not any(factors[:, 9:].any() for factors in wide)


def test_initial_weights_follow_the_official_code():
    generator = torch.Generator().manual_seed(0)
    module = SRGCNNModule(TRAIN, SIDE, config_of(hidden_size=200, order=50), generator)
    for side in (module.network.users, module.network.items):
        gates = [
            part for weight in (side.from_features, side.from_hidden) for part in weight.chunk(4, 1)
        ]
        for weight, inputs, outputs in (
            (side.filters, 50 * 3, 200),
            *((part, 200, 200) for part in gates),
            (side.change, 200, 3),
        ):
            limit = math.sqrt(6 / (inputs + outputs))
            assert weight.shape == (inputs, outputs)
            assert 0.98 * limit < weight.abs().max() <= limit
            assert weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.07)
        for bias in (side.filter_bias, side.gate_bias, side.change_bias):
            assert not bias.any()


def test_equal_cells_stand_for_the_mean():
    parts = [torch.zeros(2, 1), torch.zeros(3, 1), torch.tensor(4.0), torch.tensor(4.0)]
    slope, intercept = Completed(*parts).line((1, 5), 3.5)
    assert (slope.item(), intercept.item()) == (0, 3.5)
    one = RatingMatrix(np.array([0]), np.array([0]), np.array([2.0]), (1, 1), (1, 5))
    model = SRGCNN(config_of(user_graph=False, item_graph=False)).fit(one)
    assert model.predict_pairs(np.array([0]), np.array([0])) == pytest.approx(2)


def test_a_loss_that_is_never_finite_is_an_error():
    with pytest.raises(GlocalkError, match="not finite in any update"):
        fit(graph_regularization=1e39)  # infinite in single precision


def test_pairs_with_an_unrated_user_or_item_are_predicted_the_mean():
    model = fit()[0]
    grid, mean = everyone(model), TRAIN.ratings.mean()
    np.testing.assert_allclose([*grid[-1], *grid[:, -1]], mean, rtol=1e-6)
    assert (np.abs(grid[:-1, :-1] - mean) > 1e-4).all()
    pairs = np.indices(TRAIN.shape).reshape(2, -1)
    np.testing.assert_allclose(model.predict_pairs(*pairs), grid.ravel(), rtol=1e-5)


def test_predictions_take_the_range_of_all_cells_to_the_scale():
    module = module_of()
    users, items, smallest, largest = module.network()
    slope, intercept = Completed(users, items, smallest, largest).line((-10, 30), 0.0)
    predicted = (slope * (users @ items.T) + intercept).detach().numpy()
    assert (predicted.min(), predicted.max()) == pytest.approx((-10, 30))
    assert np.unique(predicted).size > 50


@pytest.mark.parametrize(
    ("data", "graphs", "updates", "cells"),
    [
        pytest.param("ml_100k", [943, 1682], 10_000, 1e-10, marks=pytest.mark.data("ml-100k")),
        pytest.param("douban", [3000, None], 5000, 1e2 / 9e6, marks=pytest.mark.data("douban")),
        pytest.param("flixster", [3000, 3000], 10_000, 1e-10, marks=pytest.mark.data("flixster")),
        pytest.param(
            "yahoo_music", [None, 3000], 10_000, 1e2 / 9e6, marks=pytest.mark.data("yahoo_music")
        ),
    ],
)
def test_networks_of_the_real_data_are_those_of_the_official_code(data, graphs, updates, cells):
    split, model = glocalk.load_split(data), glocalk.make_completer("srgcnn", data=data)
    config = model.config
    assert config.epochs * config.steps == updates
    assert config.graph_regularization / math.prod(split.train.shape) == pytest.approx(cells)
    network = SRGCNNModule(split.train, split.side, config, torch.Generator()).network
    # Weights of a side that diffuses: filters, eight gates, increments, and their biases.
    diffusing = 50 * 32 + 32 + 8 * 32 * 32 + 4 * 32 + 32 * 10 + 10
    for side, size in zip((network.users, network.items), graphs, strict=True):
        count = sum(parameter.numel() for parameter in side.parameters())
        assert count == (30_000 if size is None else diffusing)
        if size is not None:
            assert side.laplacian.matrix.shape == (size, size)
            assert side.initial.shape == (size, 10)


def test_it_needs_what_its_options_name():
    assert SRGCNN().needs == ("user graph", "item graph")
    assert SRGCNN(item_graph=False).needs == ("user graph",)
    assert SRGCNN(user_graph=False, item_graph=False).needs == ()
    with pytest.raises(GlocalkError, match="SRGCNN needs user graph beside the ratings"):
        SRGCNN(item_graph=False).fit(TRAIN)


@pytest.mark.parametrize("options", KINDS)
def test_a_resumed_training_equals_an_uninterrupted_one(options, tmp_path):
    whole, monitor = fit(epochs=4, **options)
    fit(epochs=2, folder=tmp_path, **options)
    resumed, continued = fit(epochs=4, folder=tmp_path, **options)
    assert continued.curves == monitor.curves
    for name, tensor in whole.state().items():
        assert torch.equal(resumed.state()[name], tensor)


def test_a_model_is_loaded_without_side_information(tmp_path):
    model = SRGCNN(config_of()).fit(TRAIN, side=SIDE)
    model.save(tmp_path / "model.pt")
    loaded = glocalk.load(tmp_path / "model.pt")
    assert loaded.config == model.config
    np.testing.assert_allclose(everyone(loaded), everyone(model), rtol=1e-6)


def test_a_precision_other_than_single_or_double_is_refused():
    with pytest.raises(GlocalkError, match="sRGCNN computes in precision 32-true or 64-true"):
        fit(trainer={"precision": "bf16-true"})


def test_a_completer_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError, match="This SRGCNN is not fitted: call fit first"):
        SRGCNN().predict_pairs(np.array([0]), np.array([0]))


def test_the_example_in_the_docstring_runs():
    result = doctest.testmod(room)
    assert result.attempted > 0
    assert result.failed == 0
