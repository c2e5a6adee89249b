import numpy as np
import pytest

from glocalk.data import RatingMatrix, Split
from glocalk.data.ids import Ids
from glocalk.data.ratings import Ratings
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
        (part(0, 9), part(8, 12), "have a (user, item) pair in common"),
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
    with pytest.raises(GlocalkError, match=f"between 0 and 1, not {share}"):
        split().hold_out(share, seed=0)
    with pytest.raises(GlocalkError, match=f"between 0 and 1, not {share}"):
        split().keep(share, seed=0)


def test_checksum_tells_the_parts_apart():
    swapped = Split("rows", train=split().test, test=split().train)
    assert len({split().checksum, swapped.checksum, split().hold_out(0.1, 0).checksum}) == 3


def ids(first=0):
    return Ids(np.arange(first, first + 10), np.array([f"item {n}" for n in range(20)], object))


def test_parts_are_ratings_with_the_ids_of_the_split():
    labeled = Split("rows", train=part(0, 150), test=part(150, 200), ids=ids(5)).hold_out(0.1, 0)
    for piece, size in ((labeled.train, 135), (labeled.valid, 15), (labeled.test, 50)):
        assert isinstance(piece, Ratings)
        assert piece.ids is labeled.ids
        assert len(piece) == size
    assert labeled.checksum == split().hold_out(0.1, 0).checksum
    assert labeled.keep(0.5, 0).train.ids is labeled.ids


def test_the_ids_of_a_split_without_ids_are_the_indices():
    plain = split().hold_out(0.1, 0)
    assert plain.ids.users.tolist() == list(range(10))
    assert plain.ids.items.tolist() == list(range(20))
    assert all(piece.ids is plain.ids for piece in (plain.train, plain.valid, plain.test))


def test_the_split_of_labeled_ratings_has_their_ids():
    ratings = Ratings.of(part(0, 100), ids(5))
    chosen = np.arange(100) < 30
    made = Split("mine", train=ratings.select(~chosen), test=ratings.select(chosen))
    assert made.ids is ratings.ids
    assert made.ids.users.tolist() == list(range(5, 15))
    mixed = Split("mine", train=ratings, test=part(100, 120))
    assert mixed.test.ids is ratings.ids


def test_equal_ids_need_not_be_one_object():
    train, test = Ratings.of(part(0, 9), ids()), Ratings.of(part(9, 12), ids())
    assert Split("mine", train=train, test=test, ids=ids()).ids.equals(ids())


@pytest.mark.parametrize("own", [None, ids(5)])
def test_refuses_parts_with_different_ids(own):
    # The same shape, so that nothing else would show that the indices mean different users.
    train, test = Ratings.of(part(0, 9), ids()), Ratings.of(part(9, 12), ids(5))
    with pytest.raises(GlocalkError, match="The parts of split 'mine' have different ids"):
        Split("mine", train=train, test=test, ids=own)


@pytest.mark.parametrize("whole", ["users", "items"])
def test_a_cold_start_divides_all_ratings_by_whole_users_or_items(whole):
    cold = split().cold_start(whole, 0.2, seed=5)
    new = set(getattr(cold.test, whole).tolist())
    assert len(new) == {"users": 2, "items": 4}[whole]  # of 10 and 20
    assert new.isdisjoint(getattr(cold.train, whole).tolist())
    assert pairs(cold.train) | pairs(cold.test) == pairs(part(0, 200))
    assert cold.test.ratings.tolist() == (1 + (cold.test.users * 20 + cold.test.items) % 5).tolist()
    assert cold.train.shape == SHAPE


def test_the_validation_ratings_of_a_cold_start_are_whole_too():
    held = split().cold_start("items", 0.2, seed=5).hold_out(0.25, seed=1)
    new = set(held.valid.items.tolist())
    assert len(new) == 4  # a quarter of the 16 items with training ratings
    assert new.isdisjoint(held.train.items.tolist())
    assert len(held.valid) == 4 * 10


def test_a_cold_start_draws_among_those_with_ratings():
    few = Split("few", train=part(0, 3), test=part(3, 5))  # of one user, five items
    assert len(few.cold_start("items", 0.4, seed=0).test) == 2
    with pytest.raises(GlocalkError, match="No users can be held out whole: only one"):
        few.cold_start("users", 0.4, seed=0)


def test_cold_starts_differ_by_seed_and_keep_ids_and_side_information():
    seeds = [split().cold_start("items", 0.2, seed) for seed in (0, 1)]
    assert seeds[0].name == "20 % of items seed 0"
    assert seeds[0].checksum != seeds[1].checksum
    assert seeds[0].checksum == split().cold_start("items", 0.2, 0).checksum
    plain = split()
    cold = plain.cold_start("users", 0.2, 0)
    assert cold.side is plain.side
    assert cold.ids.equals(plain.ids)
