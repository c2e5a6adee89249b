import doctest
import math

import numpy as np
import pytest
import torch

import glocalk
import glocalk.completers.mg_gat.mg_gat as room
from completers.kept import fit_kept
from glocalk.completers.mg_gat.mg_gat import MGGAT, MGGATConfig, MGGATModule
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.data.side import Attributes, SideInformation
from glocalk.errors import GlocalkError, NotFittedError
from planted import planted
from sides import side_of

TRAIN, TEST = planted(num_users=12, num_items=9, density=0.6)  # the last of both has no rating
SIDE = side_of(TRAIN.shape)
DOUBLE = {"precision": "64-true"}
NUMBER = {"attribute": "number", "encoding": "scaled", "center": 1.0, "divide_by": 2.0}
TAGS = {"attribute": "tags", "encoding": "multi_hot", "without": ["x"]}
# As the hyperparameters of ML-100K, of Douban and of YahooMusic have them.
KINDS = [
    {},
    {
        "user_features": [],
        "item_features": [],
        "item_graph": False,
        "hidden_activation": "linear",
        "output_activation": "tanh",
    },
    {
        "user_features": [],
        "user_graph": False,
        "residual": False,
        "hidden_activation": "selu",
        "output_activation": "softplus",
    },
]
ACTIVATIONS = {
    "linear": lambda x: x,
    "softsign": lambda x: x / (1 + x.abs()),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "tanh": torch.tanh,
    "softplus": lambda x: torch.log(1 + torch.exp(x)),
    "selu": lambda x: (
        1.0507009873554805 * torch.where(x > 0, x, 1.6732632423543772 * (x.exp() - 1))
    ),
}


def config_of(**options):
    defaults = {
        "rank": 3,
        "hidden_size": 5,
        "svd_rank": 2,
        "user_features": [NUMBER],
        "item_features": [TAGS],
        "regularization": 0.01,
        "learning_rate": 0.01,
        "epochs": 2,
        "steps": 3,
    }
    return MGGATConfig.check({**defaults, **options}, "model")


def module_of(train=TRAIN, seed=0, **options):
    """In double precision, with offsets and biases that are not 0."""
    generator = torch.Generator().manual_seed(seed)
    module = MGGATModule(train, SIDE, config_of(**options), generator, torch.float64)
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in module.network.parameters():
            if not parameter.any():
                parameter.copy_(torch.tensor(rng.normal(size=parameter.shape)))
    return module


def fit(train=TRAIN, trainer=None, folder=None, **options):
    config = config_of(**options)
    return fit_kept(MGGAT, config, train, TEST, trainer=trainer, folder=folder, side=SIDE)


def everyone(completer, shape=TRAIN.shape):
    return completer.predict_grid(*(np.arange(size) for size in shape))


def literal_features(train=TRAIN, config=None):
    """X of users and of items, by NumPy's decomposition and from the attributes by hand."""
    binary = np.zeros(train.shape)
    binary[train.users, train.items] = 1
    left, values, right = np.linalg.svd(binary, full_matrices=False)
    number = SIDE.attributes("user").column("number")
    tags = SIDE.attributes("item").column("tags")
    made = []
    for vectors, columns, features in (
        (left, [[0 if np.isnan(x) else (x - 1) / 2] for x in number], config.user_features),
        (right.T, [[float(t in several) for t in "yz"] for several in tags], config.item_features),
    ):
        x = np.zeros((len(vectors), config.svd_rank))
        for k in range(config.svd_rank):
            x[:, k] = vectors[:, k] * math.sqrt(values[k])
            if left[np.argmax(abs(left[:, k])), k] < 0:
                x[:, k] *= -1
        made.append(torch.tensor(np.hstack([x, columns]) if features else x))
    return made


