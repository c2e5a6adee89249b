"""Delimited text; expected ratings are written out by hand, or taken with plain loops."""

import pytest

from data.tables import EXPECTED, HEADER, ROWS, everything, lines, refusal, split
from glocalk.data.formats import compression


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding, tmp_path):
    rows = [("Zoë", "寿司", 4), ("Ørn", "寿司", 2)]
    made = split(tmp_path / "r.csv", lines(",", rows=rows).encode(encoding))
    assert everything(made) == {("Zoë", "寿司"): 4, ("Ørn", "寿司"): 2}


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        ("1,7,5\n1,8,3,4\n", {}, "Row 2 of 'r.csv' has 4 columns where the first has 3: fix"),
        ("u i r\n1 1 7 5\n2 1 8 3\n", {}, "has 3: fix the row, or, if all rows have as many, name"),
        (
            "u i r\n1 7 5\n1 8 3 4\n",
            {},
            "Row 3 of 'r.csv' has 4 columns where the first has 3: fix the row.",
        ),
        ("1,7,5\n1,8\n", {}, "Row 2 of 'r.csv' has 2 columns where the first has 3: fix"),
        ('1,7,5\n1,"8,3\n1,9,3\n', {}, "of 'r.csv' cannot be read (unexpected end of data): fix"),
        ('1,7,5,a\n1,8,3,"b\n1,9,3,c\n', {}, "of 'r.csv' cannot be read (unexpected end of data)"),
        ("", {}, "'r.csv' holds no ratings: give a file with rows."),
        ("\n\n", {}, "'r.csv' holds no ratings"),
        (HEADER, {}, "'r.csv' holds no ratings"),
        (b"1,7,5\n\xe9\n", {}, "'r.csv' is not UTF-8 text (at byte 6): save it as"),
        (b"1,7,\x00\n", {}, "'r.csv' is not a table of text, because it holds zero bytes"),
    ],
)
def test_what_is_wrong_with_a_text_is_one_sentence(content, options, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r.csv", content, **options)


# Pieces: the file is read in blocks, here of a few bytes


@pytest.fixture(params=[5, 16, 61, 10_000])
def block(request, monkeypatch):
    monkeypatch.setattr(compression, "_BLOCK", request.param)


FORMS = {
    "whole numbers": (lambda k: f"{k}", lambda k: f"{10**k % 97}"),
    "text": (lambda k: f"user {k}", lambda k: f"é{k % 7}"),
    "numbers, then text": (lambda k: f"{k}" if k < 15 else f"u{k}", lambda k: f"{k % 7}"),
    "leading zeros at the end": (lambda k: f"{k:02}" if k == 27 else f"{k}", lambda k: f"0{k}"),
    "quoted": (lambda k: f'"{k}"', lambda k: f'"item, {k}"'),
    "doubled quotes": (lambda k: f'"say ""{k}"""' if k % 9 == 4 else f"{k}", lambda k: f'"{k}"'),
    "quoted line ends": (lambda k: f'"a\r\nb{k}"' if k % 5 == 3 else f"{k}", lambda k: f"{k}"),
}


def cell(written):
    return written[1:-1].replace('""', '"') if written.startswith('"') else written


def numbers(labels):
    """The labels as whole numbers, if all of them are written in the usual way."""
    whole = all(label.isdecimal() and str(int(label)) == label for label in labels)
    return [int(label) for label in labels] if whole else labels


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "\n\n"])
def test_pieces_join_to_the_whole(form, ending, last, tmp_path):
    user, item = FORMS[form]
    rows = [(user(k), item(k), 1 + k % 5) for k in range(28)]
    text = ending.join([f"{u},{i},{r}" for u, i, r in rows]) + last
    made = split(tmp_path / "r.csv", text)

    users, items = zip(*[(cell(u), cell(i)) for u, i, _ in rows], strict=True)
    expected = {
        (user, item): rating
        for user, item, (*_, rating) in zip(numbers(users), numbers(items), rows, strict=True)
    }
    assert everything(made) == expected


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("separator", ["::", " ", "  ", "\t"])
def test_separators_are_the_same_in_every_piece(separator, tmp_path):
    rows = [(f"u{k}", k % 7, k % 5) for k in range(28)]
    made = split(tmp_path / "r", lines(separator, "\n", rows))
    assert everything(made) == {(user, item): rating for user, item, rating in rows}


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,y,bad", "The rating 'bad' in row 24 of"),
        ("x,y", "Row 24 of 'r.csv' has 2 columns"),
        ("x,y,3,4", "Row 24 of 'r.csv' has 4 columns"),
        (",y,3", "Row 24 of 'r.csv' has no user"),
        ('x,"y"z,3', "Row 24 of 'r.csv' cannot be read (',' expected after '\"')"),
        ("u3,3,3", "in rows 5 and 24 of"),
    ],
)
def test_errors_name_the_row_in_whatever_piece(row, reason, tmp_path):
    # Row 1 is the header and row 17 is blank; rows 9 and 10 are one.
    rows = [f"u{k},{k % 7},{k % 5}" for k in range(20)]
    rows[7] = '"a\nb",1,4'
    rows.insert(14, "")
    content = "\n".join([HEADER.strip(), *rows, row, "u9,30,1\n"])
    assert content.split("\n")[24 - 1] == row
    assert reason in refusal(tmp_path / "r.csv", content)


@pytest.mark.usefixtures("block")
def test_bytes_that_are_not_text_are_found_in_every_piece(tmp_path):
    good = "1,7,5\n2,7,é\n" * 9
    size = len(good.encode())
    for bad, reason in ((b"\xff", f"is not UTF-8 text (at byte {size})"), (b"\0", "zero bytes")):
        assert reason in refusal(tmp_path / "r.csv", good.encode() + bad + b",8,1\n")


def test_an_unpaired_surrogate_is_not_utf_16(tmp_path):
    content = "1,7,5\n".encode("utf-16") + b"\x00\xd8"
    assert "'r.csv' is not UTF-16 text, although its byte order mark says so" in refusal(
        tmp_path / "r.csv", content
    )
