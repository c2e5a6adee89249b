"""What is folded in, against dense algebra from the saved state, and against known rows."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import glocalk
import literal
import small
from glocalk.data.rating_matrix import RatingMatrix
from planted import planted

TRAIN, _ = planted(num_users=24, num_items=17, density=0.5)
DENSE = np.zeros(TRAIN.shape)
DENSE[TRAIN.users, TRAIN.items] = TRAIN.ratings  # ratings are 1 … 5: 0 is a missing one
USERS, ITEMS = TRAIN.shape
MEAN = TRAIN.ratings.mean()


def of_known(kind, one):
    """The training ratings of a known user (item), in the name of a new one."""
    chosen = TRAIN.select((TRAIN.users if kind == "users" else TRAIN.items) == one)
    new = np.full(len(chosen), USERS if kind == "users" else ITEMS)
    pairs = (new, chosen.items) if kind == "users" else (chosen.users, new)
    return glocalk.Ratings.from_arrays(*pairs, chosen.ratings, scale=TRAIN.scale)


def predictions(model, kind, one):
    """Those of a user for all items, or of an item for all users."""
    if kind == "users":
        return model.predict_grid(np.array([one]), np.arange(ITEMS))[0]
    return model.predict_grid(np.arange(USERS), np.array([one]))[:, 0]


def folded(model, kind, one):
    """Those of a new user (item) who gave the ratings of a known one."""
    new = USERS if kind == "users" else ITEMS
    return predictions(model.fold_in(of_known(kind, one)), kind, new)


def numpy_state(model):
    return {name: part.double().numpy() for name, part in model.state().items()}


def ridge(design, targets, penalties):
    """The x that minimizes ‖targets − design x‖² + Σ penalty x², by least squares."""
    stacked = np.vstack([design, np.diag(np.sqrt(penalties))])
    return np.linalg.lstsq(stacked, np.append(targets, np.zeros(len(penalties))))[0]


AS_KNOWN = [
    (glocalk.Bias, {"item_damping": 2.0, "user_damping": 3.0}, {"users", "items"}),
    (
        glocalk.Bias,
        {"item_damping": 2.0, "user_damping": 3.0, "joint": True},
        {"users", "items"},
    ),
    (glocalk.ItemKNN, {"neighbors": 3}, {"users"}),
    (glocalk.ItemKNN, {"neighbors": 3, "similarity": "pearson", "min_similarity": -1.0}, {"users"}),
    (glocalk.UserKNN, {"neighbors": 3}, {"items"}),
    (glocalk.BiasMF, {"solver": "als", "rank": 3, "epochs": 3}, {"items"}),  # solved for last
    (glocalk.SoftImpute, {"nuclear_penalty": 1.0, "tolerance": 1e-12}, {"users", "items"}),
    (glocalk.AutoRec, {"hidden_size": 5, "train": {"epochs": 3}}, {"items"}),
    (glocalk.AutoRec, {"rows": "users", "hidden_size": 5, "train": {"epochs": 3}}, {"users"}),
    (
        glocalk.AutoRec,
        {
            "hidden_size": 5,
            "hidden_activation": "identity",
            "output_activation": "sigmoid",
            "train": {"epochs": 3},
        },
        {"items"},
    ),
    (
        glocalk.SparseFC,
        {"hidden_size": 5, "hidden_layers": 3, "lambda_2": 1.0, "train": {"epochs": 3}},
        {"items"},
    ),
    (glocalk.GLocalK, {**small.OPTIONS, "finetune": {"epochs": 0, "iterations": 1}}, {"items"}),
]


@pytest.mark.parametrize(
    ("cls", "options", "kind"),
    [(cls, options, kind) for cls, options, kinds in AS_KNOWN for kind in sorted(kinds)],
    ids=str,
)
def test_a_newcomer_with_the_ratings_of_a_known_one_is_predicted_as_that_one(cls, options, kind):
    model = cls(**options).fit(TRAIN, seed=0)
    for one in (0, 5, 11):
        np.testing.assert_allclose(
            folded(model, kind, one), predictions(model, kind, one), rtol=0, atol=3e-5
        )


@pytest.mark.parametrize("kind", ["users", "items"])
@pytest.mark.parametrize(
    ("options", "weighted"),
    [
        ({"solver": "als"}, True),
        ({"solver": "als", "als": {"weighted_lambda": False}}, False),
        ({"solver": "sgd", "als": {"weighted_lambda": False}}, True),
    ],
)
def test_bias_mf_minimizes_its_objective_for_the_new_row(options, weighted, kind):
    model = glocalk.BiasMF(
        rank=3, epochs=3, regularization=0.2, bias_regularization=0.05, **options
    ).fit(TRAIN, seed=0)
    state = numpy_state(model)
    other, row = ("item", DENSE[5]) if kind == "users" else ("user", DENSE[:, 5])
    vectors, biases = state[f"{other}_factors"], state[f"{other}_biases"]
    rated = np.flatnonzero(row)
    count = len(rated) if weighted else 1
    design = np.column_stack([vectors[rated], np.ones(len(rated))])
    targets = row[rated] - state["mean"] - biases[rated]
    x = ridge(design, targets, count * np.array([0.2, 0.2, 0.2, 0.05]))
    expected = state["mean"] + biases + vectors @ x[:3] + x[3]
    np.testing.assert_allclose(folded(model, kind, 5), expected, rtol=1e-9)


@pytest.mark.parametrize("kind", ["users", "items"])
def test_svd_pp_minimizes_its_objective_for_the_new_row(kind):
    model = glocalk.SVDPlusPlus(
        rank=3, epochs=3, regularization=0.2, bias_regularization=0.05, init_std=0.3
    ).fit(TRAIN, seed=0)
    state = numpy_state(model)
    other, row = ("item", DENSE[5]) if kind == "users" else ("user", DENSE[:, 5])
    vectors, biases = state[f"{other}_factors"], state[f"{other}_biases"]
    rated = np.flatnonzero(row)
    implicit = np.zeros(3)
    if kind == "users":  # |N|^−½ Σ yⱼ is fixed
        implicit = state["implicit_factors"][rated].sum(axis=0) / np.sqrt(len(rated))
    design = np.column_stack([vectors[rated], np.ones(len(rated))])
    targets = row[rated] - state["mean"] - biases[rated] - vectors[rated] @ implicit
    x = ridge(design, targets, len(rated) * np.array([0.2, 0.2, 0.2, 0.05]))
    expected = state["mean"] + biases + vectors @ (x[:3] + implicit) + x[3]
    np.testing.assert_allclose(folded(model, kind, 5), expected, rtol=1e-9)


def test_a_user_of_svd_pp_who_rated_a_folded_in_item_has_no_implicit_feedback_from_it():
    model = glocalk.SVDPlusPlus(rank=3, epochs=3, init_std=0.3).fit(TRAIN, seed=0)
    extended = model.fold_in(of_known("items", 5))
    saved = numpy_state(extended)["implicit_factors"]
    assert saved.shape == (ITEMS + 1, 3)
    np.testing.assert_array_equal(saved[-1], 0)
    ratings = glocalk.Ratings.from_arrays([USERS] * 2, [0, ITEMS], [5, 1], scale=(1, 5))
    assert np.isfinite(predictions(extended.fold_in(ratings), "users", USERS)).all()


@pytest.mark.parametrize("kind", ["users", "items"])
def test_soft_impute_minimizes_its_objective_for_the_new_row(kind):
    # Stopped early, so that rows that were trained do not minimize it yet.
    options = {"nuclear_penalty": 2.0, "iterations": 1}
    model = glocalk.SoftImpute(baseline={"item_damping": 1, "user_damping": 1}, **options)
    state = numpy_state(model.fit(TRAIN, seed=0))
    fixed, row = ("right", DENSE[5]) if kind == "users" else ("left", DENSE[:, 5])
    rated = np.flatnonzero(row)
    if kind == "users":
        known = state["mean"] + state["item_biases"]
        baseline = known + (row[rated] - known[rated]).sum() / (1 + len(rated))
    else:
        own = (row[rated] - state["mean"]).sum() / (1 + len(rated))
        baseline = state["mean"] + own + state["user_biases"]
    targets = row[rated] - baseline[rated]
    rank = state[fixed].shape[1]
    assert rank > 0
    x = ridge(state[fixed][rated], targets, np.full(rank, 2.0))
    np.testing.assert_allclose(folded(model, kind, 5), baseline + state[fixed] @ x, rtol=1e-9)


def test_soft_impute_without_any_factor_folds_in_the_baseline():
    model = glocalk.SoftImpute(nuclear_penalty=1e6).fit(TRAIN)
    bias = glocalk.Bias(item_damping=5, user_damping=5).fit(TRAIN)
    np.testing.assert_allclose(folded(model, "users", 5), folded(bias, "users", 5))


def convolved_row(row, kernels):
    """ReLU(r ⊗ GK) for each kernel in turn, of a row between rows of zeros."""
    margin = sum(len(kernel) // 2 for kernel in kernels)
    matrix = torch.zeros(2 * margin + 1, len(row), dtype=torch.float64)
    matrix[margin] = row
    for kernel in kernels:
        matrix = torch.relu(literal.convolution(matrix, kernel))
    return matrix[margin]


@pytest.mark.parametrize("formulation", ["dense", "sparse"])
@pytest.mark.parametrize(("layers", "size"), [(1, 3), (2, 3), (1, 5), (3, 1)])
def test_glocal_k_convolves_a_new_item_alone_with_the_trained_kernel(layers, size, formulation):
    options = {"convolution_layers": layers, "kernel_size": size, "formulation": formulation}
    model = glocalk.GLocalK(**{**small.OPTIONS, **options, "hidden_layers": 2}).fit(TRAIN, seed=0)
    state = {name: part.double() for name, part in model.state().items()}
    kernels = list(state["encoder_kernels"])
    assert [kernel.shape for kernel in kernels] == [(size, size)] * layers
    items = [0, 5, 11]
    several = [of_known("items", item) for item in items]
    at_once = glocalk.Ratings.from_arrays(
        np.concatenate([part.ids.users[part.users] for part in several]),
        np.repeat([ITEMS, ITEMS + 1, ITEMS + 2], [len(part) for part in several]),
        np.concatenate([part.ratings for part in several]),
        scale=TRAIN.scale,
    )
    extended = model.fold_in(at_once)
    for position, item in enumerate(items):
        row = convolved_row(torch.from_numpy(DENSE[:, item]), kernels)
        hidden = torch.sigmoid(row @ state["encoder_weight"] + state["encoder_bias"])
        inner = zip(state["encoder_inner_weights"], state["encoder_inner_biases"], strict=True)
        for weight, bias in inner:
            hidden = torch.sigmoid(hidden @ weight + bias)
        expected = state["weight"] @ hidden + state["bias"]
        np.testing.assert_allclose(
            predictions(extended, "items", ITEMS + position), expected, rtol=0, atol=1e-4
        )


def test_glocal_k_predicts_a_new_item_as_a_known_one_between_items_without_ratings():
    lonely = TRAIN.select(~np.isin(TRAIN.items, [4, 6]))  # around item 5
    model = glocalk.GLocalK(**small.OPTIONS).fit(lonely, seed=0)
    np.testing.assert_allclose(
        folded(model, "items", 5), predictions(model, "items", 5), rtol=0, atol=3e-5
    )


def test_the_kernel_of_glocal_k_is_that_of_its_predictions():
    """Encoding every row of the training matrix gives the hidden layers that predict."""
    model = glocalk.GLocalK(**small.OPTIONS).fit(TRAIN, seed=0)
    state = {name: part.double() for name, part in model.state().items()}
    (kernel,) = state["encoder_kernels"]
    image = torch.from_numpy(DENSE.T)[None, None]
    rows = torch.relu(F.conv2d(image, kernel[None, None], padding=1))[0, 0]
    hidden = torch.sigmoid(rows @ state["encoder_weight"] + state["encoder_bias"])
    for weight, bias in zip(
        state["encoder_inner_weights"], state["encoder_inner_biases"], strict=True
    ):
        hidden = torch.sigmoid(hidden @ weight + bias)
    torch.testing.assert_close(hidden, state["hidden"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["users", "items"])
def test_igmc_predicts_as_if_the_new_ratings_had_been_in_its_graph(kind):
    whole = glocalk.IGMC(
        layers=2, dense_size=4, epochs=2, ensemble={"members": 2, "interval": 1}
    ).fit(TRAIN, seed=0)
    # The same weights on the graph without a user (an item).
    own = TRAIN.users if kind == "users" else TRAIN.items
    rest = TRAIN.select(own != 5)
    parts = {"users": rest.users, "items": rest.items, "ratings": rest.ratings}
    part = glocalk.IGMC(whole.config)
    part.restore(
        {**whole.state(), **{name: torch.tensor(v) for name, v in parts.items()}}, TRAIN.shape
    )
    part.trained_on = type(whole.trained_on).of(rest)
    assert not np.allclose(predictions(part, kind, 5), predictions(whole, kind, 5), atol=1e-3)
    back = part.fold_in(TRAIN.select(own == 5))
    for one in (5, 6):
        np.testing.assert_allclose(
            predictions(back, kind, one), predictions(whole, kind, one), rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("kind", ["users", "items"])
def test_the_mean_stays(kind):
    model = glocalk.GlobalMean().fit(TRAIN)
    np.testing.assert_array_equal(folded(model, kind, 5), MEAN)


def test_the_ratings_of_a_folded_in_user_may_be_those_of_a_new_item():
    model = glocalk.Bias(item_damping=0, user_damping=0).fit(
        RatingMatrix(np.array([0, 1]), np.array([0, 0]), np.array([2.0, 4.0]), (2, 1), (1, 5))
    )
    with_user = model.fold_in(glocalk.Ratings.from_arrays([2], [0], [5], scale=(1, 5)))
    both = with_user.fold_in(glocalk.Ratings.from_arrays([2, 0], [1, 1], [5, 3], scale=(1, 5)))
    # μ = 3, b₂ = 2 of the user, b₁ = ((5 − 3) + (3 − 3)) / 2 of the item
    assert both.predict([1], [1]) == pytest.approx([3 + 1 + 1])
