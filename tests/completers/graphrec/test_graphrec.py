import doctest

import numpy as np
import pytest
import torch

import glocalk.completers.graphrec.graphrec as room
from completers.kept import fit_kept
from glocalk.completers.graphrec.features import GraphFeatures, transposed_matmul
from glocalk.completers.graphrec.graphrec import (
    Batch,
    GraphRec,
    GraphRecConfig,
    GraphRecModule,
)
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError, NotFittedError
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext
from planted import planted

TRAIN, TEST = planted(num_users=12, num_items=9, density=0.6)  # the last of both has no rating
DOUBLE = {"precision": "64-true"}


def config_of(**options):
    defaults = {
        "rank": 4,
        "user_regularization": 0.3,
        "item_regularization": 0.7,
        "learning_rate": 0.01,
        "batch_size": 10,
        "epochs": 2,
        "budget": 1.0,
    }
    return GraphRecConfig.check({**defaults, **options}, "model")


def module_of(train=TRAIN, seed=0, spread=30, **options):
    """In double precision; weights so far from 0 that embeddings are of the ratings' size."""
    generator = torch.Generator().manual_seed(seed)
    module = GraphRecModule(train, config_of(**options), generator, torch.float64)
    with torch.no_grad():
        for side in (module.users, module.items):
            side.weight.mul_(spread)
            side.bias.add_(torch.linspace(-0.5, 0.8, len(side.bias), dtype=torch.float64))
    return module


def fit(train=TRAIN, seed=0, trainer=None, folder=None, **options):
    config = config_of(**options)
    return fit_kept(GraphRec, config, train, TEST, seed=seed, trainer=trainer, folder=folder)


def everyone(completer, shape=TRAIN.shape):
    return completer.predict_grid(*(np.arange(size) for size in shape))


def full(features):
    """X as a full array, from its entries one by one."""
    dense = np.zeros(features.shape)
    matrix = features.matrix
    for row in range(features.shape[0]):
        for k in range(matrix.starts[row], matrix.stops[row]):
            dense[row, matrix.columns[k]] += matrix.values[k]
    return dense


def dense_features(train, highest):
    """X of users and of items as the official code makes them, from a rating at a time."""
    users, items = train.shape
    adjacency, by_user, by_item = np.zeros((users, items)), np.zeros(users), np.zeros(items)
    for user, item, rating in zip(train.users, train.items, train.ratings, strict=True):
        adjacency[user, item] = rating / highest
        by_user[user] += 1
        by_item[item] += 1
    return (
        np.hstack([np.eye(users), adjacency, by_user[:, None] / by_user.max()]),
        np.hstack([np.eye(items), adjacency.T, by_item[:, None] / by_item.max()]),
    )


def literal_loss(weights, features, batch, config):
    """½ Σ (r − hᵤ·hᵢ)² and the penalty of full matrices; `batch` holds users, items, ratings.

    `weights` are V, b, W, c.
    """
    users, items, ratings = batch
    hidden = []
    for nodes, x, weight, bias in (
        (users, features[0], *weights[:2]),
        (items, features[1], *weights[2:]),
    ):
        z = torch.from_numpy(x)[nodes] @ weight + bias
        hidden.append(torch.cat([z.clamp(min=0), (-z).clamp(min=0)], dim=1))
    errors = (hidden[0] * hidden[1]).sum(dim=1) - ratings
    penalties = config.user_regularization * (hidden[0] ** 2).sum()
    penalties = penalties + config.item_regularization * (hidden[1] ** 2).sum()
    return (errors**2).sum() / 2 + penalties / 2


def batch_of(train, positions):
    return Batch(
        *(torch.tensor(part[positions]) for part in (train.users, train.items, train.ratings))
    )


