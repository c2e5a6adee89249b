import numpy as np
import pytest

from glocalk.data import RatingMatrix
from glocalk.errors import GlocalkError
from glocalk.metrics import eccentricity_area, errors_by_group

# User 0 has 3 training ratings, user 1 two, user 2 one, user 3 none; item 0 has 3, item 1 two,
# item 2 one, item 3 none.
TRAIN = RatingMatrix(
    np.array([0, 0, 0, 1, 1, 2]),
    np.array([0, 1, 2, 0, 1, 0]),
    np.array([5.0, 3, 4, 2, 1, 3]),
    shape=(4, 4),
    scale=(1, 5),
)
TEST = RatingMatrix(
    np.array([0, 1, 2, 3, 3]),
    np.array([3, 2, 1, 0, 3]),
    np.array([4.0, 2, 5, 1, 2]),
    shape=(4, 4),
    scale=(1, 5),
)
PREDICTED = TEST.ratings + np.array([1.0, -1, 2, 3, 0])


def rows(made, kind):
    chosen = made[made["kind"] == kind]
    return {
        row["group"]: (row["ratings"], row["rmse"], row["mae"], row["bias"])
        for _, row in chosen.iterrows()
    }


def test_groups_of_a_small_example():
    made = errors_by_group(PREDICTED, TEST, TRAIN, groups=2)
    assert rows(made, "user activity") == {
        "none": (2, pytest.approx(np.sqrt(9 / 2)), 1.5, 1.5),
        "1 ratings": (1, 2, 2, 2),
        "2–3 ratings": (2, 1, 1, 0),
    }
    assert rows(made, "item activity") == {
        "none": (2, pytest.approx(np.sqrt(1 / 2)), 0.5, 0.5),
        "1 ratings": (1, 1, 1, -1),
        "2–3 ratings": (2, pytest.approx(np.sqrt(13 / 2)), 2.5, 2.5),
    }
    assert rows(made, "rating") == {
        "1": (1, 3, 3, 3),
        "2": (2, pytest.approx(np.sqrt(1 / 2)), 0.5, -0.5),
        "4": (1, 1, 1, 1),
        "5": (1, 2, 2, 2),
    }
    assert rows(made, "new") == {
        "neither": (2, pytest.approx(np.sqrt(5 / 2)), 1.5, 0.5),
        "user": (1, 3, 3, 3),
        "item": (1, 1, 1, 1),
        "both": (1, 0, 0, 0),
    }


@pytest.mark.parametrize("groups", [1, 3, 7, 400])
def test_every_rating_is_in_one_group_of_each_kind(groups):
    rng = np.random.default_rng(groups)
    cells = rng.permutation(60 * 40)[:900]
    parts = [
        RatingMatrix(*np.divmod(part, 40), rng.uniform(1, 100, len(part)), (60, 40), (1, 100))
        for part in (cells[:700], cells[700:])
    ]
    predicted = rng.uniform(1, 100, 200)
    made = errors_by_group(predicted, parts[1], parts[0], groups=groups)
    for kind, of_kind in made.groupby("kind"):
        assert of_kind["ratings"].sum() == 200, kind
        squares = (of_kind["rmse"] ** 2 * of_kind["ratings"]).sum()
        assert squares == pytest.approx(((predicted - parts[1].ratings) ** 2).sum())
    activity = made[made["kind"] == "user activity"]
    assert len(activity[activity["group"] != "none"]) <= groups
    assert len(made[made["kind"] == "rating"]) == 20  # intervals, the scale being a fine one


def test_the_area_of_a_small_example():
    # Means: users 4, 1.5, 3, (3); items 10/3, 2, 4, (3). Usual: 3.5, 2.75, 2.5, 19/6, 3.
    eccentricity = np.array([0.5, 0.75, 2.5, 13 / 6, 1])
    order = np.argsort(eccentricity)
    errors = np.array([1, 1, 2, 3, 0])[order]
    steps = np.diff(eccentricity[order])
    expected = (steps * (errors[1:] + errors[:-1]) / 2).sum() / 16
    assert eccentricity_area(PREDICTED, TEST, TRAIN) == pytest.approx(expected)
    assert eccentricity_area(TEST.ratings, TEST, TRAIN) == 0


def test_the_area_does_not_depend_on_the_order_of_equally_eccentric_ratings():
    # Users 2 and 3 have the same mean, and so the same eccentricity.
    test = RatingMatrix(np.arange(4), np.full(4, 3), np.array([3.0, 3, 3, 3]), (4, 4), (1, 5))
    area, swapped = (
        eccentricity_area(np.array([1.0, 4, *last]), test, TRAIN) for last in ((5, 2), (2, 5))
    )
    assert area == pytest.approx(swapped)
    assert area > 0


def test_what_cannot_be_grouped_is_refused():
    with pytest.raises(GlocalkError, match="5 ratings need as many predictions"):
        errors_by_group(PREDICTED[:4], TEST, TRAIN)
    with pytest.raises(GlocalkError, match="at least 1, not 0"):
        errors_by_group(PREDICTED, TEST, TRAIN, groups=0)
    other = RatingMatrix(np.array([0]), np.array([0]), np.array([1.0]), (1, 1), (1, 5))
    with pytest.raises(GlocalkError, match="take both from the same split"):
        eccentricity_area(PREDICTED, TEST, other)
    flat = RatingMatrix(np.array([0]), np.array([0]), np.array([1.0]), (1, 1), (1, 1))
    with pytest.raises(GlocalkError, match="scale with one value"):
        eccentricity_area(np.array([1.0]), flat, flat)
