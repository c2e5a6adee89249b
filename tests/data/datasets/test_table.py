"""Expected triples are written out by hand, or taken with a plain loop."""

import bz2
import gzip
import io
import lzma
import random
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from glocalk.data.datasets.table import RatingTable
from glocalk.errors import GlocalkError, MissingDataError

ROWS = [
    ("ann", "x1", 5),
    ("bob", "x1", 3),
    ("cid", "x2", 4),
    ("ann", "x2", 1),
    ("bob", "x3", 2),
    ("cid", "x3", 5),
]
HEADER = "user,item,rating\n"


def split(path, content=None, **options):
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return RatingTable(RatingTable.Config.check({"path": str(path), **options}, "data")).split(
        path.parent / "not there"
    )


def by_ids(ratings, ids):
    """{(user id, item id): rating} of a rating matrix."""
    pairs = zip(ids.users[ratings.users].tolist(), ids.items[ratings.items].tolist(), strict=True)
    return dict(zip(pairs, ratings.ratings.tolist(), strict=True))


def everything(made):
    return by_ids(made.train, made.ids) | by_ids(made.test, made.ids)


def refusal(path, content=None, **options):
    """The sentence; the path in it is replaced by its name."""
    with pytest.raises(GlocalkError) as error:
        split(path, content, **options)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence.replace(f"{path.parent}/", "")


def lines(separator, ending="\n", rows=ROWS):
    return "".join(separator.join(map(str, row)) + ending for row in rows)


EXPECTED = {(user, item): rating for user, item, rating in ROWS}


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::", " ", ", ", "  "])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("header", [True, False])
def test_separators_line_ends_and_headers(separator, ending, header, tmp_path):
    rows = [("user", "item", "rating"), *ROWS] if header else ROWS
    made = split(tmp_path / "r", lines(separator, ending, rows))
    assert everything(made) == EXPECTED
    assert made.ids.users.tolist() == ["ann", "bob", "cid"]
    assert made.ids.items.tolist() == ["x1", "x2", "x3"]
    assert (len(made.train), len(made.test)) == (5, 1)


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/ratings.csv", content)
        archive.writestr("__MACOSX/._ratings.csv", "x")
    return buffer.getvalue()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zipped])
@pytest.mark.parametrize("name", ["r.csv", "r.gz"])
def test_compression_by_content(compress, name, tmp_path):
    assert everything(split(tmp_path / name, compress(lines(",").encode()))) == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding, tmp_path):
    rows = [("Zoë", "寿司", 4), ("Ørn", "寿司", 2)]
    made = split(tmp_path / "r.csv", lines(",", rows=rows).encode(encoding))
    assert everything(made) == {("Zoë", "寿司"): 4, ("Ørn", "寿司"): 2}


