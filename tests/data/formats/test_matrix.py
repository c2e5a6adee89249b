"""Matrices in text; expected ratings were written out by hand."""

import pytest

from data.tables import INPUTS, everything, refusal, split

WHOLE = {("u", "A"): 5, ("u", "C"): 3, ("v", "B"): 1, ("w", "A"): 2, ("w", "C"): 4}
NUMBERED = {(0, 0): 5, (0, 2): 3, (1, 1): 1, (2, 0): 2, (2, 2): 4}


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("user,A,B,C\nu,5,,3\nv,,1,\nw,2,,4\n", {}, WHOLE),
        (",A,B,C\nu,5,NaN,3\nv,NaN,1,NaN\nw,2,NaN,4\n", {}, WHOLE),
        ("id;A;B;C;\nu;5;0;3;\nv;0;1;0;\nw;2;0;4;\n", {"missing": 0}, WHOLE),
        ("user\tA\tB\tC\nu\t5\t-1\t3\nv\t-1\t1\t0\nw\t2\t0\t4\n", {"missing": [-1, 0]}, WHOLE),
        ("5 99 3\n99 1 99\n2 99 4\n", {"missing": 99}, NUMBERED),
        ("  5 0 3\n0 1 0\n  2   0 4\n", {"missing": 0}, NUMBERED),
        ("5,,3\n,1,\n2,,4\n", {}, NUMBERED),
        ("0,1,2,3,4,5\n5,,3,,,\n,1,,,,\n2,,4,,,\n", {}, NUMBERED),
        # Jester: the first column counts the ratings of each row.
        ("2,5,99,3\n1,99,1,99\n2,2,99,4\n", {"missing": 99}, NUMBERED),
        ('user,A,B\nu,"1,5",\nv,,"2,5"\n', {"decimal": ","}, {("u", "A"): 1.5, ("v", "B"): 2.5}),
        ("A,B\n1,\n,2\n", {"user": "none"}, {(0, "A"): 1, (1, "B"): 2}),
        ("9,4\n8,5\n", {"user": 0, "header": False}, {(9, 0): 4, (8, 0): 5}),
        (
            "9,4\n8,5\n",
            {"user": "none", "header": False},
            {(0, 0): 9, (0, 1): 4, (1, 0): 8, (1, 1): 5},
        ),
        (
            "7,3,4\n0,1,\n1,,2\n",
            {"header": True, "user": "none"},
            {(0, 7): 0, (0, 3): 1, (1, 7): 1, (1, 4): 2},
        ),
    ],
)
def test_a_matrix_is_read_with_its_ids(content, options, expected, tmp_path):
    made = split(tmp_path / "r", content, layout="matrix", **options)
    assert everything(made) == expected


