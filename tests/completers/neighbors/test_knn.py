"""User-kNN and item-kNN against loops over single ratings, written from the equations."""

import itertools
import math

import numpy as np
import pytest
import torch

from glocalk.completers.neighbors import knn
from glocalk.completers.neighbors.knn import ItemKNN, UserKNN
from glocalk.completers.neighbors.loops import near_sums
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.sparse.csr import CSR

OPTIONS = {
    "neighbors": 3,
    "similarity": "cosine",
    "shrinkage": 2.0,
    "min_similarity": 0.0,
    "damping": 0.5,
    "baseline": {"item_damping": 2.0, "user_damping": 1.0},
}


def small(shape=(11, 8), density=0.55, seed=0):
    """Few rating levels, hence ties; the last user and item have no ratings, the first user one."""
    rng = np.random.default_rng(seed)
    known = rng.random(shape) < density
    known[-1, :] = known[:, -1] = known[0, :] = False
    known[0, 2] = True
    users, items = np.nonzero(known)
    ratings = rng.integers(1, 6, len(users)).astype(float)
    return RatingMatrix(users, items, ratings, shape, (1, 5))


TRAIN = small()
PAIRS = list(itertools.product(range(TRAIN.num_users), range(TRAIN.num_items)))


def fitted(kind, train=TRAIN, **options):
    completer = kind(kind.Config.check({**OPTIONS, **options}, "model"))
    completer.fit(train)
    return completer


def predictions(completer, pairs=PAIRS):
    users, items = np.array(pairs).T
    return completer.predict_pairs(users, items)


def baselines(ratings, shape, damping):
    """bᵤᵢ of every pair, from {(user, item): rating}."""
    mean = sum(ratings.values()) / len(ratings)
    item_biases, user_biases = [0.0] * shape[1], [0.0] * shape[0]
    for item in range(shape[1]):
        off = [r - mean for (_, i), r in ratings.items() if i == item]
        if off:
            item_biases[item] = sum(off) / (damping["item_damping"] + len(off))
    for user in range(shape[0]):
        off = [r - mean - item_biases[i] for (u, i), r in ratings.items() if u == user]
        if off:
            user_biases[user] = sum(off) / (damping["user_damping"] + len(off))
    return {
        (u, i): mean + item_biases[i] + user_biases[u]
        for u in range(shape[0])
        for i in range(shape[1])
    }


def similarity_of(a, b, kind, shrinkage):
    """Similarity of two rows {column: deviation}."""
    shared = [(a[c], b[c]) for c in a if c in b]
    n = len(shared)
    if n == 0:
        return 0.0
    middle = [sum(side) / n for side in zip(*shared, strict=True)]
    if kind == "cosine":
        middle = [0.0, 0.0]
    shared = [(x - middle[0], y - middle[1]) for x, y in shared]
    squares = [sum(x * x for x in side) for side in zip(*shared, strict=True)]
    if min(squares) < 1e-12:
        return 0.0
    return n / (n + shrinkage) * sum(x * y for x, y in shared) / math.sqrt(math.prod(squares))


def by_loops(train, by_user, options, tied_pairs=None):
    """Predictions of every pair, averaged over all choices among neighbors tied for place k.

    For each pair with such a choice, the number of tied neighbors is appended to `tied_pairs`.
    """
    ratings = dict(zip(zip(train.users, train.items, strict=True), train.ratings, strict=True))
    baseline = baselines(ratings, train.shape, options["baseline"])
    rows = {}
    for (user, item), rating in ratings.items():
        row, column = (user, item) if by_user else (item, user)
        rows.setdefault(row, {})[column] = rating - baseline[user, item]
    predicted = []
    for user, item in itertools.product(range(train.num_users), range(train.num_items)):
        row, column = (user, item) if by_user else (item, user)
        near = []
        for other, deviations in rows.items():
            if other != row and column in deviations:
                s = similarity_of(
                    rows.get(row, {}), deviations, options["similarity"], options["shrinkage"]
                )
                if s >= options["min_similarity"]:
                    near.append((round(s, 6), s, deviations[column]))
        k = min(options["neighbors"], len(near))
        border = sorted(near, reverse=True)[k - 1][0] if near else 0.0
        sure = [entry for entry in near if entry[0] > border]
        tied = [entry for entry in near if entry[0] == border]
        choices = [[*sure, *some] for some in itertools.combinations(tied, k - len(sure))]
        if tied_pairs is not None and len(choices) > 1:
            tied_pairs.append(len(tied))
        total, weight = (
            sum(sum(part(entry) for entry in choice) for choice in choices) / len(choices)
            for part in (lambda entry: entry[1] * entry[2], lambda entry: abs(entry[1]))
        )
        weight += options["damping"]
        predicted.append(baseline[user, item] + (total / weight if weight else 0.0))
    return predicted


@pytest.mark.parametrize("kind", [UserKNN, ItemKNN])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"similarity": "pearson"},
        {"similarity": "pearson", "shrinkage": 0.0, "neighbors": 1, "damping": 0.0},
        {"min_similarity": -1.0, "neighbors": 2},
        {"similarity": "pearson", "min_similarity": -1.0},
        {"min_similarity": 0.2},
        {"neighbors": 1000, "damping": 0.0},
        {"baseline": {"item_damping": 0.0, "user_damping": 0.0}},
    ],
    ids=str,
)
def test_predictions_equal_the_loops(kind, options):
    expected = by_loops(TRAIN, kind is UserKNN, {**OPTIONS, **options})
    np.testing.assert_allclose(predictions(fitted(kind, **options)), expected, atol=1e-6)


