"""Comments and `sep=;` at the top of a text; no row vanishes with them."""

from pathlib import Path

import pytest

from data.tables import everything, refusal, split
from glocalk.data.formats import compression

INPUTS = Path(__file__).parents[2] / "inputs"
SMALL = {(1, 10): 4, (1, 11): 5, (2, 10): 3}
BODY = "1,10,4\n1,11,5\n2,10,3\n"
TABLE = f"user,item,rating\n{BODY}"


@pytest.mark.parametrize("name", ["excel_sep.csv", "hash_comment.csv", "small.csv"])
def test_inputs_with_a_preamble_hold_the_same_ratings(name):
    assert everything(split(INPUTS / name)) == SMALL


@pytest.mark.parametrize("block", [5, 1 << 20])
@pytest.mark.parametrize(
    "content",
    [
        f"# made on Tuesday\n{TABLE}",
        f"# made on Tuesday\n#\n\n# user: who, item: what, rating: 1-5\n{TABLE}",
        f"#user,item,rating,see,below\n{TABLE}",
        f"# 1,10,4\n{TABLE}",  # above a header there are no ratings
        f"% exported\r\n{TABLE}",
        f"\n# made, by, me\n{BODY}",
        f"# user,item,rating\n{BODY}",  # the header of numpy.savetxt
        f"#User-ID,ISBN,Book-Rating\n{BODY}",
        "# made, by, me\n# item,user,rating\n10,1,4\n11,1,5\n10,2,3\n",
        "sep=;\nuser;item;rating\n1;10;4\n1;11;5\n2;10;3\n",
        '"sep=,"\r\n' + TABLE.replace("\n", "\r\n"),
        "SEP=\t\n# made, on, Tuesday\n" + TABLE.replace(",", "\t"),
        "sep=|\n1|10|4\n1|11|5\n2|10|3\n",
        "% bip weighted\n1 10 4 881250949\n1 11 5 881250950\n2 10 3 881250951\n",
        "% bip weighted\n% 3 2 11\n1 10 4\n1 11 5\n2 10 3\n",  # KONECT: could be a rating
        "% bip posweighted\n1 10\t4\n1 11\t5\n2 10\t3\n",
    ],
)
def test_comments_are_not_ratings(content, block, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_BLOCK", block)
    assert everything(split(tmp_path / "r", content)) == SMALL


def test_a_header_behind_a_mark_may_have_chosen_names(tmp_path):
    made = split(tmp_path / "r", f"# who,what,how\n{BODY}", user="who", item="what", rating="how")
    assert everything(made) == SMALL


@pytest.mark.parametrize("content", ["#1,x,5\n", "% 1,x,5\n", "# a remark\n#1,x,5\n"])
def test_a_first_line_that_may_be_a_rating_is_refused(content, tmp_path):
    number = content.count("\n")
    sentence = refusal(tmp_path / "r", content + "ann,y,3\nbob,x,4\n")
    assert f"Row {number} of 'r' begins with '{content[0]}', but could be a rating" in sentence


@pytest.mark.parametrize(
    "content",
    [
        "user,item,rating\n#1,#x,5\n%2,#x,3\n",
        '"#1",#x,5\n%2,#x,3\n',  # quoted, it is not a comment
        "# made on Tuesday\nuser,item,rating\n#1,#x,5\n%2,#x,3\n",
        '# user,item,rating\n"#1",#x,5\n%2,#x,3\n',
    ],
)
def test_ids_may_begin_with_the_mark_of_a_comment(content, tmp_path):
    assert everything(split(tmp_path / "r", content)) == {("#1", "#x"): 5, ("%2", "#x"): 3}


def test_a_remark_between_rows_is_not_skipped(tmp_path):
    content = f"{TABLE}# half of it\n3,10,4\n"
    assert "Row 5 of 'r' has 1 columns where the first has 3" in refusal(tmp_path / "r", content)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "#1,x,5\n#2,y,3\n",
            "Every line at the top of 'r' begins with # or %, as comments do: give",
        ),
        ("# nothing\n", "Every line at the top of 'r' begins with # or %"),
        (f"sep=^\n{TABLE}", "'r' begins with 'sep=^', which is not a separator: use , ; | ::"),
        ("sep=;\n", "'r' holds no ratings"),
        (f"sep=;\n{TABLE}", "'r' has no"),
    ],
)
def test_what_is_wrong_with_the_top(content, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r", content)


@pytest.mark.parametrize("block", [5, 1 << 20])
def test_rows_keep_their_numbers(block, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_BLOCK", block)
    content = f"sep=,\n# one\n# two\n{TABLE}3,12,bad\n"
    assert content.split("\n")[8 - 1] == "3,12,bad"
    assert "The rating 'bad' in row 8 of 'r'" in refusal(tmp_path / "r", content)


# Quoted separators


@pytest.mark.parametrize("block", [5, 1 << 20])
def test_a_quoted_double_colon_stays_what_it_is(block, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_BLOCK", block)
    content = 'user::item::rating\n"a::b"::"x:::"::5\n"a"::"::"::3\nb::"x"::4\n"a:b"::x::1\n'
    assert everything(split(tmp_path / "r", content)) == {
        ("a::b", "x:::"): 5,
        ("a", "::"): 3,
        ("b", "x"): 4,
        ("a:b", "x"): 1,
    }
    named = '"us::er"::item::rating\n"a::b"::x::5\nb::x::bad\n'
    sentence = refusal(tmp_path / "r", named, user="us::er")
    assert "The rating 'bad' in row 3 of 'r'" in sentence
