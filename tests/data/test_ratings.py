import numpy as np
import pytest

from glocalk.data.ratings import RatingMatrix
from glocalk.errors import GlocalkError


def matrix(users=(0, 2, 1), items=(3, 0, 1), ratings=(5.0, 1.0, 2.5), shape=(3, 4), scale=(1, 5)):
    return RatingMatrix(np.array(users), np.array(items), np.array(ratings), shape, scale)


def test_is_ordered_by_user_and_item_whatever_comes_in():
    ordered = matrix()
    assert ordered.users.tolist() == [0, 1, 2]
    assert ordered.items.tolist() == [3, 1, 0]
    assert ordered.ratings.tolist() == [5.0, 2.5, 1.0]
    assert (len(ordered), ordered.num_users, ordered.num_items) == (3, 3, 4)
    assert ordered.density == pytest.approx(3 / 12)


def test_arrays_are_read_only_and_the_caller_s_stay_writable():
    users = np.array([0, 1])
    ratings = RatingMatrix(users, np.array([0, 0]), np.array([1.0, 2.0]), (2, 1), (1, 5))
    with pytest.raises(ValueError, match="read-only"):
        ratings.users[0] = 1
    users[0] = 1
    assert ratings.users.tolist() == [0, 1]


def test_checksum_knows_content_not_order():
    other_order = matrix((2, 1, 0), (0, 1, 3), (1.0, 2.5, 5.0))
    assert other_order.checksum == matrix().checksum
    different = [
        matrix(ratings=(5.0, 1.0, 2.0)),
        matrix(items=(3, 0, 2)),
        matrix(shape=(3, 5)),
        matrix(scale=(1, 6)),
    ]
    assert len({matrix().checksum, *(m.checksum for m in different)}) == 5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"users": (0, 3, 1)}, "user index 3 lies outside 0 … 2"),
        ({"items": (3, -1, 1)}, "item index -1 lies outside 0 … 3"),
        ({"ratings": (5.0, 0.0, 2.5)}, "rating 0 of user 2, item 0 is not on the scale 1 … 5"),
        ({"ratings": (5.0, np.nan, 2.5)}, "rating nan of user 2, item 0"),
        ({"ratings": (5.0, np.inf, 2.5)}, "rating inf of user 2, item 0"),
        ({"users": (0, 0, 1), "items": (3, 3, 1)}, "User 0 rates item 3 more than once"),
        ({"ratings": (5.0, 1.0)}, "three lists of one length"),
        ({"users": (0.0, 2.0, 1.0)}, "user indices must be whole numbers"),
    ],
)
def test_refuses_what_is_no_rating_matrix(change, sentence):
    with pytest.raises(GlocalkError, match=sentence) as error:
        matrix(**change)
    assert "\n" not in str(error.value)


def test_select_by_mask_or_position():
    assert matrix().select([True, False, True]).users.tolist() == [0, 2]
    assert matrix().select([1]).items.tolist() == [1]
    assert matrix().select([1]).shape == (3, 4)