def test_users_and_items_without_ratings_are_counted(tmp_path):
    made = split(tmp_path / "r", "user,A,B,C\nu,5,,3\nv,,,\n", layout="matrix")
    assert made.train.shape == (2, 3)
    assert made.ids.users.tolist() == ["u", "v"]


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        ("user,A,A\nu,5,4\n", {}, "'r' names the item 'A' twice: fix its ids."),
        ("user,A,B\nu,5,4\nu,3,1\n", {}, "'r' names the user 'u' twice: fix its ids."),
        ("user,A,B\nu,5,4\n,3,1\n", {}, "'r' has a user without id: fix its ids."),
        ("user,A,B\nu,5,4\nv,3\n", {}, "Row 3 of 'r' has 2 columns where the first has 3"),
        ("user,A,B\nu,5,4\nv,3,good\n", {}, "The rating 'good' in row 3 of 'r' is not a finite"),
        ("user,A,B\nu,5,4\nv,3,7\n", {"scale": [1, 5]}, "The rating 7 in row 3 of 'r' is not on"),
        ("user,A,B\nu,5,4\n", {"user": "B"}, "cannot be 'B' for the matrix 'r': choose 0"),
        ("5\n3\n4\n", {}, "The first column of 'r' may hold the ids of the users or"),
        (
            "4,9\n5,8\n1,2\n2,1\n",
            {"header": False},
            "The first column of 'r' may hold the ids of the users or",
        ),
        ("1,2,3\n3,2,1\n2,2,1\n", {}, "The first row of 'r' may name the items or hold ratings"),
        ("\n", {}, "'r' holds no ratings"),
        ("user,A,B\nu,0,0\nv,0,0\n", {"missing": 0}, "All ratings in 'r' are left out by"),
        ("user,A,B\nu,,\nv,,\n", {}, "'r' holds no ratings"),
    ],
)
def test_what_is_wrong_with_a_matrix_is_one_sentence(content, options, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r", content, layout="matrix", **options)


@pytest.mark.parametrize(
    "content",
    [
        "user,A,B,C,D\n" + "".join(f"u{k},{k % 5},{k % 3},{k % 4},{k % 2}\n" for k in range(9)),
        "".join(f"{k % 5} {3 * k % 5} {2 * k % 5}\n" for k in range(30)),
        "".join(f"{k},{k % 5},{3 * k % 5},{k * k % 5}\n" for k in range(9)),
        "".join(f"u{k}\t{k % 5}\t{3 * k % 5}\t{k * k % 5}\t1\n" for k in range(9)),
        "".join(f"{7.5 - k},99,{k - 3.25},{k / 4}\n" for k in range(9)),
        ",10,20,30\n" + "".join(f"{k},{k % 5},{3 * k % 5},{k * k % 5}\n" for k in range(9)),
        ",0,1,2,3\n" + "".join(f"{k},1,{k % 5},{3 * k % 5},{k * k % 5}\n" for k in range(9)),
    ],
)
def test_a_matrix_is_not_read_as_a_table(content, tmp_path):
    assert "data.layout=matrix (and data.missing=0 if 0" in refusal(tmp_path / "r", content)


def test_a_thin_table_of_small_numbers_is_a_table(tmp_path):
    pairs = [(u, i) for u in range(1, 9) for i in range(1, 6) if (u + i) % 3]
    expected = {(u, i): 1 + (u * i) % 5 for u, i in pairs}
    for order in (pairs, sorted(pairs, key=lambda pair: pair[1])):
        content = "".join(f"{u},{i},{expected[u, i]}\n" for u, i in order)
        assert everything(split(tmp_path / "r", content)) == expected
    # So few, and in no order: it may be three items.
    content = "3,1,4\n1,2,3\n2,1,5\n1,1,1\n"
    assert "may be a matrix of users and items" in refusal(tmp_path / "r", content)
    made = split(tmp_path / "r", content, layout="table")
    assert everything(made) == {(3, 1): 4, (1, 2): 3, (2, 1): 5, (1, 1): 1}


def test_matrices_of_the_inputs_are_read_with_their_ids():
    dense = split(INPUTS / "wide_dense.csv", layout="matrix")
    assert (len(everything(dense)), dense.train.shape) == (40, (10, 4))
    assert everything(dense)["u9", "Dune"] == 2
    zeros = split(INPUTS / "wide_zeros.csv", layout="matrix", missing=0)
    assert (len(everything(zeros)), zeros.train.shape, zeros.train.scale) == (16, (10, 4), (1, 5))
    coat = split(INPUTS / "coat.ascii", layout="matrix", missing=0)
    lines = (INPUTS / "coat.ascii").read_text().splitlines()
    expected = {
        (user, item): float(cell)
        for user, line in enumerate(lines)
        for item, cell in enumerate(line.split())
        if cell != "0"
    }
    assert everything(coat) == expected
    assert coat.train.shape == (10, 12)
    for name in ("wide_dense.csv", "wide_zeros.csv", "coat.ascii"):
        assert "data.layout=matrix" in refusal(INPUTS / name)


def test_what_was_taken_of_a_matrix_is_said(tmp_path):
    content = "2,5,99,3\n1,99,1,99\n2,2,99,4\n"
    assert split(tmp_path / "r", content, layout="matrix", missing=99).notes == (
        "user ← rows, counted from 0, item ← columns, counted from 0, rating ← cells; 5 ratings, "
        "3 users, 3 items, scale 1–5",
        "r: column 0 counts the ratings of each row; 4 cells left out by data.missing",
    )
