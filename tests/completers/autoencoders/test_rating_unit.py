"""`rating_unit`: ratings u times as large, trained in the unit u, give u times the predictions."""

import logging

import numpy as np
import pytest

import glocalk
from glocalk.completers.autoencoders.ablations import GLocalKDecayed, GLocalKPermuted, GLocalKScalar

UNIT = 16  # a power of two: dividing by it rounds nothing
SMALL = {"hidden_size": 6, "pretrain": {"epochs": 3}, "finetune": {"epochs": 3}}
MODELS = [
    (glocalk.GLocalK, SMALL),
    (glocalk.GLocalK, SMALL | {"convolution_layers": 2}),
    (GLocalKDecayed, SMALL),
    (GLocalKPermuted, SMALL),
    (GLocalKScalar, SMALL),
    (glocalk.SparseFC, {"hidden_size": 6, "train": {"epochs": 3}}),
    *(
        (
            glocalk.AutoRec,
            {"hidden_size": 6, "train": {"epochs": 3}, "rows": rows, "output_activation": f},
        )
        for rows in ("items", "users")
        for f in ("identity", "sigmoid")
    ),
]
GENERATOR = np.random.default_rng(0)
CELLS = GENERATOR.permutation(20 * 15)[:150]
USERS, ITEMS = CELLS // 15, CELLS % 15
VALUES = GENERATOR.integers(1, 6, size=150).astype(float)
NEW = GENERATOR.permutation(15)[:6]


def ratings(factor):
    values = factor * VALUES
    return glocalk.Ratings.from_arrays(USERS, ITEMS, values, scale=(factor, 5 * factor))


def newcomer(side, factor):
    """Ratings of a user or an item that is not among those of `ratings`."""
    values = factor * np.array([5.0, 1.0, 4.0, 2.0, 3.0, 5.0])
    own = np.full(6, 99)
    return glocalk.Ratings.from_arrays(*((own, NEW) if side == "users" else (NEW, own)), values)


def predicted(model, path, factor):
    """Predictions of all pairs: of the fitted model, of the saved one, and for a newcomer."""
    users, items = np.repeat(np.arange(20), 15), np.tile(np.arange(15), 20)
    found = [model.predict(users, items)]
    model.save(path)
    loaded = glocalk.load(path)
    found.append(loaded.predict(users, items))
    for side in loaded.folds_in:
        extended = loaded.fold_in(newcomer(side, factor))
        pairs = (
            (np.full(15, 99), np.arange(15))
            if side == "users"
            else (np.arange(15), np.full(15, 99))
        )
        found.append(extended.predict(*pairs))
    return np.concatenate(found)


@pytest.mark.parametrize(("cls", "options"), MODELS)
def test_predictions_grow_with_the_ratings(cls, options, tmp_path):
    plain = cls(**options).fit(ratings(1), seed=0)
    scaled = cls(**options, rating_unit=UNIT).fit(ratings(UNIT), seed=0)
    expected = UNIT * predicted(plain, tmp_path / "plain.pt", 1)
    assert np.ptp(expected) > UNIT
    found = predicted(scaled, tmp_path / "scaled.pt", UNIT)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_scale_far_beyond_the_usual_is_named(caplog):
    model = glocalk.SparseFC(hidden_size=4, train={"epochs": 1})
    with caplog.at_level(logging.INFO):
        model.fit(ratings(1), seed=0)
        assert "rating_unit" not in caplog.text
        model.fit(ratings(20), seed=0)
    assert "Ratings go to 100" in caplog.text
    assert "model.rating_unit=20" in caplog.text
    caplog.clear()
    glocalk.SparseFC(hidden_size=4, train={"epochs": 1}, rating_unit=20).fit(ratings(20), seed=0)
    assert "rating_unit" not in caplog.text


@pytest.mark.parametrize("unit", [0, -1, float("inf"), float("nan")])
def test_a_unit_is_positive(unit):
    with pytest.raises(glocalk.GlocalkError, match="rating_unit"):
        glocalk.GLocalK(rating_unit=unit)