def test_graph_features_worked_by_hand():
    # User 0 rates item 0 with 5 and item 2 with 2, user 1 item 2 with 4; nobody rates item 1.
    users, items, strengths = np.array([0, 0, 1]), np.array([0, 2, 2]), np.array([1, 0.4, 0.8])
    of_users = GraphFeatures(users, items, strengths, (2, 3), torch.float64)
    of_items = GraphFeatures(items, users, strengths, (3, 2), torch.float64)
    assert full(of_users).tolist() == [[1, 0, 1, 0, 0.4, 1], [0, 1, 0, 0, 0.8, 0.5]]
    assert full(of_items).tolist() == [
        [1, 0, 0, 1, 0, 0.5],
        [0, 1, 0, 0, 0, 0],
        [0, 0, 1, 0.4, 0.8, 1],
    ]


def test_features_are_those_of_the_official_code_from_training_ratings_alone():
    module = module_of()
    wanted = dense_features(TRAIN, 5)
    for features, dense in zip((module.user_features, module.item_features), wanted, strict=True):
        np.testing.assert_allclose(full(features), dense, rtol=1e-12)
    users, items = TRAIN.shape
    assert len(TEST) > 5
    assert not full(module.user_features)[TEST.users, users + TEST.items].any()
    assert not full(module.item_features)[TEST.items, items + TEST.users].any()


def test_no_held_out_rating_reaches_the_training():
    wanted = everyone(fit()[0])
    flipped = RatingMatrix(TEST.users, TEST.items, 6 - TEST.ratings, TEST.shape, TEST.scale)
    completer = GraphRec(config_of())
    observer = Monitor(flipped, flipped).observer()
    completer.fit(TRAIN, context=FitContext(seed=0, observer=observer))
    np.testing.assert_array_equal(everyone(completer), wanted)


def test_both_products_of_features_and_weights_have_the_values_and_gradients_of_full_matrices():
    features = module_of().user_features
    rng = np.random.default_rng(0)
    weight = torch.tensor(rng.normal(size=(features.shape[1], 3)), requires_grad=True)
    upstream = torch.tensor(rng.normal(size=(4, 3)))
    nodes = torch.tensor([7, 0, 11, 3])
    dense = torch.from_numpy(full(features))[nodes]
    for product in (features.product, features.product_by_torch):
        made = product(nodes, weight)
        torch.testing.assert_close(made, dense @ weight, rtol=1e-12, atol=1e-12)
        (gradient,) = torch.autograd.grad((made * upstream).sum(), weight)
        torch.testing.assert_close(gradient, dense.T @ upstream, rtol=1e-12, atol=1e-12)


def test_the_division_of_the_columns_changes_no_bit():
    rng = np.random.default_rng(0)
    features = module_of().item_features
    dense = rng.normal(size=(features.shape[0], 5))
    whole = transposed_matmul(features.matrix, dense, np.array([0, features.shape[1]]))
    np.testing.assert_allclose(whole, full(features).T @ dense, rtol=1e-12, atol=1e-12)
    for parts in (features.parts, np.array([0, 0, 3, 4, features.shape[1]])):
        np.testing.assert_array_equal(transposed_matmul(features.matrix, dense, parts), whole)


def test_predictions_are_those_of_full_matrices():
    module = module_of()
    completer = GraphRec(module.config)
    completer._module = module
    x_users, x_items = dense_features(TRAIN, 5)
    (v, b), (w, c) = (
        (side.weight.detach().numpy(), side.bias.detach().numpy())
        for side in (module.users, module.items)
    )
    z_users, z_items = x_users @ v + b, x_items @ w + c
    wanted = np.zeros(TRAIN.shape)
    for user in range(TRAIN.num_users):
        for item in range(TRAIN.num_items):
            for a, d in zip(z_users[user], z_items[item], strict=True):
                wanted[user, item] += max(a, 0) * max(d, 0) + max(-a, 0) * max(-d, 0)
    assert wanted[:-1, :-1].std() > 0.1
    # The last user and the last item have no ratings: see below.
    np.testing.assert_allclose(everyone(completer)[:-1, :-1], wanted[:-1, :-1], rtol=1e-10)


