import numpy as np
import pytest

from glocalk.data.ratings import RatingMatrix
from glocalk.data.splits import Split
from glocalk.errors import GlocalkError
from planted import planted

TRAIN, TEST = planted()


def cells(ratings):
    return set(zip(ratings.users.tolist(), ratings.items.tolist(), strict=True))


def test_hold_out_moves_a_share_of_training_ratings():
    whole = Split("planted", TRAIN, TEST)
    split = whole.hold_out(0.05, seed=3)
    assert len(split.valid) == round(0.05 * len(TRAIN))
    assert cells(split.train) | cells(split.valid) == cells(TRAIN)
    assert not cells(split.train) & cells(split.valid)
    assert split.test is TEST
    assert cells(whole.hold_out(0.05, seed=3).valid) == cells(split.valid)
    assert cells(whole.hold_out(0.05, seed=4).valid) != cells(split.valid)


def test_keep_drops_training_ratings_alone():
    split = Split("planted", TRAIN, TEST)
    kept = split.keep(0.3, seed=0)
    assert len(kept.train) == round(0.3 * len(TRAIN))
    assert cells(kept.train) < cells(TRAIN)
    assert kept.test is TEST
    assert split.keep(1.0, seed=0) is split


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_a_share_outside_0_and_1_is_refused(share):
    with pytest.raises(GlocalkError, match="between 0 and 1"):
        Split("planted", TRAIN, TEST).hold_out(share, seed=0)


def test_refuses_parts_that_do_not_belong_together():
    with pytest.raises(GlocalkError, match="same \\(user, item\\) pair"):
        Split("s", TRAIN, TRAIN.select([0]))
    with pytest.raises(GlocalkError, match="test set of split 's' has no ratings"):
        Split("s", TRAIN, TEST.select([]))
    other = RatingMatrix(TEST.users, TEST.items, TEST.ratings, TEST.shape, (0, 5))
    with pytest.raises(GlocalkError, match="differ in shape or scale"):
        Split("s", TRAIN, other)


def test_checksum_tells_train_from_test():
    assert Split("a", TRAIN, TEST).checksum == Split("b", TRAIN, TEST).checksum
    assert Split("a", TRAIN, TEST).checksum != Split("a", TEST, TRAIN).checksum


def test_a_select_of_nothing_keeps_the_integer_type():
    assert np.issubdtype(TEST.select([]).users.dtype, np.integer)
