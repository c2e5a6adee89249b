"""Features and graphs of users and items, of planted ratings and of the real data sets."""

import numpy as np
import pytest
import torch

import glocalk
from glocalk.completers.mg_gat.features import implicit_features
from glocalk.completers.mg_gat.mg_gat import MGGATModule
from glocalk.data.rating_matrix import RatingMatrix
from planted import planted

TRAIN, _ = planted(num_users=12, num_items=9, density=0.6)  # the last of both has no rating


def test_singular_vectors_are_those_of_the_binary_training_matrix():
    users, items = implicit_features(TRAIN, 4)
    binary = np.zeros(TRAIN.shape)
    binary[TRAIN.users, TRAIN.items] = 1
    left, values, right = np.linalg.svd(binary, full_matrices=False)
    best = left[:, :4] * values[:4] @ right[:4]
    np.testing.assert_allclose(users @ items.T, best, atol=1e-9)
    np.testing.assert_allclose((users**2).sum(axis=0), values[:4])  # ‖U_k √S_k‖² = S_k
    np.testing.assert_allclose((items**2).sum(axis=0), values[:4])
    assert (users[np.abs(users).argmax(axis=0), range(4)] > 0).all()
    # Neither ratings nor those held out matter; who has none has no features.
    flipped = RatingMatrix(TRAIN.users, TRAIN.items, 6 - TRAIN.ratings, TRAIN.shape, (1, 5))
    np.testing.assert_array_equal(implicit_features(flipped, 4)[0], users)
    np.testing.assert_allclose(users[-1], 0, atol=1e-12)
    assert implicit_features(TRAIN, 30)[1].shape == (9, 9)


@pytest.mark.data("ml-100k")
def test_features_and_graphs_of_ml_100k_are_those_of_the_official_code():
    split = glocalk.load_split("ml_100k")
    config = glocalk.make_completer("mg_gat", data="ml_100k").config
    assert (config.epochs * config.steps, config.svd_rank) == (4310, 9)
    network = MGGATModule(split.train, split.side, config, torch.Generator()).network
    users, items = network.users.features, network.items.features
    # 9 singular vectors, then age, gender and 21 occupations; 18 genres
    assert (users.shape, items.shape) == ((943, 32), (1682, 27))
    # User 1 is 24, M, technician; user 2 is 53, F, other.
    torch.testing.assert_close(users[:2, 9:11], torch.tensor([[24 / 73, 1], [53 / 73, 0]]))
    assert users[:2, 11:].argmax(dim=1).tolist() == [19, 13]
    assert (users[:, 11:].sum(dim=1) == 1).all()
    assert users[:, 9].max() == 1
    # Toy Story: Animation, Children's and Comedy; item 267 is `unknown`.
    assert items[0, 9:].nonzero().flatten().tolist() == [2, 3, 4]
    assert not items[266, 9:].any()
    # Entries of both graphs, and a self-loop for each node
    assert len(network.users.attention.rows) == 12594 + 943
    assert len(network.items.attention.rows) == 28928 + 1682
    assert (network.users.attention.weights == 1).all()


@pytest.mark.data("douban")
def test_douban_has_a_graph_of_users_alone():
    split = glocalk.load_split("douban")
    model = glocalk.make_completer("mg_gat", data="douban")
    assert model.needs == ("user graph",)
    assert model.config.epochs * model.config.steps == 2320
    network = MGGATModule(split.train, split.side, model.config, torch.Generator()).network
    assert network.users.features.shape == network.items.features.shape == (3000, 16)
    # 2,690 entries; the two that are self-loops have weight 2 with the identity.
    weights = network.users.attention.weights
    assert (len(weights), (weights == 2).sum().item()) == (2690 + 3000 - 2, 2)
