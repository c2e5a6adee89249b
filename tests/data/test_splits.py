import numpy as np
import pytest

from glocalk.data import RatingMatrix, Split
from glocalk.errors import GlocalkError

SHAPE = (10, 20)


def part(first, last, shape=SHAPE, scale=(1, 5)):
    """Ratings at the cells `first` … `last - 1`, counted row by row."""
    cells = np.arange(first, last)
    return RatingMatrix(cells // 20, cells % 20, 1 + cells % 5, shape, scale)


def pairs(ratings):
    return set(zip(ratings.users.tolist(), ratings.items.tolist(), strict=True))


def split():
    return Split("rows", train=part(0, 150), test=part(150, 200))


@pytest.mark.parametrize(
    ("train", "test", "sentence"),
    [
        (part(0, 9), part(9, 9), "The test set of split 'rows' has no ratings."),
        (part(0, 0), part(0, 9), "The training set of split 'rows' has no ratings."),
        (part(0, 9), part(8, 12), "hold the same (user, item) pair"),
        (part(0, 9), part(9, 12, shape=(11, 20)), "differ in shape or scale"),
        (part(0, 9), part(9, 12, scale=(0, 5)), "differ in shape or scale"),
    ],
)
def test_refuses(train, test, sentence):
    with pytest.raises(GlocalkError) as error:
        Split("rows", train=train, test=test)
    assert sentence in str(error.value)


@pytest.mark.parametrize(("share", "size"), [(0.05, 8), (0.2, 30), (0.999, 149), (0.001, 1)])
def test_hold_out_divides_the_training_ratings(share, size):
    held = split().hold_out(share, seed=3)
    assert (len(held.valid), len(held.train)) == (size, 150 - size)  # .05 · 150 = 7.5, to even 8
    assert pairs(held.valid).isdisjoint(pairs(held.train))
    assert pairs(held.valid) | pairs(held.train) == pairs(split().train)
    assert held.test.checksum == split().test.checksum


def test_keep_takes_a_share_of_the_training_ratings():
    kept = split().keep(0.2, seed=3)
    assert len(kept.train) == 30
    assert pairs(kept.train) < pairs(split().train)
    assert kept.valid is None
    assert kept.test.checksum == split().test.checksum


def test_keep_of_everything_changes_nothing():
    assert split().keep(1, seed=3).checksum == split().checksum


@pytest.mark.parametrize("method", ["keep", "hold_out"])
def test_the_draw_depends_on_the_seed_alone(method):
    def draw(seed):
        return getattr(split(), method)(0.3, seed).checksum

    assert draw(1) == draw(1)
    assert len({draw(seed) for seed in range(5)}) == 5


@pytest.mark.parametrize("share", [-0.1, 0, 1.5])
def test_impossible_shares(share):
    with pytest.raises(GlocalkError, match=f"between 0 and 1, not at {share}"):
        split().hold_out(share, seed=0)
    with pytest.raises(GlocalkError, match=f"between 0 and 1, not at {share}"):
        split().keep(share, seed=0)


def test_checksum_tells_the_parts_apart():
    swapped = Split("rows", train=split().test, test=split().train)
    assert len({split().checksum, swapped.checksum, split().hold_out(0.1, 0).checksum}) == 3
