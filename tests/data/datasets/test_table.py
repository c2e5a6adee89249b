"""User-supplied tables of ratings; expected triples are written out by hand, or taken by loops."""

import os
import random
import time
from unittest import mock

import pandas as pd
import pytest

from data.tables import HEADER, INPUTS, ROWS, by_ids, everything, lines, refusal, split
from glocalk.data.datasets.table import RatingTable
from glocalk.errors import GlocalkError, MissingDataError


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["10", "9", "-3"], [-3, 9, 10]),
        (["10", "9", "007"], ["007", "10", "9"]),
        (["10", "9", "b"], ["10", "9", "b"]),
        (["10.0", "9.0", "-3.0"], [-3, 9, 10]),
        (["10.0", "9", "b"], ["10", "9", "b"]),
        (["1.50", "1.5", "1.0"], ["1", "1.5", "1.50"]),
        (["0001", "1", "1.00"], ["0001", "1", "1.00"]),
        (["new  york", "new york", " new york."], ["new  york", "new york", "new york."]),
        (["0", "1", "-0"], ["-0", "0", "1"]),
        (["1", "2", str(2**63 - 1)], [1, 2, 2**63 - 1]),
        (["1", "2", str(2**63)], ["1", "2", "9223372036854775808"]),
        (["1", "2", "1_0"], ["1", "1_0", "2"]),
        (["a,b", " a", "a b"], ["a", "a b", "a,b"]),
    ],
)
def test_numbers_stay_numbers_and_text_stays_text(ids, expected, tmp_path):
    content = "".join(f'"{label}",{item},3\n' for label in ids for item in (1, 2))
    made = split(tmp_path / "r.csv", content)
    assert made.ids.users.tolist() == expected
    assert made.ids.items.tolist() == [1, 2]
    assert made.ids.find_users(expected).tolist() == [0, 1, 2]


def many_rows(count=200):
    draw = random.Random(1)
    pairs = draw.sample([(user, item) for user in range(40) for item in range(30)], count)
    return [(user, item, draw.choice([0.5, 2, 3.5, 5])) for user, item in pairs]


def test_the_ratio_split_depends_on_the_seed_and_not_on_the_order_of_rows(tmp_path):
    rows = many_rows()
    one = split(tmp_path / "a.csv", lines(",", rows=rows), test_share=0.25)
    turned = split(tmp_path / "b.csv", lines("\t", rows=rows[::-1]), test_share=0.25)
    other = split(tmp_path / "a.csv", test_share=0.25, split_seed=1)
    assert one.checksum == turned.checksum != other.checksum
    assert (one.name, other.name) == ("75:25 seed 0", "75:25 seed 1")
    assert (len(one.train), len(one.test)) == (150, 50)
    assert everything(one) == {(user, item): rating for user, item, rating in rows}
    assert one.train.scale == (0.5, 5)


def test_every_rating_is_as_likely_to_test(tmp_path):
    content = lines(",", rows=many_rows(40))
    split(tmp_path / "a.csv", content)
    times = {}
    for seed in range(300):
        made = split(tmp_path / "a.csv", test_share=0.25, split_seed=seed)
        for pair in by_ids(made.test, made.ids):
            times[pair] = times.get(pair, 0) + 1
    assert len(times) == 40
    # 75 ± 7.5 each; five standard deviations
    assert 37 < min(times.values()) <= max(times.values()) < 113


@pytest.mark.parametrize(
    "stamps",
    [
        [50, 20, 40, 40, 10, 40],
        [5.5, 0.5, 4.25, 4.25, -3e2, 4.25],
        [f"{1_600_000_000_000_000_000 + k}" for k in (5, 2, 4, 4, 1, 4)],  # nanoseconds
        [
            "2021-11-02",
            "2019-01-01",
            *["2021-11-01T10:00:00Z"] * 2,
            "1999-12-31",
            "2021-11-01 10:00",
        ],
    ],
)
def test_the_latest_ratings_test_and_of_equally_late_ones_the_later_rows(stamps, tmp_path):
    rows = [(*row, stamp) for row, stamp in zip(ROWS, stamps, strict=True)]
    content = "user,item,rating,timestamp\n" + lines(",", rows=rows)
    made = split(tmp_path / "r.csv", content, split="time", test_share=0.34)
    assert made.name == "latest 34 %"
    assert by_ids(made.test, made.ids) == {("ann", "x1"): 5, ("cid", "x3"): 5}
    more = split(tmp_path / "r.csv", split="time", test_share=0.5)
    assert by_ids(more.test, more.ids).keys() == {("ann", "x1"), ("cid", "x3"), ("ann", "x2")}


