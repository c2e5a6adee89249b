"""Ratings that mean "no rating"."""

import numpy as np
import pytest

from data.tables import INPUTS, everything, refusal, split
from glocalk.data.datasets.sentinels import suspect_values

FIVE = [1, 2, 3, 4, 5] * 4


@pytest.mark.parametrize(
    ("ratings", "suspects"),
    [
        ([-1, -1, *range(6, 11), *range(1, 6)], [-1]),
        ([-1, 0, *FIVE], [-1]),
        ([99, *np.linspace(-10, 10, 50)], [99]),
        ([-99, *FIVE], [-99]),
        ([0] * 20 + FIVE, [0]),
        ([0] * 20 + [-1] + FIVE, [-1, 0]),
        ([0] * 3 + FIVE, []),
        ([0, 0.5] * 10 + FIVE, []),
        ([-2, -1, 0, 1, 2] * 4, []),
        ([-1, 0, 1] * 8, []),
        ([-1, 1] * 8, []),
        ([0, 1] * 8, []),
        ([*range(1, 101)], []),
        (FIVE, []),
        ([0, 0, 4, 5, 3], []),
    ],
)
def test_values_apart_from_the_others_are_suspect(ratings, suspects):
    assert suspect_values(np.array(ratings, dtype=float)) == suspects


def test_a_suspect_value_is_said_and_never_left_out():
    made = split(INPUTS / "anime_minus_one.csv")
    assert len(everything(made)) == 20
    assert made.notes[1] == (
        "Warning: 5 of 20 ratings are -1, the others 6–10: if -1 means that there is no rating, "
        "leave it out with data.missing=-1; if it is one, give the scale, data.scale=[…,…]."
    )
    assert len(split(INPUTS / "anime_minus_one.csv", scale=[-1, 10]).notes) == 1


def test_values_that_mean_no_rating_are_left_out(tmp_path):
    made = split(INPUTS / "anime_minus_one.csv", missing=-1)
    assert (len(everything(made)), made.train.scale) == (15, (6, 10))
    assert made.notes[1] == "anime_minus_one.csv: 5 rows left out by data.missing"
    # User 1 has no other ratings.
    assert made.ids.users.tolist() == [2, 3, 4]

    content = "user,item,rating\n1,7,-1\n1,8,0\n2,7,4\n2,8,99\n3,8,5.0\n"
    for missing, expected in [
        ([-1, 0, 99], {(2, 7): 4, (3, 8): 5}),
        ([0.0], {(1, 7): -1, (2, 7): 4, (2, 8): 99, (3, 8): 5}),
        ([5, 99], {(1, 7): -1, (1, 8): 0, (2, 7): 4}),
    ]:
        assert everything(split(tmp_path / "r.csv", content, missing=missing)) == expected


def test_rows_keep_their_numbers_and_pairs_may_repeat_once_one_is_left_out(tmp_path):
    content = "user,item,rating\n1,7,-1\n1,7,3\n2,7,good\n2,8,1\n"
    assert "The rating 'good' in row 4 of" in refusal(tmp_path / "r.csv", content, missing=-1)
    content = content.replace("good", "2")
    made = split(tmp_path / "r.csv", content, missing=-1)
    assert everything(made) == {(1, 7): 3, (2, 7): 2, (2, 8): 1}
    assert "All ratings in 'r.csv' are left out by data.missing" in refusal(
        tmp_path / "r.csv", missing=[-1, 1, 2, 3]
    )


def test_values_are_left_out_of_both_files(tmp_path):
    (tmp_path / "test.csv").write_text("user,item,rating\n1,9,0\n2,9,4\n")
    content = "user,item,rating\n1,7,0\n1,8,3\n2,7,5\n"
    made = split(tmp_path / "r.csv", content, missing=0, test_path=str(tmp_path / "test.csv"))
    assert (len(made.train), len(made.test), made.train.scale) == (2, 1, (3, 5))
    assert made.notes == (
        "user ← user, item ← item, rating ← rating; 2 training and 1 test ratings, 2 users, "
        "3 items, scale 3–5",
        "r.csv: 1 row left out by data.missing",
        "test.csv: 1 row left out by data.missing",
    )
