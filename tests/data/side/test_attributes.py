import numpy as np
import pandas as pd
import pytest

from glocalk.data.ids import Ids
from glocalk.data.side.attributes import Attributes
from glocalk.errors import GlocalkError

IDS = Ids(np.array([5, 7, 9]), np.array(["x", "y"], dtype=object))


def test_values_are_numbers_texts_or_several_texts():
    made = Attributes(
        "user",
        {
            "age": [24, None, 53],
            "is_member": [True, False, True],
            "gender": ["M", None, " F "],
            "genres": [["War", "Comedy", "War"], None, "Drama"],
            "code": ["7", 7, 7.5],
        },
    )
    assert len(made) == 3
    np.testing.assert_array_equal(made.column("age"), [24.0, np.nan, 53.0])
    assert made.column("is_member").tolist() == [1.0, 0.0, 1.0]
    assert made.column("gender").tolist() == ["M", None, "F"]
    assert made.column("genres").tolist() == [("Comedy", "War"), (), ("Drama",)]
    assert made.column("code").tolist() == ["7", "7", "7.5"]
    forms = {name: made.form(name) for name in made.columns}
    assert forms == {
        "age": "number",
        "is_member": "number",
        "gender": "text",
        "genres": "several",
        "code": "text",
    }


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"age": [1, 2], "zip": ["a"]}, "differ in length"),
        ({}, "or are none"),
        ({"age": [1.0, np.inf]}, "'age' of the items has the value inf"),
        ({"age": [np.nan, 3.0, -1e300]}, "'age' of the items has the value -1e.300"),
        ({"tags": [["a", ["b"]]]}, "'tags' of the items holds list"),
        ({"born": [b"1", "2"]}, "'born' of the items holds bytes"),
    ],
)
def test_what_cannot_be_an_attribute_is_refused(columns, sentence):
    with pytest.raises(GlocalkError, match=sentence):
        Attributes("item", columns)


def test_a_missing_value_in_a_list_is_none_of_its_texts():
    made = Attributes("item", {"tags": [["b", None, 7], [np.nan, " "], None]})
    assert made.column("tags").tolist() == [("7", "b"), (), ()]


def test_a_table_is_put_under_the_indices_of_its_ids():
    table = pd.DataFrame(
        {"user": [9, 4, 5], "age": [90, 40, 50], "tags": [["a"], ["b"], ["c", "d"]]}
    )
    made = Attributes.of_ids("user", table, "user", IDS)
    np.testing.assert_array_equal(made.column("age"), [50.0, np.nan, 90.0])
    assert made.column("tags").tolist() == [("c", "d"), (), ("a",)]
    named = Attributes.of_ids("item", pd.DataFrame({"id": ["y"], "year": [1995]}), "id", IDS)
    np.testing.assert_array_equal(named.column("year"), [np.nan, 1995.0])


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"usr": [5], "age": [1]}, "no column 'user': did you mean 'usr'"),
        ({"user": [5, 5], "age": [1, 2]}, "two rows with the same user"),
        ({"user": [6, 8], "age": [1, 2]}, "No user of the table of users is in the ratings"),
    ],
)
def test_a_table_that_does_not_fit_the_ids_is_refused(table, sentence):
    with pytest.raises(GlocalkError, match=sentence):
        Attributes.of_ids("user", pd.DataFrame(table), "user", IDS)


def test_an_unknown_attribute_is_named_with_the_nearest():
    with pytest.raises(GlocalkError, match="no attribute 'gnder': did you mean 'gender'"):
        Attributes("user", {"gender": ["F"]}).column("gnder")


def test_the_checksum_tells_values_and_names_apart():
    one = Attributes("user", {"age": [1, None], "tags": [["a", "b"], []]})
    same = Attributes("user", {"age": [1.0, np.nan], "tags": [["b", "a"], None]})
    assert one.checksum == same.checksum
    others = [
        Attributes("item", {"age": [1, None], "tags": [["a", "b"], []]}),
        Attributes("user", {"age": [1, 0], "tags": [["a", "b"], []]}),
        Attributes("user", {"old": [1, None], "tags": [["a", "b"], []]}),
        Attributes("user", {"age": [1, None], "tags": [["ab"], []]}),
    ]
    assert len({one.checksum, *(other.checksum for other in others)}) == 5
