"""Several ratings of one pair."""

import pytest

from data.tables import INPUTS, by_ids, everything, split

HEAD = "user,item,rating,timestamp\n"


@pytest.mark.parametrize("how", ["ratio", "time"])
def test_the_last_rating_is_that_of_the_highest_timestamp(how):
    made = split(INPUTS / "newest_first.csv", on_duplicate="last", split=how)
    assert everything(made)[1, 1] == 5
    assert (
        "newest_first.csv: 1 pair has several ratings, of which the last by time (timestamp) is "
        "taken"
    ) in made.notes


@pytest.mark.parametrize(
    ("content", "options", "rating"),
    [
        (HEAD + "1,1,5,300\n1,1,1,100\n2,1,3,9\n", {}, 5),
        (HEAD + "1,1,2,100\n1,1,1,100\n2,1,3,9\n", {}, 1),  # equally late: the later row
        (HEAD + "1,1,5,2021-02-01\n1,1,1,2020-12-31\n2,1,3,2020-01-01\n", {}, 5),
        ("1,1,5,1600000300\n1,1,1,1600000100\n2,1,3,1600000000\n", {}, 5),  # no header
        ("user,item,rating,when\n1,1,5,300\n1,1,1,100\n2,1,3,9\n", {}, 1),  # no time is read
        ("user,item,rating,when\n1,1,5,300\n1,1,1,100\n2,1,3,9\n", {"timestamp": "when"}, 5),
        ("user,item,rating\n1,1,5\n1,1,1\n2,1,3\n", {}, 1),
    ],
)
def test_last_is_by_time_where_there_is_one(content, options, rating, tmp_path):
    made = split(tmp_path / "r.csv", content, on_duplicate="last", **options)
    assert everything(made) == {(1, 1): rating, (2, 1): 3}
    by = made.notes[1].split("the last ")[1]
    timed = "time" in content or "2021" in content or "1600" in content or options
    assert by.startswith("by time (" if timed else "by row is taken")


def test_a_mean_is_as_late_as_its_latest_rating(tmp_path):
    content = HEAD + "1,1,5,300\n2,1,3,200\n1,1,1,100\n"
    made = split(tmp_path / "r.csv", content, split="time", on_duplicate="mean")
    assert by_ids(made.test, made.ids) == {(1, 1): 3}
    assert "r.csv: 1 pair has several ratings, of which the mean is taken" in made.notes


def test_several_pairs_in_no_order(tmp_path):
    rows = [(u, i, 1 + (u + i + t) % 5, t) for t in range(4) for u in range(3) for i in range(3)]
    rows = [rows[(7 * k) % len(rows)] for k in range(len(rows))]
    expected = {}
    for user, item, rating, _ in sorted(rows, key=lambda row: row[3]):
        expected[user, item] = rating
    content = HEAD + "".join(",".join(map(str, row)) + "\n" for row in rows)
    assert everything(split(tmp_path / "r.csv", content, on_duplicate="last")) == expected
