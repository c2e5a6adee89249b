"""Encodings of a table of four users, by hand."""

import numpy as np
import pytest

from glocalk.data.side.attributes import Attributes
from glocalk.data.side.encode import FeatureConfig, encode
from glocalk.errors import GlocalkError

USERS = Attributes(
    "user",
    {
        "age": [30, 10, None, 30],
        "gender": ["F", "M", "F", None],
        "genres": [["War", "Drama"], ["unknown"], [], ["War"]],
    },
)


def encoded(*features):
    made = encode(USERS, [FeatureConfig.check(feature, "") for feature in features])
    return made.matrix.tolist(), list(made.names)


@pytest.mark.parametrize(
    ("feature", "matrix", "names"),
    [
        (
            {"attribute": "age", "encoding": "scaled", "center": 10, "divide_by": 40},
            [[0.5], [0], [0], [0.5]],
            ["age"],
        ),
        (
            {"attribute": "gender", "encoding": "flag", "value": "F"},
            [[1], [0], [1], [0]],
            ["gender=F"],
        ),
        ({"attribute": "age", "encoding": "flag", "value": "30"}, [[1], [0], [0], [1]], ["age=30"]),
        (
            {"attribute": "gender", "encoding": "one_hot"},
            [[1, 0], [0, 1], [1, 0], [0, 0]],
            ["gender=F", "gender=M"],
        ),
        (
            {"attribute": "age", "encoding": "one_hot"},
            [[0, 1], [1, 0], [0, 0], [0, 1]],
            ["age=10", "age=30"],
        ),
        (
            {"attribute": "genres", "encoding": "multi_hot", "without": ["unknown"]},
            [[1, 1], [0, 0], [0, 0], [0, 1]],
            ["genres=Drama", "genres=War"],
        ),
    ],
)
def test_each_encoding(feature, matrix, names):
    assert encoded(feature) == (matrix, names)


def test_features_stand_side_by_side_in_their_order():
    flag = {"attribute": "gender", "encoding": "flag", "value": "M"}
    age = {"attribute": "age", "encoding": "scaled", "divide_by": 10}
    assert encoded(flag, age) == ([[0, 3], [1, 1], [0, 0], [0, 3]], ["gender=M", "age"])


def test_ages_are_in_ascending_order_of_numbers():
    users = Attributes("user", {"age": [100, 9, 20]})
    made = encode(users, [FeatureConfig(attribute="age", encoding="one_hot")])
    assert made.names == ("age=9", "age=20", "age=100")


@pytest.mark.parametrize(
    ("feature", "sentence"),
    [
        ({"attribute": "aeg", "encoding": "scaled"}, "no attribute 'aeg': did you mean 'age'"),
        ({"attribute": "gender", "encoding": "scaled"}, "is a text, .* choose flag or one_hot"),
        ({"attribute": "genres", "encoding": "one_hot"}, "list of texts, .* choose multi_hot"),
        ({"attribute": "age", "encoding": "multi_hot"}, "is a number, .* choose scaled, flag"),
        (
            {"attribute": "gender", "encoding": "flag", "value": "W"},
            "'gender' has no value 'W': choose from F, M",
        ),
        (
            {"attribute": "genres", "encoding": "multi_hot", "without": ["Unknown"]},
            "no value 'Unknown': did you mean 'unknown'",
        ),
        ({"attribute": "age", "encoding": "flag"}, "flag needs a value"),
        ({"attribute": "age", "encoding": "one_hot", "value": "3"}, "'value' does not go with"),
        ({"attribute": "age", "encoding": "scaled", "divide_by": 0}, "divide_by"),
        ({"attribute": "gender", "encoding": "binned"}, "is a text, .* choose flag or one_hot"),
        ({"attribute": "age", "encoding": "one_hot", "bins": 3}, "'bins' does not go with"),
        ({"attribute": "age", "encoding": "binned", "first": 3}, "'first' does not go with"),
    ],
)
def test_a_wrong_feature_is_refused(feature, sentence):
    with pytest.raises(GlocalkError, match=sentence):
        encoded(feature)


