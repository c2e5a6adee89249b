"""When every point of a search space has been tried."""

import pytest

from glocalk.records.search import is_exhausted, point_of, with_start

INTEGERS = {"low": 1, "high": 3}


@pytest.mark.parametrize(
    ("space", "tried", "exhausted"),
    [
        ({"a": [1, 2]}, [], False),
        ({"a": [1, 2]}, [{"a": 1}, {"a": 1}], False),
        ({"a": [1, 2]}, [{"a": 2}, {"a": 1}], True),
        ({"a": [1, 2, 2]}, [{"a": 2}, {"a": 1}], True),
        ({"a": [[8], [8, 8]]}, [{"a": [8]}, {"a": [8, 8]}], True),
        ({"a": [None, 0]}, [{"a": None}, {"a": 0}], True),
        ({"a": [True, False], "b": INTEGERS}, [{"a": True, "b": b} for b in (1, 2, 3)], False),
        ({"b": INTEGERS}, [{"b": 1}, {"b": 2}], False),
        ({"b": INTEGERS}, [{"b": 1}, {"b": 2}, {"b": 3}], True),
        # The present value may lie outside of a range, and is then no point of it.
        ({"b": INTEGERS}, [{"b": 9}, {"b": 1}, {"b": 2}], False),
        (
            {"a": [1], "c": {"low": 0.5, "high": 1.0}},
            [{"a": 1, "c": 0.5}, {"a": 1, "c": 1.0}],
            False,
        ),
    ],
)
def test_a_finite_space_ends(space, tried, exhausted):
    assert is_exhausted(space, tried) is exhausted


def test_the_present_value_is_a_choice_of_a_list_and_no_part_of_a_range():
    space = {"a": [1, 2], "b": INTEGERS}
    assert with_start(space, {"a": 5, "b": 9}) == {"a": [5, 1, 2], "b": INTEGERS}
    assert with_start(space, {"a": 2, "b": 1}) == space


def test_the_order_of_options_does_not_name_another_point():
    assert point_of({"a": 1, "b": 2}) == point_of({"b": 2, "a": 1}) != point_of({"a": 2, "b": 1})
