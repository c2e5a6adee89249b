import doctest
import itertools
import math

import numpy as np
import pytest
import torch

import glocalk.completers.cf_nade.cf_nade as room
from completers.kept import fit_kept
from glocalk.completers.cf_nade.batches import LeveledRatings
from glocalk.completers.cf_nade.cf_nade import CFNADE, CFNADEConfig, CFNADEModule
from glocalk.completers.cf_nade.entries import (
    Entries,
    gathered_input_sums,
    gathered_level_scores,
    input_sums,
    level_scores,
    ordinal_cost,
)
from glocalk.completers.cf_nade.network import CFNADENetwork
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError, NotFittedError
from planted import planted

TRAIN, TEST = planted(num_users=12, num_items=9, density=0.6)  # the last of both has no rating


def config_of(**options):
    defaults = {
        "hidden_size": 7,
        "ordinal_weight": 1.0,
        "smoothing": 0.1,
        "batch_size": 4,
        "learning_rate": 0.01,
        "weight_decay": 0.02,
        "averaging": 0.9,
        "epochs": 2,
        "passes": 2,
    }
    return CFNADEConfig.check({**defaults, **options}, "model")


def network_of(train=TRAIN, seed=0, **options):
    """In double precision; no parameters are 0 except those of users without ratings."""
    generator, config = torch.Generator().manual_seed(seed), config_of(**options)
    network = CFNADENetwork(
        LeveledRatings(train).histogram(), config.hidden_size, config.smoothing, generator
    ).double()
    with torch.no_grad():
        network.hidden_bias.uniform_(-0.5, 0.5, generator=generator)
    return network


def fit(train=TRAIN, seed=0, trainer=None, folder=None, **options):
    config = config_of(**options)
    return fit_kept(CFNADE, config, train, TEST, seed=seed, trainer=trainer, folder=folder)


def entries_of(triples, num_items):
    """Entries of (user, item, level) triples, given in any order."""
    ordered = sorted(triples, key=lambda triple: (triple[0], triple[2], triple[1]))
    columns = np.array(ordered, dtype=np.int64).reshape(-1, 3).T
    return Entries(*(torch.tensor(column.copy()) for column in columns), num_items)


def triples_of(entries):
    return list(
        zip(entries.users.tolist(), entries.items.tolist(), entries.levels.tolist(), strict=True)
    )


def batches_of(train=TRAIN, batch_size=4, seed=0):
    return list(LeveledRatings(train).split(batch_size, np.random.default_rng(seed)))


def literal_loss(network, batch, weight_decay, ordinal_weight):
    """The equations with full one-hot matrices [items, users, levels], by autograd."""
    users, levels, _ = network.input_weight.shape
    size = len(batch.weights)
    given, asked = torch.zeros(2, size, users, levels, dtype=torch.float64)
    for u, i, level in triples_of(batch.given):
        given[i, u, : level + 1] = 1  # levels up to the rating
    for u, i, level in triples_of(batch.asked):
        asked[i, u, level] = 1
    hidden = torch.einsum("iuk,ukh->ih", given, network.input_weight)
    hidden = hidden + torch.einsum("iu,uh->ih", given.sum(dim=2), network.shared_weight)
    hidden = torch.tanh(hidden + network.hidden_bias)
    scores = torch.einsum("ih,ukh->iuk", hidden, network.output_weight) + network.output_bias
    p = torch.exp(scores.cumsum(dim=2))
    p = p / p.sum(dim=2, keepdim=True)
    down = torch.log(p) - torch.log(p.cumsum(dim=2))
    up = torch.log(p) - torch.log(p.flip(2).cumsum(dim=2).flip(2))
    at_most, at_least = asked.flip(2).cumsum(dim=2).flip(2), asked.cumsum(dim=2)
    ordinal = -(down * at_most + up * at_least)
    costs = ordinal_weight * ordinal - (1 - ordinal_weight) * asked * torch.log(p)
    seen, unseen = given[:, :, 0].sum(dim=1), asked.sum(dim=(1, 2))
    share = (seen + unseen) / unseen.clamp(min=1)  # D / (D − d + 1)
    loss = (costs.sum(dim=(1, 2)) * share).mean()
    weights = (network.input_weight, network.shared_weight, network.output_weight)
    return loss + weight_decay * sum((weight**2).sum() for weight in weights)


