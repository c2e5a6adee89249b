import numpy as np
import pandas as pd
import pytest

from glocalk.data import RatingMatrix, Split
from glocalk.data.ids import Ids
from glocalk.data.side import Attributes, RatingDates, SideInformation
from glocalk.errors import GlocalkError

USERS = Attributes("user", {"age": [1, 2, 3]})
DATES = RatingDates(np.array([7, 2]), np.array([1.5, 0.25]), 4)


def test_a_part_is_read_once_when_it_is_asked_for():
    read = []

    def reader():
        read.append(1)
        return USERS

    side = SideInformation({"user attributes": reader, "rating dates": DATES})
    assert side.names == ("user attributes", "rating dates")
    assert not read
    assert side.attributes("user") is side.attributes("user") is USERS
    assert read == [1]


def test_a_missing_part_is_named():
    with pytest.raises(GlocalkError, match="This data set has no item graph"):
        SideInformation().graph("item")
    side = SideInformation({"user attributes": USERS, "rating dates": DATES})
    with pytest.raises(GlocalkError) as error:
        side.check(["user graph", "user attributes", "item graph"], (3, 4), "MyModel")
    assert str(error.value) == (
        "MyModel needs user graph and item graph beside the ratings, and there are user attributes "
        "and rating dates: choose another data set, or add them to this one, see "
        "docs/side_information.md."
    )


@pytest.mark.parametrize(
    ("need", "shape", "sentence"),
    [
        ("user attributes", (2, 4), "user attributes are of 3 users, and .* of 2"),
        ("rating dates", (3, 5), "rating dates are of 4 items, and .* of 5"),
        ("item graph", (3, 4), "item graph are of 2 items, and .* of 4"),
    ],
)
def test_parts_of_another_matrix_are_refused(need, shape, sentence):
    parts = {"user attributes": USERS, "rating dates": DATES, "item graph": np.eye(2)}
    with pytest.raises(GlocalkError, match=sentence):
        SideInformation(parts).check([need], shape, "MyModel")


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"user atributes": USERS}, "no part 'user atributes': choose from user attributes"),
        ({"user attributes": DATES}, "must be Attributes, not RatingDates"),
        ({"user graph": np.zeros((2, 3))}, "user graph has shape"),
    ],
)
def test_what_is_no_part_is_refused(parts, sentence):
    with pytest.raises(GlocalkError, match=sentence):
        SideInformation(parts)


def test_it_is_made_from_tables_under_the_ids_of_the_ratings():
    ids = Ids(np.array([5, 7, 9]), np.array(["x", "y"], dtype=object))
    side = SideInformation.from_frames(
        ids,
        users=pd.DataFrame({"user": [9, 5], "age": [90, 50]}),
        items=pd.DataFrame({"item": ["y"], "tags": [["a", "b"]]}),
        user_edges=pd.DataFrame({"one": [5, 9, 5], "other": [9, 9, 8], "weight": [2, 3, 4]}),
        item_edges=pd.DataFrame([["x", "y"]]),
    )
    np.testing.assert_array_equal(side.attributes("user").column("age"), [50, np.nan, 90])
    assert side.attributes("item").column("tags").tolist() == [(), ("a", "b")]
    assert side.graph("user").toarray().tolist() == [[0, 0, 2], [0, 0, 0], [2, 0, 3]]
    assert side.graph("item").toarray().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("ids", "tables", "sentence"),
    [
        ([1, 2], {}, "needs the ids of the ratings, `ratings.ids`, not list"),
        (None, {"users": {"user": [0]}}, "`users` must be a pandas DataFrame, not dict"),
        (None, {"item_edges": [(0, 1)]}, "`item_edges` must be a pandas DataFrame, not list"),
    ],
)
def test_arguments_of_another_type_are_refused(ids, tables, sentence):
    with pytest.raises(GlocalkError, match=sentence):
        SideInformation.from_frames(ids or Ids.numbered((2, 2)), **tables)


def test_dates_are_looked_up_by_pair():
    seconds = np.array([86_400 * 3, 43_200])
    dates = RatingDates.from_seconds(np.array([1, 0]), np.array([3, 2]), seconds, 4)
    found = dates.of(np.array([0, 1, 1]), np.array([2, 3, 2]))
    np.testing.assert_array_equal(found, [0.5, 3.0, np.nan])
    empty = RatingDates(np.array([], int), np.array([]), 4)
    np.testing.assert_array_equal(empty.of(np.array([1]), np.array([1])), [np.nan])


@pytest.mark.parametrize(
    ("cells", "days", "sentence"),
    [([1, 1], [0, 1], "has two dates"), ([1], [np.nan], "finite"), ([1, 2], [1], "one date")],
)
def test_wrong_dates_are_refused(cells, days, sentence):
    with pytest.raises(GlocalkError, match=sentence):
        RatingDates(np.array(cells), np.array(days, float), 4)


def test_a_split_has_another_checksum_with_side_information():
    ratings = RatingMatrix(np.arange(3), np.array([0, 1, 2]), np.ones(3), (3, 4), (1, 5))
    parts = {"user attributes": USERS, "item graph": np.eye(4), "rating dates": DATES}
    split = Split(
        "by hand", ratings.select([0, 1]), ratings.select([2]), side=SideInformation(parts)
    )
    assert split.hold_out(0.5, 0).side is split.side
    assert split.checksum_with(()) == split.checksum
    sums = [split.checksum_with(needs) for needs in (["user attributes"], ["item graph"])]
    both = split.checksum_with(["user attributes", "item graph"])
    assert both == split.checksum_with(["item graph", "user attributes"])
    assert len({split.checksum, both, *sums}) == 4
    other = SideInformation({**parts, "user attributes": Attributes("user", {"age": [1, 2, 4]})})
    changed = Split("by hand", split.train, split.test, side=other)
    assert changed.checksum_with(["user attributes"]) != sums[0]
    assert changed.checksum_with(["item graph"]) == sums[1]


def test_what_a_completer_needs_and_is_not_there():
    side = SideInformation({"user attributes": USERS, "rating dates": DATES})
    assert side.lacking(["rating dates", "user attributes"], [("user", "age")]) == []
    wanted = [("user", "height"), ("item", "year")]
    assert side.lacking(["user graph", "item attributes"], wanted) == [
        *("item attributes", "user graph", "user attribute 'height'"),
    ]
