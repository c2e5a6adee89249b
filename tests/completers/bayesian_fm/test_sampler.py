"""Samples against those of the library, on dense rows, and of `bayesian_mf` without features."""

import numpy as np
import pytest
from references import FEATURES, SIDE, TRAIN, design_of, library, myfm_fit

from glocalk.completers.bayesian_fm.bayesian_fm import BayesianFMConfig
from glocalk.completers.bayesian_fm.dates import PairDates
from glocalk.completers.bayesian_fm.design import (
    Block,
    Design,
    date_block,
    item_block,
    user_block,
)
from glocalk.completers.bayesian_fm.likelihoods import Normal, OrderedProbit
from glocalk.completers.bayesian_fm.sampler import Sampler
from glocalk.completers.factorization.gibbs import GibbsSampler
from glocalk.data.side import SideInformation
from glocalk.data.side.encode import FeatureConfig

CONFIGS = [FeatureConfig(**feature) for feature in FEATURES]


def full_design():
    dates = PairDates.of(TRAIN, SIDE.dates)
    rows = dates.rows(TRAIN.users, TRAIN.items)
    return Design.of(
        [
            date_block(rows, dates.size),
            user_block(TRAIN, SIDE, CONFIGS, True),
            item_block(TRAIN, SIDE, CONFIGS, True),
        ]
    )


def dense_of(design):
    """[n, features] of the training ratings."""
    by_row = np.zeros((design.num_rows, design.num_features))
    for f in range(design.num_features):
        for p in range(design.starts[f], design.starts[f + 1]):
            by_row[design.places[p], f] += design.values[p]
    return sum(by_row[rows] for rows in design.rows)


def literal_scores(features, constant, weights, vectors):
    """The scores, pair of features by pair of features; vectors [rank, features]."""
    scores = constant + features @ weights
    for f in range(len(weights)):
        for g in range(f):
            scores = scores + vectors[:, f] @ vectors[:, g] * features[:, f] * features[:, g]
    return scores


def test_the_design_is_that_of_rows_built_pair_by_pair():
    design = full_design()
    dense, sizes = design_of(TRAIN.users, TRAIN.items)
    np.testing.assert_allclose(dense_of(design), dense, atol=1e-15)
    assert np.diff(design.groups).tolist() == sizes
    assert np.diff(design.blocks).tolist() == [sizes[0], sum(sizes[1:6]), sum(sizes[6:])]
    assert design.counts.sum() == 3 * len(TRAIN)


def test_groups_without_columns_are_left_out():
    empty = np.zeros((TRAIN.num_users, 0))
    (identity,) = user_block(TRAIN, SideInformation(), (), False).groups
    design = Design.of(
        [
            Block(TRAIN.users, (identity, empty)),
            item_block(TRAIN, SideInformation(), (), False),
        ]
    )
    assert design.groups.tolist() == [0, TRAIN.num_users, sum(TRAIN.shape)]


def test_users_without_ratings_have_the_mean_implicit_features_of_a_rating():
    train = TRAIN.select(TRAIN.users > 1)
    implicit = user_block(train, SideInformation(), (), True).groups[-1].toarray()
    rated = np.unique(train.users)
    assert len(set(np.bincount(train.users)[rated])) > 1  # a mean over users is another
    np.testing.assert_allclose(implicit[0], implicit[train.users].mean(axis=0))
    np.testing.assert_allclose(implicit[1], implicit[0])
    np.testing.assert_allclose((implicit[rated] ** 2).sum(axis=1), 1)


@pytest.mark.parametrize(("rank", "seed"), [(1, 0), (3, 7)])
def test_samples_are_those_of_the_library(rank, seed):
    targets = TRAIN.ratings - TRAIN.ratings.mean()
    machine = myfm_fit("MyFMRegressor", targets, 40, seed, rank)
    sampler = Sampler(full_design(), Normal(TRAIN.ratings), rank, seed)
    for constant, weights, vectors in zip(
        machine.w0_samples, machine.w_samples, machine.V_samples, strict=True
    ):
        sampler.draw()
        assert sampler.constant == pytest.approx(constant, abs=1e-9)
        np.testing.assert_allclose(sampler.weights, weights, atol=1e-9)
        np.testing.assert_allclose(sampler.vectors.T, vectors, atol=1e-9)


def test_blocks_that_lack_features_give_the_samples_of_the_library_s_blocks():
    myfm = library()
    users, items = user_block(TRAIN, SIDE, (), True), item_block(TRAIN, SIDE, CONFIGS, False)
    sizes = [part.shape[1] for block in (users, items) for part in block.groups]
    relations = [
        myfm.RelationBlock(block.rows.tolist(), np.hstack([p.toarray() for p in block.groups]))
        for block in (users, items)
    ]
    machine = myfm.MyFMRegressor(2, random_seed=5)
    targets = TRAIN.ratings - TRAIN.ratings.mean()
    machine.fit(None, targets, relations, n_iter=20, n_kept_samples=20, group_shapes=sizes)
    sampler = Sampler(Design.of([users, items]), Normal(TRAIN.ratings), 2, 5)
    for weights, vectors in zip(machine.w_samples, machine.V_samples, strict=True):
        sampler.draw()
        np.testing.assert_allclose(sampler.weights, weights, atol=1e-9)
        np.testing.assert_allclose(sampler.vectors.T, vectors, atol=1e-9)


def test_without_features_samples_are_those_of_bayesian_mf():
    none = SideInformation()
    design = Design.of([user_block(TRAIN, none, (), False), item_block(TRAIN, none, (), False)])
    sampler, plain = Sampler(design, Normal(TRAIN.ratings), 3, 11), GibbsSampler(TRAIN, 3, 11)
    for _ in range(40):
        sampler.draw()
        plain.draw()
        assert sampler.constant == pytest.approx(plain.constant, abs=1e-9)
        np.testing.assert_allclose(sampler.weights, plain.biases, atol=1e-9)
        np.testing.assert_allclose(sampler.vectors, plain.vectors, atol=1e-9)


@pytest.mark.parametrize("likelihood", ["normal", "probit"])
def test_scores_are_those_of_all_pairs_of_features(likelihood):
    design = full_design()
    labels = np.unique(TRAIN.ratings, return_inverse=True)[1]
    made = Normal(TRAIN.ratings) if likelihood == "normal" else OrderedProbit(labels)
    sampler = Sampler(design, made, 2, 0)
    for _ in range(3):
        sampler.draw()
    scores = literal_scores(dense_of(design), sampler.constant, sampler.weights, sampler.vectors)
    rows = design.rows
    of_rows = sampler.constant + sum(sampler.biases[r] for r in rows)
    for a in range(3):
        for b in range(a):
            pairs = sampler.factors[:, rows[a]] * sampler.factors[:, rows[b]]
            of_rows = of_rows + pairs.sum(axis=0)
    np.testing.assert_allclose(of_rows, scores, atol=1e-12)
    if likelihood == "normal":
        targets = TRAIN.ratings - TRAIN.ratings.mean()
        np.testing.assert_allclose(sampler.state()["errors"], scores - targets, atol=1e-12)
    else:
        latent = scores - sampler.state()["errors"]
        cuts = np.concatenate([[-np.inf], made.cut_points, [np.inf]])
        assert ((cuts[labels] < latent) & (latent <= cuts[labels + 1])).all()


def test_the_defaults_take_ratings_alone():
    config = BayesianFMConfig()
    assert (config.user_features, config.item_features, config.dates) == ((), (), False)