def test_the_loops_meet_ties():
    """Two common ratings correlate by 1 or −1, so some neighbors are equally similar."""
    train = small(density=0.4, seed=3)
    options = {**OPTIONS, "similarity": "pearson", "neighbors": 1}
    tied_pairs = []
    expected = by_loops(train, True, options, tied_pairs)
    assert len(tied_pairs) > 5
    np.testing.assert_allclose(predictions(fitted(UserKNN, train, **options)), expected, atol=1e-6)


def test_item_knn_is_user_knn_of_the_transposed_matrix():
    # Every user and item has two ratings with mean 3, so the undamped baseline is symmetric.
    cells = [(0, 0, 2), (0, 1, 4), (1, 1, 2), (1, 2, 4), (2, 2, 2), (2, 3, 4), (3, 3, 2), (3, 0, 4)]
    users, items, ratings = np.array(cells).T
    one = RatingMatrix(users, items, ratings, (4, 4), (1, 5))
    other = RatingMatrix(items, users, ratings, (4, 4), (1, 5))
    pairs = list(itertools.product(range(4), range(4)))
    options = {"min_similarity": -1.0}
    np.testing.assert_allclose(
        predictions(fitted(ItemKNN, one, **options), [(b, a) for a, b in pairs]),
        predictions(fitted(UserKNN, other, **options), pairs),
        rtol=1e-12,
    )


def test_user_knn_by_hand():
    # The mean is 3, and the damping is so large that no bias is left.
    users, items = [0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 0, 1, 2, 0, 1, 2]
    ratings = [5.0, 1.0, 4.0, 2.0, 5.0, 2.0, 4.0, 1.0]
    train = RatingMatrix(np.array(users), np.array(items), np.array(ratings), (3, 3), (1, 5))
    endless = {"item_damping": 1e12, "user_damping": 1e12}
    completer = fitted(UserKNN, train, min_similarity=-1.0, baseline=endless)
    # User 0's deviations are (2, −2), user 1's (1, −1), user 2's (−1, 1), on two common items.
    near, far = 2 / (2 + 2), -2 / (2 + 2)
    expected = 3 + (near * 2 + far * -2) / (near - far + 0.5)
    assert predictions(completer, [(0, 2)]) == pytest.approx([expected], abs=1e-6)


@pytest.mark.parametrize("kind", [UserKNN, ItemKNN])
def test_the_size_of_blocks_changes_no_bit(kind, monkeypatch):
    whole = predictions(fitted(kind))
    monkeypatch.setattr(knn, "_CELLS", 25)
    np.testing.assert_array_equal(predictions(fitted(kind)), whole)


@pytest.mark.parametrize("kind", [UserKNN, ItemKNN])
@pytest.mark.parametrize("similarity", ["cosine", "pearson"])
def test_predictions_scale_with_the_ratings(kind, similarity):
    tenth = RatingMatrix(TRAIN.users, TRAIN.items, TRAIN.ratings / 1000, TRAIN.shape, (0, 0.005))
    np.testing.assert_allclose(
        predictions(fitted(kind, tenth, similarity=similarity)) * 1000,
        predictions(fitted(kind, similarity=similarity)),
        atol=1e-6,
    )


def test_rounding_errors_of_a_deviation_of_0_have_no_similarity():
    # The first user's only rating equals the undamped baseline; the other raters of item 2 differ.
    train = RatingMatrix(TRAIN.users, TRAIN.items, TRAIN.ratings / 3 + 0.1, TRAIN.shape, (0, 2))
    undamped = {"item_damping": 0.0, "user_damping": 0.0}
    completer = fitted(UserKNN, train, baseline=undamped, min_similarity=-1.0, damping=0.0)
    ratings = dict(zip(zip(train.users, train.items, strict=True), train.ratings, strict=True))
    expected = baselines(ratings, train.shape, undamped)
    pairs = [(0, item) for item in range(train.num_items)]
    np.testing.assert_allclose(
        predictions(completer, pairs), [expected[pair] for pair in pairs], rtol=1e-12
    )


def test_equally_similar_rows_share_the_remaining_places():
    rows, columns = np.array([0, 1, 2, 3]), np.zeros(4, dtype=int)
    by_column = CSR.from_triples(columns, rows, np.array([1.0, 2.0, 4.0, 8.0]), (1, 4))
    similarities = np.array([[0.75, 0.5, 0.5, 0.5]], np.float32)
    totals, weights = near_sums(similarities, by_column, columns[:1], columns[:1], 3, 0.0)
    # The first row has one place, the other three share two.
    assert totals == pytest.approx([0.75 * 1 + 2 / 3 * 0.5 * (2 + 4 + 8)])
    assert weights == pytest.approx([0.75 + 2 * 0.5])


def test_a_state_of_another_shape_is_rejected():
    state = dict(fitted(UserKNN).state())
    state["users"] = state["users"] + torch.where(state["users"] == 9, 2, 0).int()
    other = UserKNN(UserKNN.Config.check(OPTIONS, "model"))
    with pytest.raises(GlocalkError, match="'users' lie outside 0 … 10"):
        other.restore(state, TRAIN.shape)