@pytest.fixture
def far_east():
    """A machine whose clock is nine hours ahead."""
    with mock.patch.dict(os.environ, TZ="JST-9"):
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_a_date_without_a_zone_is_in_utc_wherever_the_machine_stands(tmp_path):
    dates = "2021-11-01 12:00:00", "2021-11-01T12:30:00+01:00", "2021-11-01T11:45:00Z"
    rows = "".join(f"{user},7,3,{date}\n" for user, date in enumerate(dates))
    content = "user,item,rating,timestamp\n" + rows
    made = split(tmp_path / "r.csv", content, split="time", test_share=0.34)
    assert by_ids(made.test, made.ids).keys() == {(0, 7)}


def test_a_given_test_file_may_bring_users_and_items_of_its_own(tmp_path):
    (tmp_path / "test.tsv").write_text("movie\tuser\trating\n7\t99\t2\n55\t3\t4\n")
    made = split(tmp_path / "r.csv", "3,7,5\n20,7,1\n", test_path=str(tmp_path / "test.tsv"))
    assert made.name == "given"
    assert made.ids.users.tolist() == [3, 20, 99]
    assert made.ids.items.tolist() == [7, 55]
    assert by_ids(made.train, made.ids) == {(3, 7): 5, (20, 7): 1}
    assert by_ids(made.test, made.ids) == {(99, 7): 2, (3, 55): 4}
    assert made.train.shape == made.test.shape == (3, 2)
    assert made.train.scale == (1, 5)


def test_ids_are_text_in_both_files_if_in_one(tmp_path):
    (tmp_path / "test.csv").write_text("3,b,2\n4,7,2\n")
    made = split(tmp_path / "r.csv", "3,7,5\n", test_path=str(tmp_path / "test.csv"))
    assert made.ids.users.tolist() == [3, 4]
    assert made.ids.items.tolist() == ["7", "b"]


def test_whole_floats_in_one_file_are_the_numbers_in_the_other():
    train, test = INPUTS / "float_ids_train.csv", INPUTS / "int_ids_test.csv"
    made = split(train, test_path=str(test))
    assert made.ids.users.tolist() == [1, 2, 3, 4]
    assert made.ids.items.tolist() == [101, 102, 103, 104]
    assert len(made.train) + len(made.test) == 16
    assert set(made.test.users) <= set(made.train.users), "a cold user"


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json", "tsv", "csv.gz"])
@pytest.mark.parametrize("kind", [int, float, str])
def test_ids_of_any_format_and_type_are_those_of_a_csv(kind, suffix, tmp_path):
    frame = pd.DataFrame({"user": [1, 1, 2, 3], "item": [10, 20, 20, 10], "rating": [1, 2, 3, 4]})
    frame = frame.astype({"user": kind, "item": kind})
    path = tmp_path / f"train.{suffix}"
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    elif suffix == "json":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    (tmp_path / "test.csv").write_text("user,item,rating\n3,20,2\n")
    made = split(path, test_path=str(tmp_path / "test.csv"))
    assert made.ids.users.tolist() == [1, 2, 3]
    assert made.ids.items.tolist() == [10, 20]
    assert by_ids(made.test, made.ids) == {(3, 20): 2}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([1.5, 2.0], "The user id 1.5 is neither a whole number nor text"),
        ([2.0**53, 2.0], "The user id 9007199254740992.0 is a float too large to be"),
        ([True, False], "The user id True is neither a whole number nor text"),
        (
            pd.to_datetime(["2020-01-01", "2020-01-02"]),
            "The user id 2020-01-01 00:00:00 is neither",
        ),
    ],
)
def test_a_typed_column_without_ids_is_refused(values, sentence, tmp_path):
    pytest.importorskip("pyarrow")
    pd.DataFrame({"user": values, "item": 1, "rating": 3}).to_parquet(tmp_path / "r.parquet")
    assert sentence in refusal(tmp_path / "r.parquet")


def test_true_is_no_id_in_json(tmp_path):
    sentence = refusal(tmp_path / "r.json", '{"user": true, "item": 1, "rating": 3}\n')
    assert "The user column of 'r.json' contains true or false in row 1" in sentence


def test_new_users_are_a_fair_test():
    train, test = INPUTS / "cold_users_train.csv", INPUTS / "cold_users_test.csv"
    made = split(train, test_path=str(test))
    assert not set(made.test.users) & set(made.train.users)
    assert set(made.test.items) <= set(made.train.items)


