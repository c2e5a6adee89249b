import doctest
import math

import numpy as np
import pytest
import torch
from scipy import sparse

import glocalk.completers.gc_mc.extra as room
from completers.gc_mc.full_matrices import Literal, gradients
from completers.kept import fit_kept
from glocalk.api import load_split, make_completer
from glocalk.completers.blocks.rated import rated
from glocalk.completers.gc_mc.extra import GCMCExtra, GCMCExtraConfig
from glocalk.completers.gc_mc.features import FeatureDense, feature_matrix
from glocalk.completers.gc_mc.gc_mc import GCMCModule
from glocalk.data.side import Attributes, SideInformation
from glocalk.errors import GlocalkError
from planted import planted
from sides import side_of

TRAIN, TEST = planted(num_users=12, num_items=9, density=0.6)  # the last of both has no rating
SIDE = side_of(TRAIN.shape)
USER_FEATURES = [
    {"attribute": "group", "encoding": "one_hot"},
    {"attribute": "tags", "encoding": "multi_hot"},
]


def config_of(**options):
    defaults = {
        "hidden_size": 15,
        "embedding_size": 4,
        "dropout": 0.5,
        "epochs": 2,
        "steps": 3,
        "user_features": USER_FEATURES,
        "item_features": "graph",
        "feature_size": 6,
    }
    return GCMCExtraConfig.check({**defaults, **options}, "model")


def features_of(config, side=SIDE, train=TRAIN):
    return [
        feature_matrix(kind, source, size, side)
        for kind, source, size in (
            ("user", config.user_features, train.num_users),
            ("item", config.item_features, train.num_items),
        )
    ]


def module_of(seed=0, **options):
    config = config_of(**options)
    features, size = features_of(config), config.feature_size

    def dense(*sizes):
        return FeatureDense(
            *sizes, features=features, rated=rated(TRAIN), size=size, dtype=torch.float64
        )

    generator = torch.Generator().manual_seed(seed)
    return GCMCModule(TRAIN, config, generator, torch.float64, dense).double()


def fit(train=TRAIN, seed=0, trainer=None, folder=None, side=SIDE, **options):
    return fit_kept(
        GCMCExtra,
        config_of(**options),
        train,
        TEST,
        seed=seed,
        trainer=trainer,
        folder=folder,
        side=side,
    )


class LiteralExtra(Literal):
    """With features as the official code has them: both sides padded with zeros to one width."""

    def __init__(self, train, features):
        super().__init__(train, "stack", "left")
        users, items = (torch.tensor(matrix.toarray()) for matrix in features)
        self.users = torch.cat([users, users.new_zeros(len(users), items.shape[1])], dim=1)
        self.items = torch.cat([items.new_zeros(len(items), users.shape[1]), items], dim=1)
        self.at = users.shape[1]
        self.known = [
            torch.tensor([index in set(indices.tolist()) for index in range(size)])
            for indices, size in zip((train.users, train.items), train.shape, strict=True)
        ]

    def embedded(self, network, h_users, h_items, units_users=1, units_items=1):
        embedded = []
        for layer, features, known, h, units in (
            (network.dense.users, self.users, self.known[0], h_users, units_users),
            (network.dense.items, self.items, self.known[1], h_items, units_items),
        ):
            hidden = torch.where(known[:, None], h, h[known].mean(dim=0))
            weight = torch.zeros(features.shape[1], layer.weight.shape[1], dtype=torch.float64)
            own = slice(self.at) if layer is network.dense.users else slice(self.at, None)
            weight[own] = layer.weight
            f = torch.clamp(features @ weight, min=0) + layer.bias
            embedded.append((torch.cat([hidden, f], dim=1) * units) @ layer.dense)
        return embedded


