import numpy as np
import pytest

from glocalk.completers.blocks.rating_arrays import RatingArrays
from glocalk.completers.factorization import ridge as solver
from glocalk.completers.factorization.bias_mf import ALS, BiasMF, BiasMFConfig
from glocalk.completers.factorization.factors import Factors
from glocalk.completers.factorization.loops import Step, Weights, sgd_steps
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext
from planted import planted

TRAIN, TEST = planted(num_users=14, num_items=11)  # the last user and item have no ratings
USERS, ITEMS = TRAIN.shape
MEAN = TRAIN.ratings.mean()
ORDER = np.arange(len(TRAIN))
SIDES = [(TRAIN.users, TRAIN.items, USERS), (TRAIN.items, TRAIN.users, ITEMS)]


def config_of(**options):
    defaults = {
        "solver": "als",
        "rank": 3,
        "epochs": 4,
        "regularization": 0.07,
        "bias_regularization": 0.02,
        "init_std": 0.3,
        "als": {"weighted_lambda": True},
        "sgd": {"learning_rate": 0.03, "decay": 0.8},
    }
    return BiasMFConfig.check({**defaults, **options}, "model")


def fit(config, train=TRAIN, seed=0):
    completer, monitor = BiasMF(config), Monitor(TEST)
    completer.fit(train, context=FitContext(seed=seed, observer=monitor.observer()))
    return completer, monitor


def ridge(rated, others, size, vectors, biases, weighted):
    """Each row's (factors, bias) by least squares, one row at a time, with the penalty as rows."""
    solved = np.zeros((size, 4))
    for row in range(size):
        mine = rated == row
        regressors = np.column_stack([vectors[others[mine]], np.ones(mine.sum())])
        targets = TRAIN.ratings[mine] - MEAN - biases[others[mine]]
        weight = max(mine.sum(), 1) if weighted else 1
        penalty = np.diag(np.sqrt(weight * np.array([0.07, 0.07, 0.07, 0.02])))
        solved[row] = np.linalg.lstsq(
            np.vstack([regressors, penalty]), np.concatenate([targets, np.zeros(4)]), rcond=None
        )[0]
    return solved


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("chunk", [1 << 20, 1, 16 * 5])  # all rows, one row, five rows at a time
def test_als_solves_the_ridge_regression_of_each_user_then_of_each_item(
    monkeypatch, weighted, chunk
):
    monkeypatch.setattr(solver, "_CHUNK", chunk)
    config = config_of(als={"weighted_lambda": weighted})
    factors = Factors.initial(TRAIN, 3, 0.3, np.random.default_rng(0))
    factors.item_biases = np.random.default_rng(1).normal(size=ITEMS)
    users = ridge(*SIDES[0], factors.item_factors, factors.item_biases, weighted)
    ALS(TRAIN, factors, config).run_epoch()
    np.testing.assert_allclose(factors.user_factors, users[:, :3], atol=1e-11)
    np.testing.assert_allclose(factors.user_biases, users[:, 3], atol=1e-11)
    items = ridge(*SIDES[1], users[:, :3], users[:, 3], weighted)
    np.testing.assert_allclose(factors.item_factors, items[:, :3], atol=1e-11)
    np.testing.assert_allclose(factors.item_biases, items[:, 3], atol=1e-11)


def objective(factors, weighted):
    """The objective of the module, one rating and one vector at a time."""
    total = 0.0
    for user, item, rating in zip(TRAIN.users, TRAIN.items, TRAIN.ratings, strict=True):
        product = factors.user_factors[user] @ factors.item_factors[item]
        biases = factors.user_biases[user] + factors.item_biases[item]
        total += (rating - MEAN - biases - product) ** 2
    sides = [
        (TRAIN.users, factors.user_factors, factors.user_biases),
        (TRAIN.items, factors.item_factors, factors.item_biases),
    ]
    for rated, vectors, biases in sides:
        for row, (vector, bias) in enumerate(zip(vectors, biases, strict=True)):
            weight = np.sum(rated == row) if weighted else 1
            total += weight * (0.07 * vector @ vector + 0.02 * bias**2)
    return total


@pytest.mark.parametrize("weighted", [True, False])
def test_als_reports_its_objective_which_falls_in_every_epoch(weighted):
    config = config_of(epochs=12, als={"weighted_lambda": weighted})
    completer, monitor = fit(config)
    assert monitor.curves.loss[-1] == pytest.approx(objective(completer.factors, weighted))
    assert (np.diff(monitor.curves.loss) < 0).all()


def test_als_rejects_regressions_that_float64_cannot_solve():
    with pytest.raises(GlocalkError, match=r"raise model\.regularization"):
        fit(config_of(rank=11, regularization=1e-300, bias_regularization=1e-300))


def plain_sgd(config, seed):
    """The same draws, one rating at a time in plain Python."""
    rng = np.random.default_rng(seed)
    p, q = (0.3 * rng.standard_normal((size, 3)) for size in TRAIN.shape)
    p[-1], q[-1] = 0, 0  # no ratings
    b, c = np.zeros(USERS), np.zeros(ITEMS)
    losses = []
    for epoch in range(config.epochs):
        rate, loss = 0.03 * 0.8**epoch, 0.0
        for k in rng.permutation(len(TRAIN)):
            u, i = TRAIN.users[k], TRAIN.items[k]
            e = TRAIN.ratings[k] - MEAN - b[u] - c[i] - sum(p[u] * q[i])
            loss += e**2
            b[u], c[i] = b[u] + rate * (e - 0.02 * b[u]), c[i] + rate * (e - 0.02 * c[i])
            p[u], q[i] = (
                p[u] + rate * (e * q[i] - 0.07 * p[u]),
                q[i] + rate * (e * p[u] - 0.07 * q[i]),
            )
        losses.append(loss)
    return (b, c, p, q), losses