def literal_factors(side, x, graph, config):
    """p of all users or q of all items, with full matrices."""
    weights = dict(side.named_parameters())
    y = x @ weights["kernel.weight"].T
    s = y @ weights["own.weight"][0] + weights["own.bias"]
    t = y @ weights["other.weight"][0] + weights["other.bias"]
    logits = s[:, None] + t[None, :]
    if graph is None:
        logits = torch.where(logits > 0, logits, 0.2 * logits)
        powers = torch.exp(logits - logits.max(dim=1).values)  # [n] broadcasts over the rows
    else:
        mask = torch.tensor(np.eye(len(x)) + graph.toarray())
        logits = mask * logits
        powers = (mask > 0) * torch.exp(torch.where(logits > 0, logits, 0.2 * logits))
    received = (powers / powers.sum(dim=1, keepdim=True)) @ y + weights["kernel.bias"]
    if config.residual:
        received = received + x @ weights["residual.weight"].T + weights["residual.bias"]
    hidden = ACTIVATIONS[config.hidden_activation](received)
    dense = hidden @ weights["dense.weight"].T + weights["dense.bias"]
    return weights["factors"] + ACTIVATIONS[config.output_activation](dense)


def literal_grid(network, config, train=TRAIN):
    """σ of all scores [users, items]."""
    x_users, x_items = literal_features(train, config)
    graphs = [
        SIDE.graph(kind) if used else None
        for kind, used in (("user", config.user_graph), ("item", config.item_graph))
    ]
    p = literal_factors(network.users, x_users, graphs[0], config)
    q = literal_factors(network.items, x_items, graphs[1], config)
    offsets = network.users.offsets[:, None] + network.items.offsets[None, :] + network.bias
    return torch.sigmoid(p @ q.T + offsets)


def literal_loss(network, config, train=TRAIN):
    shares = literal_grid(network, config, train)[
        torch.tensor(train.users), torch.tensor(train.items)
    ]
    ratings = torch.tensor(train.ratings.copy())
    error = ((1 + 4 * shares - ratings) ** 2).mean() / 4**2
    penalty = 0
    for side in (network.users, network.items):
        weights = dict(side.named_parameters())
        names = ["kernel", "own", "other", "dense"] + ["residual"] * config.residual
        penalty = penalty + sum((weights[f"{name}.weight"] ** 2).sum() for name in names)
        penalty = penalty + (weights["factors"] ** 2).sum() + (weights["offsets"] ** 2).sum()
    return (1 - config.regularization) * error + config.regularization * penalty


@pytest.mark.parametrize("options", KINDS)
def test_loss_and_gradients_are_those_of_full_matrices(options):
    module = module_of(**options)
    network, config = module.network, module.config
    (batch,) = set(module.batches())
    ours = network.loss(batch, config.regularization)
    theirs = literal_loss(network, config)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    weights = dict(network.named_parameters())
    got, wanted = (torch.autograd.grad(loss, list(weights.values())) for loss in (ours, theirs))
    for name, mine, other in zip(weights, got, wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-12)
        # A softmax whose logits are all on one side of the kink depends on no bias.
        assert other.abs().max() > 1e-6 or name.endswith(("own.bias", "other.bias")), name
    assert len(weights) == 2 * (12 if config.residual else 10) + 1


def test_predictions_are_those_of_full_matrices():
    module = module_of()
    completer = MGGAT(module.config)
    completer._module = module
    wanted = 1 + 4 * literal_grid(module.network, module.config).detach().numpy()
    np.testing.assert_allclose(everyone(completer), wanted, rtol=1e-12)
    assert wanted.std() > 0.1


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_are_those_of_keras(name):
    x = torch.linspace(-3, 3, 13, dtype=torch.float64)
    side = module_of(hidden_activation=name, output_activation=name).network.users
    for activation in (side._in, side._out):
        torch.testing.assert_close(activation(x), ACTIVATIONS[name](x))


def test_training_follows_tensorflow_s_adam():
    completer, monitor = fit(trainer=DOUBLE)
    config = config_of()
    generator = torch.Generator().manual_seed(0)
    network = MGGATModule(TRAIN, SIDE, config, generator, torch.float64).network
    weights = list(network.parameters())
    first, second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
    losses = []
    for t in range(1, 7):
        step = 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        with torch.enable_grad():
            loss = literal_loss(network, config)
            slopes = torch.autograd.grad(loss, weights)
        losses.append(loss.item())
        with torch.no_grad():
            for weight, m, v, g in zip(weights, first, second, slopes, strict=True):
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                weight.sub_(step * m / (v.sqrt() + 1e-8))
    np.testing.assert_allclose(monitor.curves.loss, [np.mean(losses[:3]), np.mean(losses[3:])])
    for mine, other in zip(completer.module.network.parameters(), weights, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        everyone(completer), 1 + 4 * literal_grid(network, config).detach(), rtol=1e-6
    )