def test_loss_and_gradients_are_those_of_full_matrices():
    module = module_of()
    batch = batch_of(TRAIN, [3, 17, 3, 0, 29, 8, 3, 17])  # some ratings more than once
    ours = module.loss(batch)
    weights = list(module.parameters())
    theirs = literal_loss(weights, dense_features(TRAIN, 5), batch, module.config)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    got, wanted = (torch.autograd.grad(loss, weights) for loss in (ours, theirs))
    assert len(got) == 4
    for mine, other in zip(got, wanted, strict=True):
        assert other.abs().max() > 0
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


def test_the_penalty_worked_by_hand():
    # One rating, 4 of 5: x = (1, .8, 1) on both sides.
    one = RatingMatrix(np.array([0]), np.array([0]), np.array([4.0]), (1, 1), (1, 5))
    module = module_of(one, rank=2, user_regularization=0.5, item_regularization=0.1)
    with torch.no_grad():
        module.users.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 5.0], [1.0, -6.0]]))
        module.users.bias.copy_(torch.tensor([0.0, 1.0]))
        module.items.weight.copy_(torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 1.0]]))
        module.items.bias.copy_(torch.tensor([0.5, 1.0]))
    # z of the user (2, −1), of the item (1.5, 3): 2 · 1.5 is predicted, the signs of the others
    # differ.
    error, penalty = 3 - 4, 0.5 * (2**2 + 1**2) + 0.1 * (1.5**2 + 3**2)
    assert module.loss(batch_of(one, [0])).item() == pytest.approx((error**2 + penalty) / 2)
    # Once for every rating of the batch, also where they are the same.
    thrice = module.loss(batch_of(one, [0, 0, 0])).item()
    assert thrice == pytest.approx(3 * (error**2 + penalty) / 2)


