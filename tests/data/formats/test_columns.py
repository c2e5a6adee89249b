"""Which column holds what."""

import pytest

from data.tables import HEADER, everything, refusal, split


@pytest.mark.parametrize(
    ("content", "options", "first"),
    [
        ("stars;movieId;userId\n4;7;1\n5;8;1\n", {}, (1, 7, 4)),
        (",user_id,item_id,rating\n0,1,7,4\n1,1,8,5\n", {}, (1, 7, 4)),  # pandas' own index
        ("user_id:token,item_id:token,rating:float\n1,7,4\n1,8,5\n", {}, (1, 7, 4)),  # RecBole
        ("user,item,rating,\n1,7,4,\n1,8,5,\n", {}, (1, 7, 4)),
        ("1,7,4\n1,8,5\n", {"user": 1, "item": 0}, (7, 1, 4)),
        ("a,b,c,d\n9,1,7,4\n9,1,8,5\n", {"user": "b", "item": "c", "rating": "d"}, (1, 7, 4)),
        (
            "2019,2020,2021\n1,7,4\n1,8,5\n",
            {"user": "2019", "item": 1, "rating": "2021"},
            (1, 7, 4),
        ),
        ('"user","item","rating"\n"1","7","4"\n\n"1","8","5"\n\n', {}, (1, 7, 4)),
        ("\n\n1,7,4\n,,\n1,8,5\n", {}, (1, 7, 4)),
    ],
)
def test_columns_are_found(content, options, first, tmp_path):
    made = split(tmp_path / "r.csv", content, **options)
    user, item, rating = first
    assert everything(made)[user, item] == rating
    assert len(everything(made)) == 2


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (
            "user,item\n1,7\n",
            {},
            "'r.csv' has no rating column: choose data.rating=… from its columns user, item.",
        ),
        (
            f"{HEADER}1,7,5\n",
            {"rating": "stars"},
            "'r.csv' has no column 'stars': choose data.rating=… from its columns user, item, "
            "rating.",
        ),
        (
            "1,7,5\n",
            {"item": 3},
            "'r.csv' has no column '3': choose data.item=… from its columns 0, 1, 2 (it has no "
            "header).",
        ),
        (
            "user,user,rating\n1,7,5\n",
            {},
            "'r.csv' has more than one user column (user, user): choose data.user=… from its "
            "columns user, user, rating.",
        ),
        (
            "user,item,rating\n1,7,5\n",
            {"user": 1},
            "'r.csv' has no item column: choose data.item=… from its columns user, item, rating.",
        ),
        (
            "user,item,rating\n1,7,5\n",
            {"user": 1, "item": "item"},
            "The user and the item column of 'r.csv' would be the same: choose data.user and "
            "data.item from its columns user, item, rating.",
        ),
        (
            "title,user,item,points\nx,1,7,5\n",
            {},
            "'r.csv' has no rating column: choose data.rating=… from its columns title, user, "
            "item, points.",
        ),
        (
            "who,what,points\nann,x,4\n",
            {},
            "'r.csv' has no user column and no item column and no rating column: choose "
            "data.user=… data.item=… data.rating=… from its columns who, what, points.",
        ),
        ("1,7,5\n1,8,3\n", {"split": "time"}, "'r.csv' has no timestamp column: choose data.time"),
    ],
)
def test_what_is_wrong_with_columns_is_one_sentence(content, options, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r.csv", content, **options)
