"""What pandas may parse, and that it parses to what Python does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glocalk.data.formats.columns import Texts
from glocalk.data.formats.plain import PlainParser

POSITIONS = {"user": 0, "item": 1, "rating": 2}


def parse(piece, separator=",", width=3, positions=POSITIONS):
    return PlainParser(separator, width, positions).parse(piece.encode())


def cells(part):
    if isinstance(part, Texts):
        return [part.texts[code] for code in part.codes]
    return part.tolist()


@pytest.mark.parametrize(
    ("piece", "users"),
    [
        ("1,7,5\n20,7,4\n", [1, 20]),
        ("-3,7,5\n0,7,4", [-3, 0]),
        (f"{2**63 - 1},7,5\n{-(2**63)},7,4\n", [2**63 - 1, -(2**63)]),
        (f"{2**63},7,5\n1,7,4\n", [str(2**63), "1"]),
        ("007,7,5\n1,7,4\n", ["007", "1"]),
        ("+7,7,5\n1,7,4\n", ["+7", "1"]),
        ("-0,7,5\n1,7,4\n", ["-0", "1"]),
        ("1.0,7,5\n2.0,7,4\n", ["1.0", "2.0"]),
        ("true,7,5\nfalse,7,4\n", ["true", "false"]),
        ("inf,7,5\n1,7,4\n", ["inf", "1"]),
        ("1, 7, 5\n2, 7, 4\n", [1, 2]),
        (" 1,7,5\n2 ,7,4\n", [1, 2]),
        ('"1",7,5\n"2",7,4\n', [1, 2]),
        ('"a,b",7,5\nc,7,4\n', ["a,b", "c"]),
        ("NA,7,5\n#,7,4\n", ["NA", "#"]),
        ("1,7,5\r\n2,7,4\r\n", [1, 2]),
        ("1,7,5\r2,7,4\r", [1, 2]),
        ("1,7,5\n2,7,4\n\n\n", [1, 2]),
    ],
)
def test_plain_pieces(piece, users):
    made = parse(piece)
    assert cells(made.by_role["user"]) == users
    assert cells(made.by_role["item"]) == [7, 7]
    assert made.ratings.tolist() == [5, 4]


@pytest.mark.parametrize(
    "piece",
    [
        "1,7\n2,7,4,9\n",
        "1,7,5,9\n2,7\n",
        "1,7\n",
        "1,7,5\n\n2,7,4\n",
        "1,7,5\n,,\n",
        "1,7,5\n,7,4\n",
        'a"b,7,5\n"c,7,4\n',
        '"1"2,7,5\n',
        '1,"7" ,5\n',
        '"say ""x""",7,5\n',
        '"a\nb",7,5\n',
        '"1,7,5\n',
        "\n",
        "",
    ],
)
def test_pieces_that_are_not_plain_are_left_to_the_caller(piece):
    assert parse(piece) is None


@pytest.mark.parametrize(
    ("rating", "value"),
    [("true", None), ("good", None), ("", None), ("inf", None), ("1e999", np.inf), ("1e5", 1e5)],
)
def test_a_rating_is_a_number_or_nan(rating, value):
    made = parse(f"1,7,{rating}\n")
    np.testing.assert_array_equal(made.ratings, [np.nan if value is None else value])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.from_regex(r"[+-]?([0-9]{1,12}\.?[0-9]{0,12}|\.[0-9]{1,9})", fullmatch=True),
            st.from_regex(r"-?[0-9]{1,9}(\.[0-9]{1,9})?[eE][+-]?[0-9]{1,2}", fullmatch=True),
            st.floats(allow_nan=False, allow_infinity=False).map(repr),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_ratings_are_exact_to_the_last_bit(written):
    made = parse("".join(f"1,7,{rating}\n" for rating in written))
    assert made.ratings.tolist() == [float(rating) for rating in written]


def test_a_column_of_text_is_remembered():
    parser = PlainParser(",", 3, POSITIONS)
    assert cells(parser.parse(b"a,7,5\n").by_role["user"]) == ["a"]
    assert cells(parser.parse(b"1,7,5\n").by_role["user"]) == ["1"]
    assert parser.parse(b",7,5\n") is None