def test_rows_of_features_are_divided_by_their_sum_and_empty_ones_stay_zero():
    side = SideInformation(
        {
            "user attributes": Attributes(
                "user",
                {
                    "age": [20, 60, None],
                    "gender": ["F", "M", None],
                    "job": ["cook", "nurse", None],
                },
            ),
            "item graph": np.array([[1.0, 3, 0], [0, 0, 0], [2, 0, 0]]),
        }
    )
    source = GCMCExtraConfig.check(
        {
            "user_features": [
                {"attribute": "age", "encoding": "scaled", "divide_by": 80},
                {"attribute": "gender", "encoding": "flag", "value": "F"},
                {"attribute": "job", "encoding": "one_hot"},
            ]
        },
        "",
    ).user_features
    made = feature_matrix("user", source, 3, side).toarray()
    wanted = [[1 / 9, 4 / 9, 4 / 9, 0], [3 / 7, 0, 0, 4 / 7], [0, 0, 0, 0]]
    np.testing.assert_allclose(made, wanted)
    made = feature_matrix("item", "graph", 3, side).toarray()
    np.testing.assert_array_equal(made, [[0.25, 0.75, 0], [0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(feature_matrix("item", "identity", 3, side).toarray(), np.eye(3))
    assert feature_matrix("item", (), 3, side).shape == (3, 0)


def test_rows_whose_values_cancel_out_are_divided_by_their_absolute_sum():
    attributes = Attributes("user", {"a": [1.0, -3.0], "b": [-1.0, 1.0]})
    scaled = [{"attribute": name, "encoding": "scaled"} for name in "ab"]
    source = config_of(user_features=scaled).user_features
    made = feature_matrix("user", source, 2, SideInformation({"user attributes": attributes}))
    np.testing.assert_array_equal(made.toarray(), [[0.5, -0.5], [-0.75, 0.25]])


def test_the_layer_worked_by_hand():
    users = sparse.csr_array([[1.0, 0], [0.5, 0.5], [0, 0]])
    items = sparse.csr_array([[1.0]])
    known = np.array([True, True, False]), np.array([True])
    layer = FeatureDense(1, 1, torch.Generator(), features=(users, items), rated=known, size=2)
    with torch.no_grad():
        layer.users.weight.copy_(torch.tensor([[2.0, -4], [-6, 1]]))
        layer.users.bias.copy_(torch.tensor([-1.0, 0.5]))
        layer.users.dense.copy_(torch.tensor([[10.0], [1], [100]]))
        layer.items.weight.copy_(torch.tensor([[3.0, 4]]))
        layer.items.bias.copy_(torch.tensor([0.0, 1]))
        layer.items.dense.copy_(torch.tensor([[7.0], [1], [-1]]))
    z_users, z_items = layer(torch.tensor([[1.0], [2], [0]]), torch.tensor([[5.0]]))
    # f: ReLU(2, −4) + b = (1, .5); ReLU(−2, −1.5) + b = (−1, .5), below zero; b alone. The last
    # user has no ratings, and the mean h of the others.
    assert z_users.tolist() == [[10 + 1 + 50], [20 - 1 + 50], [15 - 1 + 50]]
    assert z_items.tolist() == [[35 + 3 - 5]]


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize("item_features", ["graph", "identity", ()])
def test_loss_and_gradient_are_those_of_full_padded_matrices(item_features, share):
    users, items = TRAIN.shape
    module = module_of(item_features=item_features)
    literal = LiteralExtra(TRAIN, features_of(config_of(item_features=item_features)))
    masks = None
    if share:
        torch.manual_seed(3)
        nodes = [(torch.rand(size) >= share).double() / 0.7 for size in (users, items)]
        # One mask for h and f: 15 and 6 units.
        units = [
            (torch.rand(size, 21, dtype=torch.float64) >= share).double() / 0.7
            for size in (users, items)
        ]
        masks = (*nodes, *units)
    torch.manual_seed(3)
    ours = module.network.loss(module.graph, share)
    theirs = literal.loss(module.network, masks)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    got, wanted = gradients(ours, module.network), gradients(theirs, module.network)
    assert len(got) == 4 + 6
    for mine, other in zip(got, wanted, strict=True):
        assert not other.numel() or other.abs().max() > 0
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


def test_initial_values_follow_the_official_code():
    users, items = sparse.csr_array((3, 200)), sparse.csr_array((4, 300))
    known = np.ones(3, bool), np.ones(4, bool)
    layer = FeatureDense(
        500, 75, torch.Generator(), features=(users, items), rated=known, size=2000
    )
    for side in (layer.users, layer.items):
        for weights, inputs, outputs in ((side.weight, 500, 2000), (side.dense, 2500, 75)):
            limit = math.sqrt(6 / (inputs + outputs))
            assert 0.99 * limit < weights.abs().max() <= limit
            assert weights.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.01)
        assert 0.9 < side.bias.abs().max() <= 1  # two deviations
        assert side.bias.std().item() == pytest.approx(0.5 * 0.8796, rel=0.05)
    assert not torch.equal(layer.users.dense, layer.items.dense)


def test_it_needs_what_its_features_are_made_from():
    assert GCMCExtra().needs == ("user graph", "item graph")
    assert GCMCExtra(config_of()).needs == ("user attributes", "item graph")
    assert GCMCExtra(user_features="identity", item_features=[]).needs == ()


def test_a_wrong_source_of_features_is_refused_in_a_sentence():
    with pytest.raises(GlocalkError, match=r"^Option 'user_features' cannot be 'grpah': choose gr"):
        GCMCExtra(user_features="grpah")
    with pytest.raises(GlocalkError, match=r"attributes\.0\.centre': did you mean 'center'\?$"):
        GCMCExtra(user_features=[{"attribute": "age", "encoding": "scaled", "centre": 3}])
    with pytest.raises(GlocalkError, match=r"^The users have no attribute 'age': did you mean"):
        fit(user_features=[{"attribute": "age", "encoding": "scaled"}])


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    whole, monitor = fit(epochs=4)
    fit(epochs=2, folder=tmp_path)
    resumed, continued = fit(epochs=4, folder=tmp_path)
    assert continued.curves == monitor.curves
    for name, tensor in whole.state().items():
        assert torch.equal(resumed.state()[name], tensor)


def test_predictions_are_those_of_the_averaged_network_also_for_the_unrated():
    completer, _ = fit(trainer={"precision": "64-true"}, epochs=3, steps=10)
    network = completer.module.average.network
    literal = LiteralExtra(TRAIN, features_of(config_of()))
    convolution, decoder = network.convolution, network.decoder
    with torch.no_grad():
        z = literal.embedded(network, *literal.hidden(convolution.users, convolution.items))
        scores = literal.scores(*z, decoder.bases, decoder.coefficients)
        wanted = scores.softmax(dim=2) @ torch.tensor(literal.values, dtype=torch.float64)
    grid = completer.predict_grid(np.arange(TRAIN.num_users), np.arange(TRAIN.num_items))
    np.testing.assert_allclose(grid, wanted, rtol=1e-9)
    assert np.ptp(grid[-1]) > 0.01  # a user without ratings: not one constant
    assert np.ptp(grid[:, -1]) > 0.01  # an item without


def official_features(data):
    """The features of both sides, as `conf/settings` has them for a data set."""
    completer, split = make_completer("gc_mc_extra", data=data), load_split(data)
    return features_of(completer.config, split.side, split.train), split


@pytest.mark.data("ml-100k")
def test_the_features_of_ml_100k_are_those_of_the_official_code():
    (users, items), split = official_features("ml_100k")
    assert (users.shape, items.shape) == ((943, 23), (1682, 18))
    np.testing.assert_allclose(users.sum(axis=1), 1)
    # User 1 is a technician of 24, user 2 a woman of 53 of another occupation.
    one, two = users.toarray()[split.ids.find_users([1, 2])]
    np.testing.assert_allclose(np.sort(one)[-3:], np.array([0, 24 / 73, 1]) / (24 / 73 + 1))
    assert (one[0], one[1]) == (pytest.approx(24 / 97), 0)
    assert (two[0], two[1]) == (pytest.approx(53 / 199), pytest.approx(73 / 199))
    # Item 1 has three genres; items 267 and 1373 have none but `unknown`.
    at = split.ids.find_items([1, 267, 1373])
    np.testing.assert_allclose(np.sort(items.toarray()[at[0]])[-4:], [0, 1 / 3, 1 / 3, 1 / 3])
    assert set(np.flatnonzero(items.sum(axis=1) == 0)) == set(at[1:])


@pytest.mark.data("douban")
def test_the_features_of_douban_are_those_of_the_official_code():
    (users, items), _ = official_features("douban")
    assert users.nnz == 2690
    assert (np.diff(users.indptr) == 0).sum() == 1831
    np.testing.assert_array_equal(np.unique(np.round(users.sum(axis=1), 12)), [0, 1])
    assert (items != sparse.eye_array(3000)).nnz == 0


def test_the_example_in_the_docstring_runs():
    result = doctest.testmod(room)
    assert result.attempted > 0
    assert result.failed == 0