@pytest.mark.parametrize(
    ("test", "part"),
    [
        (
            "00001,20,3\n",
            "None of the user ids in 'test.csv' is in 'r.csv': write them as they are",
        ),
        ("u1,20,3\n", "there, '1' and not 'u1'."),
        ("3,i20,3\n", "None of the item ids in 'test.csv' is in 'r.csv'"),
        ("5,30,3\n", "No user and no item in 'test.csv' is in 'r.csv' (user '5', not '1'; item"),
    ],
)
def test_a_test_file_with_other_ids_is_refused(test, part, tmp_path):
    (tmp_path / "test.csv").write_text(f"user,item,rating\n{test}")
    train = "user,item,rating\n1,10,3\n2,20,3\n"
    assert part in refusal(tmp_path / "r.csv", train, test_path=str(tmp_path / "test.csv"))


@pytest.mark.parametrize("text", ["ann  lee", "x \t y", "é  é", 'a  ""b""  c'])
def test_quoted_white_space_is_kept_between_spaces(text, tmp_path):
    content = f'  user   item  rating \n"{text}"   1 \t 3\nbob 2  4 \n "{text}" 2 5\n'
    made = split(tmp_path / "r.txt", content)
    assert everything(made) == {
        (text.replace('""', '"'), 1): 3,
        ("bob", 2): 4,
        (text.replace('""', '"'), 2): 5,
    }


def test_the_scale_may_be_wider_than_the_ratings(tmp_path):
    assert split(tmp_path / "r.csv", lines(","), scale=[0, 10]).train.scale == (0, 10)


TWICE = "1,7,2\n1,8,3\n2,7,5\n1,7,5\n1,7,5\n2,7,4\n"


def test_duplicates_are_refused_averaged_or_replaced(tmp_path):
    path = tmp_path / "r.csv"
    assert refusal(path, HEADER + TWICE) == (
        "User '1' rates item '7' in rows 2 and 5 of 'r.csv': keep one, or choose "
        "data.on_duplicate=mean or last."
    )
    assert everything(split(path, TWICE, on_duplicate="mean")) == {
        (1, 7): 4,
        (1, 8): 3,
        (2, 7): 4.5,
    }
    assert everything(split(path, on_duplicate="last")) == {(1, 7): 5, (1, 8): 3, (2, 7): 4}


def test_a_mean_stays_on_the_scale(tmp_path):
    made = split(tmp_path / "r.csv", "1,7,.1\n1,7,.1\n1,7,.1\n1,8,.05\n", on_duplicate="mean")
    assert everything(made) == {(1, 7): 0.1, (1, 8): 0.05}  # .1 + .1 + .1 > .3