def test_sgd_equals_a_plain_loop_over_the_ratings_in_the_drawn_order():
    config = config_of(solver="sgd")
    completer, monitor = fit(config, seed=5)
    expected, losses = plain_sgd(config, seed=5)
    for found, value in zip(completer.factors.weights, expected, strict=True):
        np.testing.assert_allclose(found, value, atol=1e-12)
    np.testing.assert_allclose(monitor.curves.loss, losses, rtol=1e-12)


def test_an_sgd_step_follows_the_gradient_of_half_of_one_rating_s_summands():
    rng = np.random.default_rng(2)
    start = [rng.normal(size=shape) for shape in (2, 3, (2, 4), (3, 4))]

    def half_summands(b, c, p, q):
        e = 4.0 - (3.2 + b[1] + c[2] + p[1] @ q[2])
        penalty = 0.3 * (p[1] @ p[1] + q[2] @ q[2]) + 0.1 * (b[1] ** 2 + c[2] ** 2)
        return (e**2 + penalty) / 2

    moved = [part.copy() for part in start]
    # Of a RatingMatrix, whose arrays are read-only: the loop is compiled for that type already.
    rating = RatingArrays.of(RatingMatrix([1], [2], [4.0], (2, 3), (1, 5)))
    sgd_steps(rating, np.array([0]), 3.2, Weights(*moved), Step(1e-3, 0.3, 0.1))
    for part, (before, after) in enumerate(zip(start, moved, strict=True)):
        for at in np.ndindex(before.shape):
            sides = []
            for sign in (1, -1):
                shifted = [array.copy() for array in start]
                shifted[part][at] += sign * 1e-5
                sides.append(half_summands(*shifted))
            gradient = (sides[0] - sides[1]) / 2e-5
            assert (after - before)[at] == pytest.approx(-1e-3 * gradient, abs=1e-11)


def test_sgd_does_not_move_from_the_minimum_that_als_finds():
    solved, _ = fit(config_of(epochs=400))
    start = [part.copy() for part in solved.factors.weights]

    def moved(weights):
        step = Step(1e-7, 0.07, 0.02)
        sgd_steps(RatingArrays.of(TRAIN), ORDER, MEAN, Weights(*weights), step)
        return max(np.abs(new - old).max() for new, old in zip(weights, start, strict=True)) / 1e-7

    assert moved([part.copy() for part in start]) < 1e-3
    start = [part + 0.01 for part in start]
    assert moved([part.copy() for part in start]) > 0.1


def test_a_diverging_descent_raises_one_sentence():
    with pytest.raises(GlocalkError, match=r"diverged, so lower model\.sgd\.learning_rate"):
        fit(config_of(solver="sgd", sgd={"learning_rate": 50.0, "decay": 1.0}))


@pytest.mark.parametrize("solver", ["als", "sgd"])
def test_users_and_items_without_ratings_are_predicted_by_the_other_side_s_bias(solver):
    completer, _ = fit(config_of(solver=solver))
    users, items = np.arange(USERS), np.arange(ITEMS)
    np.testing.assert_allclose(
        completer.predict_pairs(np.full(ITEMS, USERS - 1), items),
        MEAN + completer.factors.item_biases,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        completer.predict_pairs(users, np.full(USERS, ITEMS - 1)),
        MEAN + completer.factors.user_biases,
        atol=1e-12,
    )


@pytest.mark.parametrize("solver", ["als", "sgd"])
def test_shifted_ratings_shift_the_predictions(solver):
    shifted = RatingMatrix(TRAIN.users, TRAIN.items, TRAIN.ratings + 0.5, TRAIN.shape, (0.5, 5.5))
    plain, _ = fit(config_of(solver=solver))
    other, _ = fit(config_of(solver=solver), shifted)
    pairs = TEST.users, TEST.items
    np.testing.assert_allclose(
        other.predict_pairs(*pairs), plain.predict_pairs(*pairs) + 0.5, atol=1e-10
    )


def test_predicting_in_chunks_changes_nothing(monkeypatch):
    completer, _ = fit(config_of())
    whole = completer.predict_pairs(TRAIN.users, TRAIN.items)
    monkeypatch.setattr("glocalk.completers.factorization.factors._CHUNK", 7)
    np.testing.assert_array_equal(completer.predict_pairs(TRAIN.users, TRAIN.items), whole)


def test_the_number_of_parameters_is_that_of_the_equation():
    completer, _ = fit(config_of())
    assert completer.num_parameters == 1 + (USERS + ITEMS) * (1 + 3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"regularization": 0}, "'model.regularization' cannot be 0"),
        ({"solver": "adam"}, "'model.solver' cannot be 'adam'"),
        ({"sgd": {"learning_rate": 0.1, "decay": 1.1}}, "'model.sgd.decay' cannot be 1.1"),
        ({"als": {"weighted": True}}, "Unknown option 'model.als.weighted': did you mean"),
    ],
)
def test_invalid_options_raise_one_sentence(options, sentence):
    with pytest.raises(GlocalkError, match=sentence):
        config_of(**options)