@pytest.mark.parametrize(
    ("content", "options", "first"),
    [
        ("stars;movieId;userId\n4;7;1\n5;8;1\n", {}, (1, 7, 4)),
        (",user_id,item_id,rating\n0,1,7,4\n1,1,8,5\n", {}, (1, 7, 4)),  # pandas' own index
        ("user_id:token,item_id:token,rating:float\n1,7,4\n1,8,5\n", {}, (1, 7, 4)),  # RecBole
        ("user,item,rating,\n1,7,4,\n1,8,5,\n", {}, (1, 7, 4)),
        ("who,what,points\n1,7,4\n1,8,5\n", {}, (1, 7, 4)),
        ("1,7,4\n1,8,5\n", {"user": 1, "item": 0}, (7, 1, 4)),
        ("a,b,c,d\n9,1,7,4\n9,1,8,5\n", {"user": "b", "item": "c", "rating": "d"}, (1, 7, 4)),
        ("2019,2020,2021\n1,7,4\n1,8,5\n", {"rating": "2021"}, (1, 7, 4)),
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
    ("ids", "expected"),
    [
        (["10", "9", "-3"], [-3, 9, 10]),
        (["10", "9", "007"], ["007", "10", "9"]),
        (["10", "9", "b"], ["10", "9", "b"]),
        (["1.0", "2.0", "3.0"], ["1.0", "2.0", "3.0"]),
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
    (tmp_path / "test.csv").write_text("3,b,2\n")
    made = split(tmp_path / "r.csv", "3,7,5\n", test_path=str(tmp_path / "test.csv"))
    assert made.ids.users.tolist() == [3]
    assert made.ids.items.tolist() == ["7", "b"]


def test_the_scale_may_be_wider_than_the_ratings(tmp_path):
    assert split(tmp_path / "r.csv", lines(","), scale=[0, 10]).train.scale == (0, 10)


TWICE = "1,7,2\n1,8,3\n2,7,5\n1,7,5\n1,7,5\n2,7,4\n"


def test_duplicates_are_refused_averaged_or_replaced(tmp_path):
    path = tmp_path / "r.csv"
    assert refusal(path, "a,b,c\n" + TWICE) == (
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
            "The rating 'good' in row 4 of 'r.csv' is not a finite number: fix it, or choose another "
            "column with data.rating=…",
        ),
        ("1,7,good\n1,8,3\n", {}, "The rating 'good' in row 1 of"),
        ("1,7,5\n1,8,1e999\n", {}, "The rating '1e999' in row 2 of 'r.csv' is not a finite number"),
        ("1,7,5\n1,8,1_0\n", {}, "The rating '1_0' in row 2 of 'r.csv' is not a finite number"),
        ("1,7,5\n1,8,inf\n", {}, "The rating 'inf' in row 2 of 'r.csv' is not a finite number"),
        ("1;7;5\n1;8;3,5\n", {}, "The rating '3,5' in row 2 of 'r.csv' is not a finite number"),
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
        ("1,7,5\n", {}, "The test set of split '90:10 seed 0' has no ratings."),
        (
            "user,item\n1,7\n",
            {},
            "'r.csv' has no rating column: choose data.rating from its columns user, item.",
        ),
        (
            f"{HEADER}1,7,5\n",
            {"rating": "stars"},
            "'r.csv' has no column 'stars': choose data.rating from its columns user, item, rating",
        ),
        (
            "1,7,5\n",
            {"item": 3},
            "'r.csv' has no column '3': choose data.item from its columns 0, 1, 2 (it has no "
            "header).",
        ),
        ("user,user,rating\n1,7,5\n", {}, "'r.csv' has more than one user column: choose"),
        (
            "title,user,item,points\nx,1,7,5\n",
            {},
            "The item and the rating column of 'r.csv' would be the same: choose data.item and "
            "data.rating from its columns title, user, item, points.",
        ),
        ("1,7,5\n1,8,3\n", {"split": "time"}, "'r.csv' has no timestamp column: choose data.time"),
        (
            "1,7,5,1\n1,8,3,soon\n",
            {"split": "time"},
            "The timestamp 'soon' in row 2 of 'r.csv' is neither a number nor a date like",
        ),
        ("1,7,5\n1,8,3,4\n", {}, "Row 2 of 'r.csv' has 4 columns where the first has 3: fix"),
        ("1,7,5\n1,8\n", {}, "Row 2 of 'r.csv' has 2 columns where the first has 3: fix"),
        ('1,7,5\n1,"8,3\n1,9,3\n', {}, "of 'r.csv' cannot be read (unexpected end of data): fix"),
        ('1,7,5,a\n1,8,3,"b\n1,9,3,c\n', {}, "of 'r.csv' cannot be read (unexpected end of data)"),
        ("", {}, "'r.csv' holds no ratings: give a file with rows."),
        ("\n\n", {}, "'r.csv' holds no ratings"),
        (HEADER, {}, "'r.csv' holds no ratings"),
        (b"1,7,5\n\xe9\n", {}, "'r.csv' is not UTF-8 text (at byte 6): save it as"),
        (b"1,7,\x00\n", {}, "'r.csv' is not a table of text, because it holds zero bytes"),
        (
            gzip.compress(b"1,7,5\n" * 99)[:-9],
            {},
            "'r.csv' is compressed but damaged: download or create",
        ),
        (bz2.compress(b"1,7,5\n" * 99)[:-9], {}, "'r.csv' is compressed but damaged"),
        (lzma.compress(b"1,7,5\n" * 99)[:-9], {}, "'r.csv' is compressed but damaged"),
        (zipped("1,7,5\n" * 99)[:-9], {}, "'r.csv' is compressed but damaged"),
    ],
)
def test_what_is_wrong_is_one_sentence(content, options, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r.csv", content, **options)


def test_an_archive_of_several_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("a.csv", "1,7,5\n")
        archive.writestr("b.csv", "1,7,5\n")
    assert "'r.zip' is an archive of 2 files" in refusal(tmp_path / "r.zip")


def test_missing_files(tmp_path):
    with pytest.raises(MissingDataError, match=r"r\.csv' is not there: give the path of your"):
        split(tmp_path / "r.csv")
    with pytest.raises(MissingDataError, match=r"' is a folder: give the path"):
        split(tmp_path)
    (tmp_path / "r.csv").write_text(lines(","))
    with pytest.raises(MissingDataError, match=r"test\.csv' is not there"):
        split(tmp_path / "r.csv", test_path=str(tmp_path / "test.csv"))


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
        ({"scale": [5, 5]}, "the lowest rating lies below the highest."),
        ({"scale": [1, float("nan")]}, "Option 'data.scale.1' cannot be nan: "),
        ({"user": 1.5}, "Option 'data.user' cannot be 1.5: give a column's name, or its position"),
        ({"rating": True}, "Option 'data.rating' cannot be True: give a column's name"),
        ({"test_path": "t", "split": "time"}, "data.split=time takes the test ratings from"),
        ({"ratings": 2}, "Unknown option 'data.ratings': did you mean 'rating'?"),
    ],
)
def test_impossible_options(options, sentence):
    with pytest.raises(GlocalkError) as error:
        RatingTable.Config.check({"path": "r.csv", **options}, "data")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def write_parquet(path, **columns):
    pytest.importorskip("pyarrow")
    pd.DataFrame(columns).to_parquet(path)
    return path