def test_training_is_adam_on_full_matrices():
    options = {"epochs": 2, "batch_size": 20}
    updates = len(TRAIN) // 20
    assert updates >= 2
    completer, monitor = fit(trainer=DOUBLE, **options)

    config = config_of(**options)
    start = GraphRecModule(TRAIN, config, torch.Generator().manual_seed(0), torch.float64)
    weights = [weight.detach().clone().requires_grad_() for weight in start.parameters()]
    first, second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
    features, t, losses = dense_features(TRAIN, 5), 0, []
    for epoch in range(2):
        entropy = np.random.SeedSequence([0, epoch, *b"train"])
        torch.manual_seed(int(entropy.generate_state(1)[0]))
        total = 0.0
        for _ in range(updates):
            t += 1
            first_share, second_share = 1 - 0.9**t, 1 - 0.999**t
            positions = torch.randint(len(TRAIN), (20,)).numpy()
            loss = literal_loss(weights, features, batch_of(TRAIN, positions), config)
            total += loss.item()
            slopes = torch.autograd.grad(loss, weights)
            with torch.no_grad():
                for weight, m, v, g in zip(weights, first, second, slopes, strict=True):
                    m.mul_(0.9).add_(0.1 * g)
                    v.mul_(0.999).add_(0.001 * g * g)
                    weight.sub_(0.01 * (m / first_share) / ((v / second_share).sqrt() + 1e-8))
        losses.append(total / updates)
    np.testing.assert_allclose(monitor.curves.loss, losses, rtol=1e-6)
    for mine, other in zip(completer.module.parameters(), weights, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


def test_an_epoch_has_as_many_batches_as_the_ratings_fill():
    size = len(TRAIN) // 3
    module = module_of(batch_size=size)
    torch.manual_seed(0)
    triples = set(zip(*batch_of(TRAIN, slice(None)), strict=True))
    triples = {tuple(value.item() for value in triple) for triple in triples}
    seen, batches = set(), []
    for _ in range(2):
        (epoch,) = module.batches()
        assert epoch.users.shape == epoch.items.shape == epoch.ratings.shape == (3, size)
        for batch in zip(*epoch, strict=True):
            drawn = list(zip(*(part.tolist() for part in batch), strict=True))
            batches.append(tuple(drawn))
            seen |= set(drawn)
    assert seen <= triples
    assert len(seen) > 0.7 * len(TRAIN)  # all but e⁻² are expected
    assert len(set(batches)) == 6
    assert any(len(set(batch)) < size for batch in batches)  # with replacement
    (epoch,) = module_of(batch_size=3 * len(TRAIN)).batches()  # more than there are
    assert epoch.users.shape == (1, 3 * len(TRAIN))


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    whole, monitor = fit(epochs=4)
    fit(epochs=2, folder=tmp_path)
    resumed, continued = fit(epochs=4, folder=tmp_path)
    assert continued.curves == monitor.curves
    assert continued.curves.epoch == [1, 2, 3, 4]
    for name, tensor in whole.state().items():
        assert torch.equal(resumed.state()[name], tensor)


def test_initial_values_follow_the_official_code():
    module = GraphRecModule(TRAIN, config_of(rank=500), torch.Generator().manual_seed(0))
    for side in (module.users, module.items):
        assert side.weight.shape == (sum(TRAIN.shape) + 1, 500)
        assert side.weight.mean().item() == pytest.approx(0, abs=5e-4)  # 5 σ
        assert side.weight.std().item() == pytest.approx(0.01, rel=0.04)
        assert not side.bias.any()
    assert not torch.equal(module.users.weight, module.items.weight)


def test_pairs_without_training_ratings_are_predicted_the_mean():
    completer, _ = fit(trainer=DOUBLE, epochs=3)
    grid, mean = everyone(completer), TRAIN.ratings.mean()
    np.testing.assert_allclose(grid[-1], mean, rtol=1e-12)
    np.testing.assert_allclose(grid[:, -1], mean, rtol=1e-12)
    assert not np.isclose(grid[:-1, :-1], mean, rtol=1e-6).any()


def test_it_learns_a_scale_below_zero():
    shifted = RatingMatrix(TRAIN.users, TRAIN.items, TRAIN.ratings - 5, TRAIN.shape, (-5, 0))
    completer, _ = fit(shifted, epochs=25, learning_rate=0.03)
    grid = everyone(completer)
    assert grid.min() >= -5
    errors = grid[TRAIN.users, TRAIN.items] - shifted.ratings
    assert np.sqrt(np.mean(errors**2)) < shifted.ratings.std()
    # It learns from r + 5, at most 5: the same numbers as those of a scale 0 … 5.
    same = RatingMatrix(TRAIN.users, TRAIN.items, TRAIN.ratings, TRAIN.shape, (0, 5))
    np.testing.assert_allclose(
        everyone(fit(same, epochs=3)[0]) - 5, everyone(fit(shifted, epochs=3)[0]), atol=1e-5
    )


def test_the_adjacency_is_divided_by_the_highest_rating_of_the_scale():
    half_stars = RatingMatrix(TRAIN.users, TRAIN.items, TRAIN.ratings / 2, TRAIN.shape, (0.5, 4))
    features = full(module_of(half_stars).user_features)
    wanted = TRAIN.ratings / 2 / 4
    np.testing.assert_allclose(features[TRAIN.users, TRAIN.num_users + TRAIN.items], wanted)


def test_a_precision_without_compiled_loops_is_refused():
    with pytest.raises(GlocalkError, match="32-true or 64-true, not in bf16-true"):
        fit(trainer={"precision": "bf16-true"})


def test_a_completer_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError, match="This GraphRec is not fitted: call fit first"):
        GraphRec().predict_pairs(np.array([0]), np.array([0]))


def test_the_example_in_the_docstring_runs():
    result = doctest.testmod(room)
    assert result.attempted > 0
    assert result.failed == 0
