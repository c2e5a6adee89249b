from factory import record

from glocalk.report.points import Point
from glocalk.report.tables import Table, mean_and_sd, seed_count

TABLE = Table(
    name="small",
    caption="What 100 % of `a_b` shows.",
    columns=[("", "Data"), ("A", "x"), ("A", "y"), ("", "seeds")],
    rows=[["one", ".1 ± .2", "−.3", "1"], ["two", "–", "–", "–"]],
    notes=["`a_b`: a note.", "Another."],
)


def test_markdown_has_the_group_above_each_column():
    assert TABLE.markdown() == (
        "What 100 % of `a_b` shows.\n\n"
        "| Data | A<br>x | A<br>y | seeds |\n"
        "| :-- | --: | --: | --: |\n"
        "| one | .1 ± .2 | −.3 | 1 |\n"
        "| two | – | – | – |\n"
        "\n- `a_b`: a note.\n- Another.\n"
    )


def test_latex_has_the_group_over_its_columns():
    text = TABLE.tex()
    assert r"\caption{What 100 \% of \texttt{a\_b} shows.}" in text
    assert "\\begin{tabular}{lrrr}\n\\toprule\n & \\multicolumn{2}{c}{A} &  \\\\\n" in text
    assert r"\cmidrule(lr){2-3}" in text
    assert "one & .1 $\\pm$ .2 & $-$.3 & 1 \\\\\n" in text
    assert "two & -- & -- & -- \\\\\n" in text
    assert text.count(r"\par") == 2


def test_means_over_seeds():
    two = Point((record(best=0.88, seed=0), record(best=0.90, seed=1)))
    assert mean_and_sd(two, "best_test") == ".8900 ± .0141"
    assert mean_and_sd(Point(two.runs[:1]), "best_test") == ".8800"
    assert (mean_and_sd(Point(()), "best_test"), seed_count(Point(()))) == ("–", "–")