def test_parquet(tmp_path):
    users, items, ratings = zip(*ROWS, strict=True)
    path = write_parquet(tmp_path / "r", item=items, stars=ratings, user=users)
    assert everything(split(path)) == EXPECTED
    path = write_parquet(tmp_path / "r", user=[1.0, 20.0, 3.0], item=[7, 7, 8], rating=[1, 2, 0.5])
    made = split(path)
    assert made.ids.users.tolist() == [1, 3, 20]
    assert everything(made) == {(1, 7): 1, (20, 7): 2, (3, 8): 0.5}


def test_parquet_by_time(tmp_path):
    start = pd.Timestamp("2021-11-01").value
    stamps = pd.to_datetime(np.array([2, 1, 3]) + start)  # nanoseconds apart
    path = write_parquet(tmp_path / "r", user=[1, 2, 3], item=[7] * 3, rating=[1] * 3, time=stamps)
    made = split(path, split="time")
    assert by_ids(made.test, made.ids) == {(3, 7): 1}


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"rating": [3, None]}, "Row 2 of 'r' has no rating ('')"),
        ({"user": ["a", None]}, "Row 2 of 'r' has no user"),
        ({"user": []}, "'r' holds no ratings"),
        (
            {"user": [[1], [2]]},
            "The user column of 'r' holds lists: it must hold one value per row.",
        ),
    ],
)
def test_what_is_wrong_in_parquet(columns, sentence, tmp_path):
    full = {"user": [1, 2], "item": [1, 2], "rating": [3, 4], **columns}
    full = {name: values[: len(full["user"])] for name, values in full.items()}
    assert sentence in refusal(write_parquet(tmp_path / "r", **full))


def test_damaged_parquet(tmp_path):
    path = write_parquet(tmp_path / "r", user=[1], item=[1], rating=[1])
    assert "'r' is parquet but damaged" in refusal(path, path.read_bytes()[:-3])


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert refusal(tmp_path / "r.parquet", b"PAR1") == (
        "Reading 'r.parquet' needs pyarrow: pip install 'glocalk[parquet]'."
    )
