"""Degenerate matrices on every kind of scale: a finite result, or one sentence."""

import itertools
import json

import numpy as np
import pytest
from cases import NAMES, case, leaves, new_short

from command import call
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext
from sides import side_of

SCALES = [(0, 1), (-2, 2), (0, 10), (1, 100)]


MIXED = [1, 0, 0.5, 0.75, 0.25, 0.25, 1]
_SOME = np.nonzero(np.random.default_rng(0).random((12, 9)) < 0.5)
_BLOCKS = np.nonzero(np.kron(np.eye(2), np.ones((5, 4))))

# shape of the matrix, users and items of its ratings, and the ratings as shares of the scale's
# width, repeated as often as needed
SHAPES = {
    "one rating": ((1, 1), ([0], [0]), [1]),
    "one rating of many cells": ((6, 5), ([2], [3]), [0]),
    "one user": ((1, 9), ([0] * 8, range(8)), MIXED),
    "one item": ((9, 1), (range(8), [0] * 8), MIXED),
    "two ratings of a user": ((2, 2), ([0, 0], [0, 1]), MIXED),
    "all the lowest": ((12, 9), _SOME, [0]),
    "all the highest": ((12, 9), _SOME, [1]),
    "one rating a user": ((12, 9), (range(12), [k * 4 % 9 for k in range(12)]), MIXED),
    "a diagonal": ((9, 9), (range(9), range(9)), MIXED),
    "a user with all items": ((4, 9), ([0] * 9 + [1, 2, 3], [*range(9), 1, 2, 3]), MIXED),
    "every cell": ((6, 5), np.indices((6, 5)).reshape(2, -1), MIXED),
    "two separate blocks": ((10, 8), _BLOCKS, [0] * 20 + [1] * 20),
}
WIDER_THAN_THE_MATRIX = {
    "bayesian_fm": {"rank": 20, "kept_rank": 30},
    "bayesian_fm_probit": {"rank": 20},
    "bayesian_svd_pp": {"rank": 20, "kept_rank": 30},
    "bayesian_svd_pp_probit": {"rank": 20},
    "bayesian_mf": {"rank": 20, "kept_rank": 30},
    "bias_mf": {"rank": 30},
    "bias_mf_als": {"rank": 30},
    "cf_nade": {"hidden_size": 30, "batch_size": 100},
    "f_eae": {"hidden_size": 60, "latent_size": 30},
    "gc_mc": {"hidden_size": 60, "embedding_size": 30},
    "gc_mc_extra": {"hidden_size": 60, "embedding_size": 30, "feature_size": 40},
    "glocal_k": {"hidden_size": 30, "kernel_size": 15},
    "graphrec": {"rank": 30, "batch_size": 1000},
    "i_autorec": {"hidden_size": 30},
    "igmc": {"hidden_size": 30, "max_neighbors": 100},
    "imc_gae": {"hidden_size": 60, "embedding_size": 30},
    "item_knn": {"neighbors": 100},
    "llorma": {"anchors": 30, "base": {"rank": 30}, "local": {"rank": 30}},
    "mg_gat": {"rank": 30, "hidden_size": 60, "svd_rank": 30},
    "soft_impute": {"rank": 30},
    "sparse_fc": {"hidden_size": 30},
    "srgcnn": {"rank": 30, "hidden_size": 60},
    "svd_pp": {"rank": 30},
    "u_autorec": {"hidden_size": 30},
    "user_knn": {"neighbors": 100},
}


def degenerate(shape, scale):
    """The matrix of one of `SHAPES` on a scale."""
    size, (users, items), shares = SHAPES[shape]
    ratings = np.interp(np.resize(shares, len(users)), (0, 1), scale)
    return RatingMatrix(np.array(users), np.array(items), ratings, size, scale)