def gradients(loss, network):
    return torch.autograd.grad(loss, list(network.parameters()))


def random_entries(seed=0, users=30, items=11, levels=6, width=5):
    """(entries, weight, shared, bias, hidden): users of many ratings and of none, in float64."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation((users - 5) * (items - 1))[:120]
    triples = [(c // (items - 1), c % (items - 1), int(rng.integers(levels))) for c in cells]
    shapes = (users, levels, width), (users, width), (users, levels), (items, width)
    tensors = [torch.tensor(rng.normal(size=shape)).requires_grad_() for shape in shapes]
    return entries_of(triples, items), *tensors


def test_a_rating_uses_the_input_weights_of_all_levels_up_to_its_own():
    entries, weight, shared, *_ = random_entries()
    wanted = np.zeros((11, 5))
    for u, i, level in triples_of(entries):
        for k in range(level + 1):
            for j in range(5):
                wanted[i, j] += weight[u, k, j].item() + shared[u, j].item()
    sums = input_sums(entries, weight, shared)
    np.testing.assert_allclose(sums.detach(), wanted, rtol=1e-12, atol=1e-12)
    assert not sums[-1].any()  # an item without ratings


def test_scores_are_the_products_of_each_rating_and_level():
    entries, weight, _, bias, hidden = random_entries()
    scores = level_scores(entries, hidden, weight, bias)
    for n, (u, i, _) in enumerate(triples_of(entries)):
        for k in range(6):
            wanted = bias[u, k].item()
            wanted += sum(hidden[i, j].item() * weight[u, k, j].item() for j in range(5))
            assert scores[k, n].item() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_compiled_values_and_gradients_are_those_of_torch_operations(dtype):
    entries, *tensors = random_entries(seed=1)
    weight, shared, bias, hidden = (t.detach().to(dtype).requires_grad_() for t in tensors)
    for ours, theirs, arguments in (
        (input_sums, gathered_input_sums, (weight, shared)),
        (level_scores, gathered_level_scores, (hidden, weight, bias)),
    ):
        mine, other = ours(entries, *arguments), theirs(entries, *arguments)
        tolerance = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {}
        torch.testing.assert_close(mine, other, **tolerance)
        slope = torch.randn(mine.shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
        for a, b in zip(
            torch.autograd.grad(mine, arguments, slope),
            torch.autograd.grad(other, arguments, slope),
            strict=True,
        ):
            assert b.abs().max() > 0
            torch.testing.assert_close(a, b, **tolerance)


def test_the_ordinal_cost_prefers_near_levels_to_far_ones():
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(scale=3, size=(5, 40)), rng.integers(5, size=40)
    costs = ordinal_cost(torch.tensor(scores), torch.tensor(labels))
    for n, label in enumerate(labels):
        e = [math.exp(score) for score in scores[:, n]]
        probability = 1.0
        for j in range(label, -1, -1):
            probability *= e[j] / sum(e[: j + 1])
        for j in range(label, 5):
            probability *= e[j] / sum(e[j:])
        assert costs[n].item() == pytest.approx(-math.log(probability), rel=1e-9)


def test_the_ordinal_cost_of_scores_far_apart_is_finite():
    scores = torch.tensor([[-500.0], [0.0], [300.0]], requires_grad=True)
    cost = ordinal_cost(scores, torch.tensor([0]))
    # Of level 0: preferred to both above (800), then 1 to 2 (300); nothing lies below.
    assert cost.item() == pytest.approx(1100)
    cost.sum().backward()
    torch.testing.assert_close(scores.grad[:, 0], torch.tensor([-1.0, -1.0, 2.0]))


def test_the_conditionals_are_a_distribution_over_all_ratings_of_an_item():
    # Σ over all rating vectors of Π_d p(r_d | r_{<d}) = 1, in any order of the users.
    network = network_of()
    levels = 5
    total = 0.0
    for vector in itertools.product(range(levels), repeat=3):
        probability = 1.0
        order = (4, 0, 7)
        for d, user in enumerate(order):
            given = entries_of([(order[j], 0, vector[j]) for j in range(d)], 1)
            asked = entries_of([(user, 0, 0)], 1)
            p = network.scores(network.hidden(given), asked).softmax(dim=0)
            probability *= p[vector[d], 0].item()
        total += probability
    assert total == pytest.approx(1, rel=1e-12)


def test_the_ratings_asked_for_do_not_change_their_scores():
    network = network_of()
    batch = batches_of()[0]
    hidden = network.hidden(batch.given)
    scores = network.scores(hidden, batch.asked)
    changed = entries_of([(u, i, 4 - level) for u, i, level in triples_of(batch.asked)], 4)
    assert not torch.equal(changed.levels, batch.asked.levels)
    same = network.scores(hidden, changed)
    # Another level may be another place among the user's entries.
    for n, (u, i, _) in enumerate(triples_of(batch.asked)):
        (m,) = (m for m, (v, j, _) in enumerate(triples_of(changed)) if (v, j) == (u, i))
        torch.testing.assert_close(same[:, m], scores[:, n], rtol=0, atol=0)
    # The cost is on them: each conditional's slope by the hidden units is its own item's alone.
    n, item = 0, triples_of(batch.asked)[0][1]
    (slope,) = torch.autograd.grad(scores[:, n].sum(), hidden)
    assert slope[item].any()
    assert not slope[[i for i in range(len(slope)) if i != item]].any()


def test_each_pass_splits_the_ratings_of_every_item_into_given_and_asked():
    seen = []
    for seed in range(20):
        batches = batches_of(seed=seed)
        assert [len(batch.weights) for batch in batches] == [4, 4, 1]
        left = {}
        for number_of_batch, batch in enumerate(batches):
            for i, weight in enumerate(batch.weights.tolist()):
                parts = [
                    {(u, level) for u, j, level in triples_of(entries) if j == i}
                    for entries in (batch.given, batch.asked)
                ]
                given, asked = (len(part) for part in parts)
                assert not parts[0] & parts[1]
                assert asked > 0 or given == 0  # d ≤ D
                assert weight == pytest.approx((given + asked) / max(asked, 1))
                left[number_of_batch, i] = frozenset(parts[0] | parts[1])
            for entries in (batch.given, batch.asked):
                users, levels = entries.users.tolist(), entries.levels.tolist()
                keys = list(zip(users, levels, strict=True))
                assert keys == sorted(keys)
        wanted = {i: set() for i in range(TRAIN.num_items)}
        for u, i, r in zip(TRAIN.users, TRAIN.items, TRAIN.ratings, strict=True):
            wanted[i].add((u, int(r) - 1))
        assert sorted(map(sorted, left.values())) == sorted(map(sorted, wanted.values()))
        seen.append(tuple(left.values()))
    assert len(set(seen)) == 20  # the items' order differs


def test_the_number_of_given_ratings_and_their_users_are_uniform():
    # One item with four ratings, alike in level: d − 1 is 0 … 3, and each user given 3 / 8.
    each = np.arange(4)
    train = RatingMatrix(each, 0 * each, 3.0 + 0 * each, (4, 1), (1, 5))
    ratings, rng = LeveledRatings(train), np.random.default_rng(0)
    counts, given = np.zeros(4), np.zeros(4)
    trials = 2000
    for _ in range(trials):
        (batch,) = ratings.split(8, rng)
        counts[len(batch.given.users)] += 1
        given[batch.given.users.numpy()] += 1
    np.testing.assert_allclose(counts / trials, 1 / 4, atol=0.039)  # 4 σ
    np.testing.assert_allclose(given / trials, 3 / 8, atol=0.044)


@pytest.mark.parametrize("ordinal_weight", [1.0, 0.3, 0.0])
def test_loss_and_gradient_are_those_of_full_matrices(ordinal_weight):
    network = network_of()
    for batch in batches_of(seed=3):
        ours = network.cost(batch, ordinal_weight)
        theirs = literal_loss(network, batch, 0.0, ordinal_weight)
        assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
        for mine, other in zip(gradients(ours, network), gradients(theirs, network), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)
    assert gradients(network.cost(batches_of(batch_size=9)[0], 1.0), network)[0].any()


def test_training_follows_the_official_code_s_adam(monkeypatch):
    drawn = []
    split = LeveledRatings.split

    def recorded(*arguments):
        for batch in split(*arguments):
            drawn.append(batch)
            yield batch

    monkeypatch.setattr(LeveledRatings, "split", recorded)
    options = {"learning_rate": 0.003, "averaging": 0.8, "epochs": 2, "passes": 3}
    completer, _ = fit(trainer={"precision": "64-true"}, **options)
    assert len(drawn) == 2 * 3 * 3  # 9 items in batches of 4

    generator = torch.Generator().manual_seed(0)
    network = CFNADEModule(TRAIN, config_of(**options), generator).network.double()
    weights = list(network.parameters())
    averages = [weight.detach().clone() for weight in weights]
    first, second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
    for t, batch in enumerate(drawn, start=1):
        slopes = gradients(literal_loss(network, batch, 0.02, 1.0), network)
        b1, b2 = 0.1, 0.001  # 1 − β, which the official code corrects by as if they were β
        step = 0.003 * math.sqrt(1 - b2**t) / (1 - b1**t)
        with torch.no_grad():
            for weight, average, m, v, g in zip(
                weights, averages, first, second, slopes, strict=True
            ):
                m.mul_(1 - b1).add_(b1 * g)
                v.mul_(1 - b2).add_(b2 * g * g)
                weight.sub_(step * m / (v.sqrt() + 1e-8))
                average.mul_(0.8).add_(0.2 * weight)
    module = completer.module
    for mine, other in zip(module.network.parameters(), weights, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-9)
    for mine, other in zip(module.average.network.parameters(), averages, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-9)


def test_a_prediction_is_the_mean_of_the_levels_given_all_training_ratings():
    completer, _ = fit(trainer={"precision": "64-true"})
    network = completer.module.average.network
    weight, shared, c, v, b = (parameter.tolist() for parameter in network.parameters())
    users, items, ratings = TRAIN.users, TRAIN.items, TRAIN.ratings
    for user, item in ((0, 0), (3, 5), (7, 2)):
        hidden = list(c)
        for u, i, r in zip(users, items, ratings, strict=True):
            if i == item:
                for k in range(int(r)):
                    for j in range(7):
                        hidden[j] += weight[u][k][j] + shared[u][j]
        hidden = [math.tanh(x) for x in hidden]
        raw = [
            sum(map(math.prod, zip(v[user][k], hidden, strict=True))) + b[user][k] for k in range(5)
        ]
        odds = [math.exp(sum(raw[: k + 1])) for k in range(5)]
        wanted = sum(odd * (k + 1) for k, odd in enumerate(odds)) / sum(odds)
        predicted = completer.predict_pairs(np.array([user]), np.array([item]))
        assert predicted[0] == pytest.approx(wanted, rel=1e-9)


def test_initial_biases_predict_each_user_s_shares_of_levels():
    network = network_of(smoothing=1e-8)
    for user in range(TRAIN.num_users - 1):
        ratings = TRAIN.ratings[TRAIN.users == user]
        p = network.output_bias[user].cumsum(dim=0).softmax(dim=0)
        wanted = [np.mean(ratings == level) for level in (1, 2, 3, 4, 5)]
        np.testing.assert_allclose(p.detach(), wanted, atol=1e-6)


def test_initial_weights_follow_the_official_code():
    network = network_of(hidden_size=500)
    limit = math.sqrt(6 / (TRAIN.num_users + 500))
    rated = network.output_weight[:-1]
    for weight in (network.input_weight, network.shared_weight, rated):
        assert 0.99 * limit < weight.abs().max() <= limit
        assert weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.05)


def test_a_user_without_ratings_is_predicted_the_mean_rating():
    completer, _ = fit(epochs=3)
    items = np.arange(TRAIN.num_items)
    alone = completer.predict_pairs(np.full(len(items), TRAIN.num_users - 1), items)
    np.testing.assert_allclose(alone, TRAIN.ratings.mean(), rtol=1e-6)


def test_an_item_without_ratings_is_predicted_from_the_biases_of_the_hidden_units():
    completer, _ = fit(trainer={"precision": "64-true"}, epochs=3)
    network = completer.module.average.network
    users = np.arange(TRAIN.num_users)
    with torch.no_grad():
        raw = network.output_weight @ torch.tanh(network.hidden_bias) + network.output_bias
        p = raw.cumsum(dim=1).softmax(dim=1)
    wanted = p @ torch.arange(1.0, 6.0, dtype=torch.float64)
    alone = completer.predict_pairs(users, np.full(len(users), TRAIN.num_items - 1))
    np.testing.assert_allclose(alone, wanted, rtol=1e-9)
    assert np.ptp(alone[:-1]) > 0.1  # users differ


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


def test_all_passes_differ_within_an_epoch_and_between_epochs(monkeypatch):
    drawn = []
    split = LeveledRatings.split

    def recorded(self, batch_size, rng):
        batches = list(split(self, batch_size, rng))
        drawn.append([triples_of(batch.given) for batch in batches])
        return iter(batches)

    monkeypatch.setattr(LeveledRatings, "split", recorded)
    fit(epochs=2, passes=3)
    assert len(drawn) == 6
    assert all(a != b for a, b in itertools.combinations(drawn, 2))


def test_the_loss_falls():
    _, monitor = fit(epochs=3, passes=10)
    losses = monitor.curves.loss
    assert losses[-1] < 0.9 * losses[0]


def test_half_stars_are_levels_of_their_own():
    rng = np.random.default_rng(0)
    ratings = rng.choice([0.5, 1.5, 2.0, 5.0], len(TRAIN))
    train = RatingMatrix(TRAIN.users, TRAIN.items, ratings, TRAIN.shape, (0.5, 5))
    completer, _ = fit(train, passes=10)
    assert completer.state()["levels"].tolist() == [0.5, 1.5, 2.0, 5.0]
    grid = completer.predict_grid(np.arange(TRAIN.num_users), np.arange(TRAIN.num_items))
    assert 0.5 < grid.min() < grid.max() < 5
    np.testing.assert_allclose(grid[-1], ratings.mean(), rtol=1e-6)  # the user has no ratings


def test_many_pairs_are_predicted_as_the_grid_is():
    completer, _ = fit()
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, TRAIN.num_users, 70000), rng.integers(0, TRAIN.num_items, 70000)
    grid = completer.predict_grid(np.arange(TRAIN.num_users), np.arange(TRAIN.num_items))
    np.testing.assert_allclose(completer.predict_pairs(users, items), grid[users, items], atol=1e-5)


def test_no_pairs_give_no_predictions():
    completer, _ = fit(epochs=1)
    none = np.array([], dtype=np.int64)
    assert completer.predict_pairs(none, none).shape == (0,)
    assert completer.predict_grid(none, np.arange(3)).shape == (0, 3)
    assert completer.predict_grid(np.arange(3), none).shape == (3, 0)


def test_without_given_ratings_the_hidden_units_come_from_their_biases():
    network = network_of()
    _, weight, shared, *_ = random_entries()
    nothing = entries_of([], 3)
    for sums in (input_sums, gathered_input_sums):
        assert torch.equal(sums(nothing, weight, shared), torch.zeros(3, 5).double())
    torch.testing.assert_close(network.hidden(nothing)[1], torch.tanh(network.hidden_bias))


def test_ratings_with_too_many_levels_are_refused():
    users, items = np.divmod(np.arange(200), 10)
    train = RatingMatrix(users, items, np.linspace(1, 5, 200), (20, 10), (1, 5))
    with pytest.raises(GlocalkError, match=r"are 200 of them and at most 100 are allowed: round"):
        fit(train)


def test_a_completer_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError, match="This CFNADE is not fitted: call fit first"):
        CFNADE().predict_pairs(np.array([0]), np.array([0]))


def test_the_number_of_batches_is_known_in_advance():
    generator = torch.Generator().manual_seed(0)
    batches = CFNADEModule(TRAIN, config_of(passes=3), generator).batches()
    assert len(list(batches)) == len(batches) == 3 * 3  # 9 items in batches of 4


def test_the_example_in_the_docstring_runs():
    result = doctest.testmod(room)
    assert result.attempted > 0
    assert result.failed == 0