@pytest.mark.parametrize(
    "options",
    [
        {"attribute": "age", "encoding": "scaled", "center": 5, "divide_by": 2},
        {"attribute": "gender", "encoding": "flag", "value": "F"},
        {"attribute": "genres", "encoding": "multi_hot", "without": ["unknown"]},
        {"attribute": "gender", "encoding": "one_hot", "first": 1},
        {"attribute": "age", "encoding": "binned", "bins": 3},
    ],
)
def test_a_feature_can_be_written_down_and_read_again(options):
    feature = FeatureConfig(**options)
    assert FeatureConfig.check(feature.model_dump(), "") == feature
    assert FeatureConfig.check(feature.model_dump(mode="json"), "") == feature


def test_no_features_are_refused():
    with pytest.raises(GlocalkError, match="No feature of the users is named"):
        encode(USERS, [])


def test_the_matrix_is_of_floats():
    assert encode(USERS, [FeatureConfig(attribute="age", encoding="one_hot")]).matrix.dtype == (
        np.float64
    )


def test_without_a_list_every_attribute_is_encoded_by_its_form():
    users = Attributes(
        "user", {"age": [10, None, 30], "gender": ["F", None, "M"], "tags": [["a"], [], ["b", "a"]]}
    )
    made = encode(users, None)
    assert made.names == ("age", "gender=F", "gender=M", "tags=a", "tags=b")
    # Mean 20, standard deviation 10; what is unknown is 0 everywhere.
    assert made.matrix.tolist() == [[-1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 0, 1, 1, 1]]
    same = Attributes("user", {"age": [7, 7], "size": [None, None], "name": [None, None]})
    assert encode(same, None).matrix.tolist() == [[0], [0]]  # no column for texts that none has


def binned(numbers, bins):
    ages = Attributes("user", {"age": numbers})
    made = encode(ages, [FeatureConfig(attribute="age", encoding="binned", bins=bins)])
    return made.matrix.argmax(axis=1).tolist(), made.matrix.sum(axis=1).tolist(), made.names


def test_intervals_end_at_percentiles_and_include_their_end():
    # Percentiles by linear interpolation between the six known numbers.
    at, sums, names = binned([10, 20, 21, 30, None, 40, 50], 4)
    assert names == ("age<=20.25", "age<=25.5", "age<=37.5", "age>37.5")
    assert at == [0, 0, 1, 2, 0, 3, 3]
    assert sums == [1, 1, 1, 1, 0, 1, 1]
    at, _, names = binned([10, 20, 30, 40, 50], 4)
    assert names == ("age<=20", "age<=30", "age<=40", "age>40")
    assert at == [0, 0, 1, 2, 3]


def test_intervals_that_end_at_the_same_number_are_one():
    at, _, names = binned([7, 7, 7, 9], 4)
    assert names == ("age<=7", "age<=7.5", "age>7.5")
    assert at == [0, 0, 0, 2]
    assert binned([7, 7], 3) == ([0, 0], [1, 1], ("age<=7", "age>7"))


def test_numbers_that_nobody_has_get_no_interval():
    users = Attributes("user", {"age": [None, np.nan]})
    made = encode(users, [FeatureConfig(attribute="age", encoding="binned")])
    assert made.matrix.shape == (2, 0)


def test_the_first_characters_of_a_value_can_be_what_counts():
    zips = Attributes("user", {"zip": ["90210", "93101", None, "T8H1N", "10001"]})
    made = encode(zips, [FeatureConfig(attribute="zip", encoding="one_hot", first=1)])
    assert made.names == ("zip=1", "zip=9", "zip=T")
    assert made.matrix.tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 0]]
    two = encode(zips, [FeatureConfig(attribute="zip", encoding="one_hot", first=2)])
    assert two.names == ("zip=10", "zip=90", "zip=93", "zip=T8")