def test_a_duplicate_is_as_late_as_its_last_row(tmp_path):
    content = "1,7,2,10\n1,8,3,20\n1,7,4,30\n"
    for how, rating in (("mean", 3), ("last", 4)):
        made = split(tmp_path / "r.csv", content, split="time", on_duplicate=how)
        assert by_ids(made.test, made.ids) == {(1, 7): rating}


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (
            f"{HEADER}1,7,5\n\n1,8,good\n",
            {},
            "The rating 'good' in row 4 of 'r.csv' is not a finite number: fix it, or choose "
            "another column with data.rating=…",
        ),
        ("1,7,good\n1,8,3\n", {}, "The rating 'good' in row 1 of"),
        ("1,7,5\n1,8,1e999\n", {}, "The rating '1e999' in row 2 of 'r.csv' is not a finite number"),
        ("1,7,5\n1,8,1_0\n", {}, "The rating '1_0' in row 2 of 'r.csv' is not a finite number"),
        ("1,7,5\n1,8,inf\n", {}, "The rating 'inf' in row 2 of 'r.csv' is not a finite number"),
        (
            "1;7;5\n1;8;3,5\n",
            {},
            "The rating '3,5' in row 2 of 'r.csv' is not a finite number: fix it, or choose "
            "another column with data.rating=…, or read decimal commas with 'data.decimal=\",\"'",
        ),
        (
            f"{HEADER}1,7,5\n1,8,NaN\n",
            {},
            "Row 3 of 'r.csv' has no rating ('NaN'): fill it in, or remove the row.",
        ),
        ("1,7,5\n1,8,\n", {}, "Row 2 of 'r.csv' has no rating ('')"),
        ("ann,x,\nbob,x,4\n", {}, "Row 1 of 'r.csv' has no rating ('')"),
        ("1,7,5\n,8,3\n", {}, "Row 2 of 'r.csv' has no user: fill it in, or remove the row."),
        ("1,7,5\n1, ,3\n", {}, "Row 2 of 'r.csv' has no item"),
        (
            "1,7,5\n1,8,6\n",
            {"scale": [1, 5]},
            "The rating 6 in row 2 of 'r.csv' is not on the scale 1 … 5: fix it, or the scale "
            "with data.scale=[…,…].",
        ),
        (
            "1,7,5\n",
            {},
            "'r.csv' holds one rating, which cannot be both for training and for testing: add "
            "more, or give the test ratings in another file with data.test_path=…",
        ),
        (
            "1,7,5,1\n1,8,3,soon\n",
            {"split": "time"},
            "The timestamp 'soon' in row 2 of 'r.csv' is neither a number nor a date like",
        ),
    ],
)
def test_what_is_wrong_with_a_value_is_one_sentence(content, options, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r.csv", content, **options)


def test_missing_files(tmp_path):
    with pytest.raises(MissingDataError, match=r"r\.csv' does not exist: fix its path\."):
        split(tmp_path / "r.csv")
    with pytest.raises(MissingDataError, match=r"' is a folder: fix its path\."):
        split(tmp_path)
    for name in ("r.csv", "valid.csv", "test.csv"):
        (tmp_path / name).write_text(lines(","))
    paths = {f"{part}_path": str(tmp_path / f"{part}.csv") for part in ("valid", "test")}
    for option in paths:
        given = paths | {option: str(tmp_path / "none.csv")}
        with pytest.raises(MissingDataError, match=r"none\.csv' does not exist: fix its path\."):
            split(tmp_path / "r.csv", **given)


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        ("ann,x1,4\n", "User 'ann' rates item 'x1' in 'r.csv' and in 'test.csv': a test rating"),
        (HEADER, "'test.csv' holds no ratings"),
        ("ann,x9,4\nann,x9,4\n", "User 'ann' rates item 'x9' in rows 1 and 2 of 'test.csv'"),
        ("ann,x9,4\nann,x8,bad\n", "The rating 'bad' in row 2 of 'test.csv'"),
    ],
)
def test_what_is_wrong_in_the_test_file(test, sentence, tmp_path):
    (tmp_path / "test.csv").write_text(test)
    options = {"test_path": str(tmp_path / "test.csv"), "rating": 2}
    assert sentence in refusal(tmp_path / "r.csv", lines(","), **options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"path": None}, "Option 'data.path' cannot be None: give the path of your ratings"),
        ({"test_share": 0}, "Option 'data.test_share' cannot be 0: "),
        ({"test_share": 1}, "Option 'data.test_share' cannot be 1: "),
        ({"split_seed": -1}, "Option 'data.split_seed' cannot be -1: "),
        ({"split": "random"}, "Option 'data.split' cannot be 'random': "),
        ({"on_duplicate": "first"}, "Option 'data.on_duplicate' cannot be 'first': "),
        ({"scale": [5, 5]}, "the lowest rating must be below the highest."),
        ({"scale": [1, float("nan")]}, "Option 'data.scale.1' cannot be nan: "),
        ({"user": 1.5}, "Option 'data.user' cannot be 1.5: give a column's name, or its position"),
        ({"rating": True}, "Option 'data.rating' cannot be True: give a column's name"),
        ({"test_path": "t", "split": "time"}, "data.split=time takes the test ratings from"),
        ({"test_path": "t", "test_share": 0.2}, "data.test_share divides data.path, which then is"),
        ({"test_path": "t", "split_seed": 1}, "data.split_seed divides data.path, which then is"),
        ({"layout": "wide"}, "Option 'data.layout' cannot be 'wide': "),
        ({"layout": "matrix", "split": "time"}, "data.split=time go with data.layout=table."),
        ({"layout": "matrix", "item": 1}, "data.split=time go with data.layout=table."),
        ({"missing": ["none"]}, "Option 'data.missing.0' cannot be 'none': "),
        ({"missing": float("nan")}, "Option 'data.missing.0' cannot be nan: "),
        ({"decimal": ";"}, "Option 'data.decimal' cannot be ';': "),
        ({"ratings": 2}, "Unknown option 'data.ratings': did you mean 'rating'?"),
    ],
)
def test_impossible_options(options, sentence):
    with pytest.raises(GlocalkError) as error:
        RatingTable.Config.check({"path": "r.csv", **options}, "data")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
