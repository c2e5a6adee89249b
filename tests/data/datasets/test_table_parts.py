"""Splits of user-supplied ratings: folds, by time, leave-n-out, given files and columns."""

import pytest

from data.tables import EXPECTED, HEADER, ROWS, by_ids, everything, lines, refusal, split
from glocalk.data.datasets.table import RatingTable
from glocalk.errors import GlocalkError

TIMES = [50, 20, 40, 41, 10, 30]  # of `ROWS`: ann x1, bob x1, cid x2, ann x2, bob x3, cid x3


def timed(times=TIMES):
    rows = [(*row, time) for row, time in zip(ROWS, times, strict=True)]
    return "user,item,rating,timestamp\n" + lines(",", rows=rows)


def with_parts(parts):
    rows = [(*row, part) for row, part in zip(ROWS, parts, strict=True)]
    return "user,item,rating,part\n" + lines(",", rows=rows)


def test_folds_of_a_file_are_a_partition_whatever_the_order_of_its_rows(tmp_path):
    made = [split(tmp_path / "r.csv", lines(","), folds=4, fold=fold) for fold in (1, 2, 3, 4)]
    tested = [pair for one in made for pair in by_ids(one.test, one.ids)]
    assert sorted(tested) == sorted(EXPECTED)
    assert all(everything(one) == EXPECTED for one in made)
    assert made[1].name == "fold 2 of 4 seed 0"
    turned = split(tmp_path / "t.csv", lines(";", rows=ROWS[::-1]), folds=4, fold=2)
    assert turned.checksum == made[1].checksum
    assert split(tmp_path / "r.csv", folds=4, fold=2, split_seed=3).checksum != made[1].checksum


def test_more_folds_than_ratings(tmp_path):
    sentence = refusal(tmp_path / "r.csv", lines(","), folds=7)
    assert sentence == "6 ratings cannot be divided into 7 folds: choose a smaller data.folds."


def test_the_validation_ratings_of_a_split_by_time_are_the_newest_of_the_rest(tmp_path):
    made = split(tmp_path / "r.csv", timed(), split="time", test_share=0.34)
    assert by_ids(made.test, made.ids).keys() == {("ann", "x1"), ("ann", "x2")}
    assert by_ids(made.hold_out(0.3, 0).valid, made.ids).keys() == {("cid", "x2")}
    assert made.notes[1] == "r.csv: timestamps are numbers, 10 … 50"


@pytest.mark.parametrize(
    ("times", "note"),
    [
        ([1e9, 2e9, 1.5e9, 1.1e9, 1.2e9, 1.3e9], "numbers, 1000000000 … 2000000000 (as seconds, "
         "2001-09-09 … 2033-05-18)"),
        ([f"2021-11-0{day}" for day in (5, 2, 4, 6, 1, 3)], "dates, 2021-11-01 … 2021-11-06"),
        ([f"160000000000000000{k}" for k in (5, 2, 4, 6, 1, 3)],
         "numbers, 1600000000000000001 … 1600000000000000006 (as nanoseconds, "
         "2020-09-13 … 2020-09-13)"),
        ([1600000000, 1600000000000, 1.5e9, 1.1e9, 1.2e9, 1.3e9], "numbers, "
         "1100000000 … 1600000000000 (the first like seconds, the last like milliseconds)"),
        ([0.5, 0.25, 1, 2, 3, 4], "numbers, 0.25 … 4"),
    ],
    ids=["seconds", "dates", "nanoseconds", "mixed", "fractions"],
)  # fmt: skip
def test_the_notes_say_what_timestamps_were_taken_for(times, note, tmp_path):
    made = split(tmp_path / "r.csv", timed(times), split="leave_n_out")
    assert f"r.csv: timestamps are {note}" in made.notes


def test_equal_timestamps_give_no_split_by_time(tmp_path):
    sentence = refusal(tmp_path / "r.csv", timed([7] * 6), split="time")
    assert sentence.startswith("All timestamps of 'r.csv' are equal, so that they give no split")
    assert split(tmp_path / "r.csv", timed([7] * 6), split="leave_n_out").test