def check(completer, train):
    """A fit, its evaluation and its predictions: finite, on the scale, or one sentence."""
    monitor = Monitor(train)
    context = FitContext(seed=0, observer=monitor.observer(), side=side_of(train.shape))
    try:
        completer.fit(train, context=context)
        if not completer.has_epochs:
            monitor.observe("fit", None, completer.predict_pairs)
    except GlocalkError as error:
        assert_is_a_sentence(str(error))
        return
    json.dumps(monitor.curves.model_dump(), allow_nan=False)
    gains = [gain for gain in monitor.curves.test_ndcg if gain is not None]
    assert all(0 <= gain <= 1 for gain in gains)
    users, items = np.indices(train.shape).reshape(2, -1)
    predicted = completer.predict(users, items)
    lowest, highest = train.scale
    assert ((lowest <= predicted) & (predicted <= highest)).all()  # false for NaN


def assert_is_a_sentence(text):
    assert text.endswith(".")
    assert "\n" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("turn", range(len(SCALES)))
def test_a_degenerate_matrix_gives_a_result_or_a_sentence(name, turn):
    # Over all completers, every shape meets every scale.
    shape = list(SHAPES)[(NAMES.index(name) + 3 * turn) % len(SHAPES)]
    check(new_short(name), degenerate(shape, SCALES[turn]))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_degenerate_matrices_on_all_scales_give_a_result_or_a_sentence(name):
    for shape, scale in itertools.product(SHAPES, [*SCALES, (-1e12, 1e12), (0, 1e-200)]):
        check(new_short(name), degenerate(shape, scale))


@pytest.mark.parametrize("name", NAMES)
def test_constant_ratings_on_a_scale_without_width(name):
    users, items = _SOME
    constant = RatingMatrix(users, items, np.full(len(users), 3.0), (12, 9), (3, 3))
    predicted = (
        new_short(name)
        .fit(constant, seed=0, side=side_of((12, 9)))
        .predict(*np.indices((12, 9)).reshape(2, -1))
    )
    np.testing.assert_array_equal(predicted, 3)


@pytest.mark.parametrize("name", sorted(WIDER_THAN_THE_MATRIX))
def test_a_rank_above_the_size_of_the_matrix(name):
    check(new_short(name, WIDER_THAN_THE_MATRIX[name]), degenerate("every cell", (0, 4)))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("turn", range(2))
def test_a_run_on_a_degenerate_file_ends_with_a_record_or_a_sentence(name, turn, tmp_path):
    shape = list(SHAPES)[(NAMES.index(name) * 5 + turn) % len(SHAPES)]
    scale = SCALES[(NAMES.index(name) + turn) % len(SCALES)]
    train = degenerate(shape, scale)
    rows = zip(train.users, train.items, train.ratings, strict=True)
    lines = ["user,item,rating", *(f"u{u},i{i},{r:g}" for u, i, r in rows)]
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    # Its items are new, and so are most of its users.
    new = [f"u{k},i{k + 20},{r:g}" for k, r in enumerate(np.linspace(*scale, 5))]
    (tmp_path / "test.csv").write_text("\n".join([lines[0], *new]) + "\n")
    options = {**case(name)["quick"], **case(name)["short"]}
    process = call(
        *("train", f"model={name}", "data=csv", "data.path=train.csv", "data.test_path=test.csv"),
        *(f"data.scale=[{scale[0]},{scale[1]}]", "settings=none"),
        # Hydra takes names of options in a list without quotes.
        *(f"model.{path}={value}".replace("'", "") for path, value in leaves(options)),
        cwd=tmp_path,
    )
    (record,) = (
        json.loads(path.read_text()) for path in tmp_path.glob(f"runs/csv-{name}-*/record.json")
    )
    if process.returncode == 0:
        assert record["status"] == "done"
        assert np.isfinite(record["protocols"]["last"]["rmse"])
    else:
        assert record["status"] == "failed"
        assert_is_a_sentence(record["failure"]["message"])
        assert_is_a_sentence(process.stderr.strip().splitlines()[-1])
