import pytest

from glocalk.report.layout import (
    csv_text,
    difference,
    difference_interval,
    enumeration,
    markdown_table,
    p_value,
    rmse,
    tex,
)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.89, 3, ".890"), (0.89118, 4, ".8912"), (1.15366, 4, "1.1537"), (None, 4, "–")],
)
def test_rmse_as_the_paper_prints_it(value, digits, text):
    assert rmse(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0012, "+.0012"), (-0.0007, "−.0007"), (-0.00001, ".0000"), (1.5, "+1.5000"), (None, "–")],
)
def test_differences_are_signed(value, text):
    assert difference(value) == text


def test_intervals_of_differences():
    assert difference_interval(-0.0132, 0.00004) == "[−.0132, .0000]"
    assert difference(-0.00004, digits=5) == "−.00004"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0421, ".042"), (0.001, ".001"), (0.00099, "< .001"), (0.9996, "1"), (None, "–")],
)
def test_p_values(value, text):
    assert p_value(value) == text


def test_enumeration():
    assert [enumeration(range(size)) for size in (1, 2, 3)] == ["0", "0 and 1", "0, 1 and 2"]


def test_csv_quotes_what_needs_it_and_ends_lines_alike():
    assert csv_text(["a", "b"], [["1", "x,y"], ["", "2"]]) == 'a,b\n1,"x,y"\n,2\n'


def test_markdown_escapes_the_bar():
    text = markdown_table(["a", "b"], [["x|y", "1"]], left=1)
    assert text == "| a | b |\n| :-- | --: |\n| x\\|y | 1 |\n"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("A & B, 5 %, #1, $2", r"A \& B, 5 \%, \#1, \$2"),
        ("`best_test` {x}", r"\texttt{best\_test} \{x\}"),
        ("a\\b ~ ^", r"a\textbackslash{}b \textasciitilde{} \textasciicircum{}"),
        ("1 ± 2 – −3", r"1 $\pm$ 2 -- $-$3"),
    ],
)
def test_tex_escapes(text, escaped):
    assert tex(text) == escaped