def test_initial_values_follow_the_official_code():
    generator = torch.Generator().manual_seed(0)
    module = MGGATModule(TRAIN, SIDE, config_of(hidden_size=400, rank=300), generator)
    for side, nodes, features in ((module.network.users, 12, 3), (module.network.items, 9, 4)):
        for weight, inputs, outputs in (
            (side.kernel.weight, features, 400),
            (side.residual.weight, features, 400),
            (side.own.weight, 400, 1),
            (side.other.weight, 400, 1),
            (side.dense.weight, 400, 300),
            (side.factors, nodes, 300),
        ):
            limit = math.sqrt(6 / (inputs + outputs))
            assert 0.98 * limit < weight.abs().max() <= limit
            assert weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.07)
        for layer in (side.kernel, side.residual, side.own, side.other, side.dense):
            assert not layer.bias.any()
        assert not side.offsets.any()
    assert module.network.bias == 0


def test_a_cold_user_is_predicted_from_attributes_and_neighbors():
    # Users of group a rate with 4 or 5, those of b with 1 or 2. Users 20, 21 and 22 have no
    # ratings: they are of group a, of group b, and of an unknown group with neighbors in a.
    users, items = np.indices((20, 8)).reshape(2, -1)
    ratings = np.where(users % 2, 1, 4) + (users + items) % 3 % 2
    train = RatingMatrix(users, items, ratings, (23, 8), (1, 5))
    graph = np.zeros((23, 23))
    graph[22, [0, 2, 4]] = graph[[0, 2, 4], 22] = 1
    groups = ["ab"[user % 2] for user in range(22)] + [None]
    side = SideInformation(
        {"user attributes": Attributes("user", {"group": groups}), "user graph": graph}
    )
    model = MGGAT(
        config_of(
            user_features=[{"attribute": "group", "encoding": "one_hot"}],
            item_features=[],
            item_graph=False,
            regularization=1e-3,
            learning_rate=0.03,
            epochs=4,
            steps=25,
        )
    )
    of_a, of_b, of_neighbors = everyone(model.fit(train, side=side), train.shape)[20:].mean(axis=1)
    assert of_a > of_neighbors > of_b + 0.4


def test_it_needs_what_its_options_name():
    assert MGGAT().needs == ("user attributes", "item attributes", "user graph", "item graph")
    assert MGGAT(user_features=[], item_graph=False).needs == ("item attributes", "user graph")
    none = MGGAT(user_features=[], item_features=[], user_graph=False, item_graph=False)
    assert none.needs == ()
    with pytest.raises(GlocalkError, match="MGGAT needs user attributes, item attributes, user"):
        MGGAT().fit(TRAIN)


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    whole, monitor = fit(epochs=4)
    fit(epochs=2, folder=tmp_path)
    resumed, continued = fit(epochs=4, folder=tmp_path)
    assert continued.curves == monitor.curves
    for name, tensor in whole.state().items():
        assert torch.equal(resumed.state()[name], tensor)


def test_a_model_with_named_features_is_loaded_without_side_information(tmp_path):
    model = MGGAT(config_of()).fit(TRAIN, side=SIDE)
    model.save(tmp_path / "model.pt")
    loaded = glocalk.load(tmp_path / "model.pt")
    assert loaded.config == model.config
    np.testing.assert_allclose(everyone(loaded), everyone(model), rtol=1e-6)


def test_predictions_stay_on_the_scale_and_follow_it():
    tens = RatingMatrix(TRAIN.users, TRAIN.items, TRAIN.ratings * 10 - 20, TRAIN.shape, (-10, 30))
    grid = everyone(fit(tens, trainer=DOUBLE)[0])
    np.testing.assert_allclose(grid, everyone(fit(trainer=DOUBLE)[0]) * 10 - 20, rtol=1e-9)
    assert ((grid > -10) & (grid < 30)).all()


def test_a_precision_other_than_single_or_double_is_refused():
    with pytest.raises(GlocalkError, match="MG-GAT computes in precision 32-true or 64-true"):
        fit(trainer={"precision": "bf16-true"})


def test_a_completer_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError, match="This MGGAT is not fitted: call fit first"):
        MGGAT().predict_pairs(np.array([0]), np.array([0]))


def test_the_example_in_the_docstring_runs():
    result = doctest.testmod(room)
    assert result.attempted > 0
    assert result.failed == 0