def test_the_last_rating_of_each_user_tests_by_time_or_drawn(tmp_path):
    made = split(tmp_path / "r.csv", timed(), split="leave_n_out")
    assert made.name == "last 1 of each user"
    assert by_ids(made.test, made.ids) == {("ann", "x1"): 5, ("bob", "x1"): 3, ("cid", "x2"): 4}
    plain = [
        split(tmp_path / "p.csv", lines(","), split="leave_n_out", split_seed=s) for s in range(6)
    ]
    assert plain[2].name == "1 of each user seed 2"
    for one in plain:
        assert sorted(user for user, _ in by_ids(one.test, one.ids)) == ["ann", "bob", "cid"]
    assert len({one.checksum for one in plain}) > 1
    matrix = "ann,bob\n5,3\n,2\n4,1\n"
    assert len(split(tmp_path / "m.csv", matrix, layout="matrix", split="leave_n_out").test) == 2


def test_n_as_large_as_everything(tmp_path):
    assert refusal(tmp_path / "r.csv", lines(","), split="leave_n_out", n=2) == (
        "No user has more ratings than the 2 that would be held out: choose a smaller data.n."
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (HEADER + lines(","), "'r.csv' has no timestamp column: choose data.timestamp=… from its"),
        (timed([1, 2, 3, "soon", 4, 5]), "The timestamp 'soon' in row 5 of 'r.csv' is neither"),
        (timed([1, 2, 3, "1e999", 4, 5]), "The timestamp '1e999' in row 5 of 'r.csv' is neither"),
        (timed([1, 2, 3, "", 4, 5]), "The timestamp '' in row 5 of 'r.csv' is neither"),
    ],
    ids=["none", "text", "too large", "empty"],
)
def test_a_split_by_time_needs_times(content, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r.csv", content, split="time")


def files(tmp_path, valid, test):
    (tmp_path / "valid.csv").write_text(HEADER + valid)
    (tmp_path / "test.csv").write_text(HEADER + test)
    return {f"{name}_path": str(tmp_path / f"{name}.csv") for name in ("valid", "test")}


def test_a_validation_file_is_what_the_selection_run_holds_out(tmp_path):
    given = files(tmp_path, "ann,x3,2\ndan,x1,1\n", "bob,x2,4\n")
    made = split(tmp_path / "r.csv", HEADER + lines(","), **given)
    assert made.name == "given"
    assert by_ids(made.test, made.ids) == {("bob", "x2"): 4}
    valid = {("ann", "x3"): 2, ("dan", "x1"): 1}
    assert by_ids(made.train, made.ids) == EXPECTED | valid  # the final run trains on both
    held = made.hold_out(0.05, seed=0)
    assert by_ids(held.valid, made.ids) == valid
    assert by_ids(held.train, made.ids) == EXPECTED
    assert "6 training, 2 validation and 1 test ratings, 4 users, 3 items" in made.notes[0]
    (tmp_path / "valid.csv").write_text(f"{HEADER}ann,x3,2\n")
    moved = split(tmp_path / "r.csv", HEADER + lines(",") + "dan,x1,1\n", **given)
    assert by_ids(moved.train, moved.ids) == by_ids(made.train, made.ids)
    assert moved.checksum != made.checksum


@pytest.mark.parametrize(
    ("valid", "test", "sentence"),
    [
        (
            "ann,x3,2\n",
            "ann,x1,4\n",
            "User 'ann' rates item 'x1' in 'r.csv' and in 'test.csv': a t",
        ),
        (
            "ann,x1,2\n",
            "bob,x2,4\n",
            "User 'ann' rates item 'x1' in 'r.csv' and in 'valid.csv': ke",
        ),
        ("bob,x2,2\n", "bob,x2,4\n", "User 'bob' rates item 'x2' in 'valid.csv' and in 'test.csv'"),
        ("eve,y1,2\n", "bob,x2,4\n", "No user and no item in 'valid.csv' is in 'r.csv'"),
    ],
    ids=["test", "valid", "both", "unrelated"],
)
def test_parts_in_files_do_not_overlap(valid, test, sentence, tmp_path):
    given = files(tmp_path, valid, test)
    assert sentence in refusal(tmp_path / "r.csv", HEADER + lines(","), **given)


def test_words_in_a_column_divide_the_ratings(tmp_path):
    parts = ["train", "Test", "valid", "TRAIN", "train", "test"]
    made = split(tmp_path / "r.csv", with_parts(parts), split_column="part")
    assert made.name == "part"
    assert by_ids(made.test, made.ids).keys() == {("bob", "x1"), ("cid", "x3")}
    assert by_ids(made.hold_out(0.5, 0).valid, made.ids).keys() == {("cid", "x2")}
    assert "split_column ← part; 3 training, 1 validation and 2 test ratings" in made.notes[0]
    without = split(tmp_path / "w.csv", with_parts(["train"] * 4 + ["test"] * 2), split_column=3)
    assert len(without.hold_out(0.5, 0).valid) == 2  # drawn


def test_numbers_in_a_column_are_folds(tmp_path):
    content = with_parts([0, 1, 2, 0, 1, 2])
    made = [split(tmp_path / "r.csv", content, split_column="part", fold=n) for n in (0, 1, 2)]
    assert [one.name for one in made] == ["part 0", "part 1", "part 2"]
    assert by_ids(made[0].test, made[0].ids).keys() == {("ann", "x1"), ("ann", "x2")}
    assert all(everything(one) == EXPECTED for one in made)
    assert "r.csv: rows with 2 are test ratings (data.fold)" in made[2].notes


@pytest.mark.parametrize(
    ("parts", "options", "sentence"),
    [
        (["train"] * 5 + ["dev"], {}, "The value 'dev' in row 7 of 'r.csv' names no part: the"),
        (["train"] * 5 + [""], {}, "The value '' in row 7 of 'r.csv' names no part"),
        ([0] * 5 + ["test"], {}, "The value '0' in row 2 of 'r.csv' names no part"),
        (["train"] * 6, {}, "No row of 'r.csv' has 'test' in the column 'part': there must be"),
        (["test"] * 6, {}, "No row of 'r.csv' has 'train' in the column 'part': there must be"),
        ([1] * 6, {}, "No row of 'r.csv' has a number other than data.fold=1 in the column"),
        ([0, 2] * 3, {}, "has 1 in the column 'part': choose data.fold=… from 0, 2."),
        (["train", "test"] * 3, {"fold": 2}, "data.fold=2 has no effect, because the"),
        ([1, 2] * 3, {"split_column": "fold"}, "has no column 'fold': choose data.split"),
        ([1, 2] * 3, {"split_column": "rating"}, "'r.csv' has no rating column: choose"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_with_a_column_is_one_sentence(parts, options, sentence, tmp_path):
    made = refusal(tmp_path / "r.csv", with_parts(parts), **{"split_column": "part", **options})
    assert sentence in made


@pytest.mark.parametrize("on_duplicate", ["error", "mean", "last"])
def test_a_pair_in_two_parts_of_a_file_is_refused(on_duplicate, tmp_path):
    content = with_parts(["train"] * 5 + ["test"]) + "ann,x1,4,test\n"
    options = {"split_column": "part", "on_duplicate": on_duplicate}
    sentence = refusal(tmp_path / "r.csv", content, **options)
    assert sentence == (
        "User 'ann' rates item 'x1' in several parts of 'r.csv': a test rating must not be trained "
        "on."
    )
    twice = with_parts(["train"] * 5 + ["test"]) + "ann,x1,4,train\n"
    if on_duplicate != "error":
        assert len(split(tmp_path / "t.csv", twice, **options).train) == 5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"valid_path": "v"}, "'data.valid_path' cannot be 'v': give the test ratings in a file"),
        ({"split_column": "part", "test_path": "t"}, "leave out test_path"),
        ({"split_column": "part", "folds": 3}, "data.folds divides the ratings in another way"),
        ({"split_column": "part", "split": "time"}, "data.split divides the ratings in another"),
        ({"split_column": "part", "test_share": 0.2}, "data.test_share divides the ratings in"),
        ({"split_column": "part", "layout": "matrix"}, "data.split_column and data.split=time go"),
        ({"split_column": True}, "Option 'data.split_column' cannot be True: give a column's name"),
        ({"test_path": "t", "folds": 3}, "data.folds divides data.path, which then is all for"),
        ({"folds": 3, "split": "time"}, "choose either data.folds or data.split=time, not both"),
        ({"fold": 2}, "data.fold chooses one of data.folds=…"),
        ({"n": 2}, "data.n is an option of data.split=leave_n_out"),
        ({"split": "leave_n_out", "test_share": 0.2}, "data.test_share has no effect"),
        ({"split": "time", "split_seed": 1}, "data.split_seed has no effect"),
    ],
    ids=str,
)
def test_impossible_options(options, sentence):
    with pytest.raises(GlocalkError) as error:
        RatingTable.Config.check({"path": "r.csv", **options}, "data")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_options_at_their_defaults_are_no_part_of_what_identifies_a_run():
    known = RatingTable.Config.check({"path": "r.csv"}, "data").identifying_options()
    assert known.keys() == {
        *("path", "scale", "max_bytes", "user", "item", "rating", "timestamp", "layout", "header"),
        *("encoding", "decimal", "missing", "split", "test_share", "split_seed", "test_path"),
        "on_duplicate",
    }
