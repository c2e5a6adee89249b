import numpy as np
import pytest

from glocalk.data import RatingMatrix
from glocalk.errors import GlocalkError

USERS, ITEMS, RATINGS = [2, 0, 1, 0], [1, 2, 0, 0], [5.0, 1.0, 3.0, 4.0]


def matrix(users=USERS, items=ITEMS, ratings=RATINGS, shape=(3, 4), scale=(1, 5)):
    return RatingMatrix(np.array(users), np.array(items), np.array(ratings), shape, scale)


def test_triples_are_kept_in_order_of_user_then_item():
    ordered = matrix()
    assert ordered.users.tolist() == [0, 0, 1, 2]
    assert ordered.items.tolist() == [0, 2, 0, 1]
    assert ordered.ratings.tolist() == [4, 1, 3, 5]
    assert (len(ordered), ordered.num_users, ordered.num_items) == (4, 3, 4)
    assert ordered.density == pytest.approx(4 / 12)


def test_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        matrix().ratings[0] = 2


def test_the_arrays_given_are_left_alone():
    users, ratings = np.array([0, 1]), np.array([4.0, 2.0])
    RatingMatrix(users, np.array([0, 0]), ratings, (2, 1), (1, 5))
    users[0], ratings[0] = 7, 7.0  # neither read-only nor shared
    assert ratings.tolist() == [7, 2]


def test_checksum_does_not_depend_on_the_order_given():
    assert matrix().checksum == matrix(USERS[::-1], ITEMS[::-1], RATINGS[::-1]).checksum


@pytest.mark.parametrize(
    "other",
    [
        {"ratings": [5, 1, 3, 3]},
        {"items": [2, 2, 0, 0]},
        {"users": [2, 0, 1, 1], "items": [1, 2, 0, 1]},
        {"shape": (4, 3)},
        {"scale": (0.5, 5)},
    ],
)
def test_checksum_sees_every_change(other):
    assert matrix(**other).checksum != matrix().checksum


def test_select_takes_masks_and_positions():
    assert matrix().select([True, False, False, True]).ratings.tolist() == [4, 5]
    assert matrix().select([3, 0]).ratings.tolist() == [4, 5]
    assert matrix().select([3]).shape == (3, 4)
    assert len(matrix().select([])) == 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"users": [0, 0, 1, 0], "items": [2, 2, 0, 0]},
            "more than one rating of user index 0, item index 2: keep one",
        ),
        (
            {"ratings": [5, np.nan, 3, 4]},
            "The rating nan of user index 0, item index 2 is not a finite number.",
        ),
        (
            {"ratings": [5, np.inf, 3, 4]},
            "The rating inf of user index 0, item index 2 is not a finite number.",
        ),
        (
            {"ratings": [5, 1, 0, 4]},
            "The rating 0 of user index 1, item index 0 is not on the scale 1 … 5.",
        ),
        (
            {"ratings": [5.5, 1, 3, 4]},
            "The rating 5.5 of user index 2, item index 1 is not on the scale",
        ),
        (
            {"ratings": [5, 1, 1e300, 4], "scale": (1, 1e300)},
            "The rating 1e+300 of user index 1, item index 0 is not within ±1e+12: divide all",
        ),
        ({"ratings": [5, -2e12, 3, 4], "scale": (-2e12, 5)}, "is not within ±1e+12"),
        ({"scale": (1, 1e300)}, "Ratings from 1 to 1e+300 are not within"),
        ({"scale": (-np.inf, np.inf)}, "The rating scale -inf … inf is not"),
        ({"ratings": [], "users": [], "items": [], "scale": (5, 1)}, "The rating scale 5 … 1 is"),
        ({"ratings": [], "users": [], "items": [], "scale": (1, np.nan)}, "1 … nan is not"),
        ({"users": [3, 0, 1, 0]}, "The user index 3 is outside 0 … 2."),
        ({"items": [1, 2, -1, 0]}, "The item index -1 is outside 0 … 3."),
        ({"users": [2.0, 0.0, 1.0, 0.0]}, "The user indices must be whole numbers"),
        (
            {"ratings": [5, 1, 3]},
            "must be one-dimensional and have the same length, not the shapes",
        ),
        ({"ratings": [[5, 1, 3, 4]]}, "not the shapes (4,), (4,) and (1, 4)."),
    ],
)
def test_refuses(wrong, sentence):
    with pytest.raises(GlocalkError) as error:
        matrix(**wrong)
    assert sentence in str(error.value)


def test_the_largest_magnitude_is_a_rating():
    wide = matrix(ratings=[1e12, -1e12, 3, 4], scale=(-1e12, 1e12))
    assert (wide.ratings.min(), wide.ratings.max()) == (-1e12, 1e12)
