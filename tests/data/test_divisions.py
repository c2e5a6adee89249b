"""Ways of choosing ratings: what holds for any ratings, and small examples by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glocalk
from glocalk.data import RatingMatrix, Split
from glocalk.data.divided import DividedSetConfig
from glocalk.data.divisions import (
    AtRandom,
    Given,
    LastOfUsers,
    Newest,
    RatingOrder,
    cells_of,
    in_fold,
)
from glocalk.data.sources import build_source
from glocalk.errors import GlocalkError
from glocalk.run.compose import as_dict, compose

# User 0 has five ratings, user 1 three, user 2 one; items are numbered in the order of the matrix.
USERS = [0, 0, 0, 0, 0, 1, 1, 1, 2]
ITEMS = [0, 1, 2, 3, 4, 0, 1, 2, 0]
TIMES = [50, 10, 40, 20, 30, 5, 99, 60, 70]


def matrix(users=USERS, items=ITEMS):
    shape = max(users) + 1, max(items) + 1
    return RatingMatrix(np.array(users), np.array(items), np.ones(len(users)), shape, (1, 5))


def order(times=TIMES, ratings=None):
    return RatingOrder.by_time(cells_of(ratings or matrix()), np.array(times))


def own_split():
    ratings = matrix()
    return Split("own", train=ratings.select(range(6)), test=ratings.select([6, 7, 8]))


def pairs(ratings):
    return list(zip(ratings.users.tolist(), ratings.items.tolist(), strict=True))


def divided(order=None, **options):
    return DividedSetConfig.check(options, "data").divided(own_split(), order)


@st.composite
def rated(draw):
    """Rated pairs and their times, of which several may be equal."""
    cells = draw(st.lists(st.integers(0, 59), min_size=2, max_size=60, unique=True))
    times = draw(st.lists(st.integers(0, 9), min_size=len(cells), max_size=len(cells)))
    cells.sort()
    return matrix([cell // 10 for cell in cells], [cell % 10 for cell in cells]), times


@settings(deadline=None, max_examples=60)
@given(count=st.integers(2, 300), folds=st.integers(2, 12), seed=st.integers(0, 9))
def test_folds_are_a_partition_into_parts_that_differ_by_at_most_one(count, folds, seed):
    if count < folds:
        with pytest.raises(GlocalkError, match=rf"^{count} ratings cannot be divided into {folds}"):
            in_fold(count, folds, 1, seed)
        return
    masks = [in_fold(count, folds, fold, seed) for fold in range(1, folds + 1)]
    assert (np.sum(masks, axis=0) == 1).all()
    sizes = {int(mask.sum()) for mask in masks}
    assert sizes <= {count // folds, -(-count // folds)}


@settings(deadline=None, max_examples=60)
@given(rated=rated(), share=st.floats(0.01, 0.99))
def test_no_rating_is_newer_than_the_newest_share(rated, share):
    ratings, times = rated
    chosen = Newest(order(times, ratings)).choose(ratings, share, seed=0)
    size = min(max(round(share * len(times)), 1), len(times) - 1)
    assert chosen.sum() == size
    assert min(np.array(times)[chosen]) >= max(np.array(times)[~chosen])


@settings(deadline=None, max_examples=60)
@given(rated=rated(), count=st.integers(1, 4), in_time=st.booleans(), seed=st.integers(0, 5))
def test_n_of_each_user_are_left_out_and_users_with_too_few_stay(rated, count, in_time, seed):
    ratings, times = rated
    last = LastOfUsers(count, order(times, ratings) if in_time else None)
    own = Counter(ratings.users.tolist())
    if max(own.values()) <= count:
        with pytest.raises(GlocalkError, match=r"^No user has more ratings than the \d that would"):
            last.choose(ratings, 1, seed)
        return
    chosen = last.choose(ratings, 1, seed)
    left = Counter(ratings.users[chosen].tolist())
    assert left == {user: count for user, size in own.items() if size > count}
    assert last.short_users(ratings) == (len(own) - len(left), len(own))
    for user in left if in_time else ():
        of_user = ratings.users == user
        assert np.array(times)[of_user & chosen].min() >= np.array(times)[of_user & ~chosen].max()


def test_the_newest_share_by_hand_and_validation_is_the_newest_of_the_rest():
    made = divided(order(), split="time", test_share=0.34)  # .34 · 9 = 3.06
    assert made.name == "latest 34 %"
    assert pairs(made.test) == [(1, 1), (1, 2), (2, 0)]  # times 99, 60, 70
    held = made.hold_out(0.34, seed=0)  # .34 · 6 = 2.04
    assert pairs(held.valid) == [(0, 0), (0, 2)]  # times 50 and 40
    assert pairs(held.train) == [(0, 1), (0, 3), (0, 4), (1, 0)]
    # A share of the training ratings is drawn first, and its newest are held out.
    kept = made.keep(0.5, seed=1)
    newest = max(pairs(kept.train), key=dict(zip(pairs(matrix()), TIMES, strict=True)).get)
    assert pairs(kept.hold_out(0.1, seed=0).valid) == [newest]


def test_of_equal_times_the_later_row_is_newer_whatever_the_order_of_the_matrix():
    ratings = matrix()
    rows = np.array([8, 0, 5, 1, 2, 3, 4, 6, 7])  # the file has them in another order
    in_time = RatingOrder.by_time(cells_of(ratings)[rows], np.zeros(9))
    chosen = Newest(in_time).choose(ratings, 0.3, seed=0)
    assert np.flatnonzero(chosen).tolist() == [4, 6, 7]


def test_the_last_of_each_user_by_hand_and_validation_is_the_last_but_one():
    made = divided(order(), split="leave_n_out")
    assert made.name == "last 1 of each user"
    assert pairs(made.test) == [(0, 0), (1, 1)]
    assert made.notes == (
        "1 of 3 users have no more than 1 rating: all of theirs are training ratings",
    )
    held = made.hold_out(0.05, seed=0)
    assert pairs(held.valid) == [(0, 2), (1, 2)]
    two = divided(order(), split="leave_n_out", n=2)
    assert pairs(two.test) == [(0, 0), (0, 2), (1, 1), (1, 2)]
    assert pairs(two.hold_out(0.05, seed=0).valid) == [(0, 3), (0, 4)]  # user 1 has one left


def test_without_time_n_of_each_user_are_drawn_by_seed():
    made = [divided(split="leave_n_out", n=2, split_seed=seed) for seed in (0, 0, 1, 2, 3)]
    assert made[0].name == "2 of each user seed 0"
    assert made[0].checksum == made[1].checksum
    assert len({split.checksum for split in made}) > 2
    assert len(made[0].hold_out(0.05, seed=0).valid) == 2


def test_folds_of_a_split_are_of_all_its_ratings():
    made = [divided(folds=4, fold=fold, split_seed=7) for fold in (1, 2, 3, 4)]
    assert [split.name for split in made] == [f"fold {fold} of 4 seed 7" for fold in (1, 2, 3, 4)]
    assert sorted(pair for split in made for pair in pairs(split.test)) == pairs(matrix())
    assert sorted(len(split.test) for split in made) == [2, 2, 2, 3]
    for split in made:
        assert sorted(pairs(split.train) + pairs(split.test)) == pairs(matrix())
    again = matrix().select(range(3)), matrix().select(range(3, 9))
    other = DividedSetConfig(folds=4, split_seed=7).divided(Split("other", *again))
    assert other.checksum == made[0].checksum  # whatever the data set's own split


def test_given_validation_ratings_are_those_held_out():
    ratings = matrix()
    valid = Given(cells_of(ratings)[[1, 5]])
    test = np.arange(9) >= 6
    split = own_split().divided("given", test, valid)
    assert split.valid is None
    held = split.hold_out(0.5, seed=3)
    assert pairs(held.valid) == [(0, 1), (1, 0)]
    assert pairs(held.train) == [(0, 0), (0, 2), (0, 3), (0, 4)]
    other = own_split().divided("given", test, Given(cells_of(ratings)[[1, 2]]))
    assert len({split.checksum, other.checksum, own_split().checksum}) == 3
    gone = split.keep(0.17, seed=0)  # one rating, which is none of them
    assert pairs(gone.train)[0] not in pairs(held.valid)
    with pytest.raises(GlocalkError, match="train_share"):
        gone.hold_out(0.5, seed=0)


def test_the_checksum_of_a_plain_split_is_that_of_its_parts_alone():
    plain = own_split()
    assert plain.divided("again", np.arange(9) >= 6, AtRandom()).checksum == plain.checksum
    newest = divided(order(), split="time", test_share=0.34)
    same_parts = plain.divided("plain", np.arange(9) >= 6, AtRandom())
    assert [part.checksum for part in (newest.train, newest.test)] == [
        part.checksum for part in (same_parts.train, same_parts.test)
    ]
    assert newest.checksum != same_parts.checksum  # their validation ratings differ


@pytest.mark.parametrize(
    "options", [{"folds": 3}, {"split": "time"}, {"split": "leave_n_out"}], ids=str
)
def test_a_cold_start_does_not_undo_a_split_that_was_asked_for(options):
    made = divided(order(), **options)
    with pytest.raises(GlocalkError, match=r"^A cold start divides all ratings anew, so that spli"):
        made.cold_start("items", 0.4, seed=0)
    assert own_split().cold_start("items", 0.4, seed=0).name == "40 % of items seed 0"


@pytest.mark.parametrize(
    "options",
    [
        ["data=ml_100k", "data.fold=2"],
        ["data=ml_100k", "data.folds=5"],
        ["data=ml_100k", "data.split_seed=0"],
        ["data=ml_1m", "data.split_seed=1"],
        ["data=csv", "data.path=r.csv", "data.test_share=0.2"],
        ["data=csv", "data.path=r.csv", "data.split_seed=1"],
    ],
    ids=str,
)
def test_options_that_choose_another_split_are_known(options):
    chosen, plain = (
        build_source(as_dict(compose("split", [*some, "out=x"]))["data"]).config
        for some in (options, options[: 2 if "data=csv" in options else 1])
    )
    assert chosen.asks
    assert not plain.asks


def test_a_cold_start_does_not_undo_a_draw_that_was_asked_for(tmp_path):
    rows = [f"{user},{item},{1 + (user + item) % 5}" for user in range(20) for item in range(9)]
    (tmp_path / "r.csv").write_text("\n".join(["user,item,rating", *rows]))
    path = str(tmp_path / "r.csv")
    assert glocalk.load_split("csv", path=path).cold_start("users", 0.1, 0).name
    for options in ({"split_seed": 1}, {"test_share": 0.2}, {"folds": 3}):
        made = glocalk.load_split("csv", path=path, **options)
        with pytest.raises(GlocalkError, match=r"^A cold start divides all ratings anew"):
            made.cold_start("users", 0.1, 0)


def test_no_time_is_an_error_that_says_what_else_there_is():
    with pytest.raises(GlocalkError, match=r"^data.split=time needs timestamps, .*folds=5\.$"):
        divided(split="time")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"folds": 1}, "Option 'data.folds' cannot be 1: "),
        ({"folds": 3, "fold": 4}, "Option 'data.fold' cannot be 4: there are 3 folds, 1 to 3."),
        ({"folds": 3, "fold": 0}, "Option 'data.fold' cannot be 0: there are 3 folds, 1 to 3."),
        ({"n": 0, "split": "leave_n_out"}, "Option 'data.n' cannot be 0: "),
        ({"split": "ratio"}, "Option 'data.split' cannot be 'ratio': "),
        ({"fold": 2}, "data.fold chooses one of data.folds=…"),
        ({"n": 2}, "data.n is an option of data.split=leave_n_out"),
        ({"folds": 3, "split": "time"}, "choose either data.folds or data.split=time, not both"),
        ({"test_share": 0.2}, "data.test_share has no effect on this split"),
        ({"folds": 3, "test_share": 0.2}, "data.test_share has no effect on this split"),
        ({"split_seed": 1}, "data.split_seed has no effect on this split"),
        ({"split": "time", "split_seed": 1}, "data.split_seed has no effect on this split"),
    ],
)
def test_options_that_are_impossible_or_have_no_effect(options, sentence):
    with pytest.raises(GlocalkError) as error:
        DividedSetConfig.check(options, "data")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_the_options_at_their_defaults_are_no_part_of_what_identifies_a_run():
    assert DividedSetConfig().identifying_options() == {}
    assert DividedSetConfig(folds=5, fold=2).identifying_options() == {"folds": 5, "fold": 2}
